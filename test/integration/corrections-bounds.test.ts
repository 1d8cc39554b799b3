/** How often one tenant corrects events. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { correctionLimits } from "../../server/contract/corrections.ts";
import { createWorld, inside, type World } from "../support/isolation-world.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

test("a tenant corrects so many events a minute, and is told when it may go on; another tenant does not notice", async () => {
  const { key } = await world.makeKey(["admin"], "all");
  await world.deps.tree.ensureOrganizations(["elsewhere"], "all");
  const correct = (organization: string) =>
    world.ask("POST", "/v1/events/none/void", { key, body: { organization, reason: "wrong" } });
  const { ofTenantPerMinute } = correctionLimits;
  const own = inside.slice("organization:".length);
  const statuses = new Set<number>();
  for (let tried = 0; tried < ofTenantPerMinute; tried++) statuses.add((await correct(own)).status);
  expect([...statuses]).toEqual([404]);
  // What came back since the first is not much.
  let refused = await correct(own);
  for (let tried = 0; refused.status === 404 && tried < ofTenantPerMinute; tried++) refused = await correct(own);
  expect([refused.status, refused.body.code]).toEqual([429, "too_fast"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect((await correct("elsewhere")).status).toBe(404);
  const { corrections } = (await world.ask("GET", "/v1/limits", {})).body;
  expect(corrections).toEqual({ max_of_tenant_per_minute: ofTenantPerMinute, max_waiting_of_tenant: 100 });
});
