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
  const correct = (organization: string, time?: string) =>
    world.ask("POST", "/v1/events/none/void", { key, body: { organization, time, reason: "wrong" } });
  const { ofTenantPerMinute, waitingOfTenant } = correctionLimits;
  const own = inside.slice("organization:".length);
  const statuses: number[] = [];
  // A day that no calendar has is refused once the request is counted: so they come faster than the bucket fills, on any machine.
  while (!statuses.includes(429) && statuses.length < 3 * ofTenantPerMinute) {
    const burst = await Promise.all(Array.from({ length: 100 }, () => correct(own, "2026-02-30T09:00:00Z")));
    statuses.push(...burst.map(({ status }) => status));
  }
  expect([...new Set(statuses)].sort()).toEqual([400, 429]);
  expect(statuses.filter((status) => status === 400).length).toBeGreaterThanOrEqual(ofTenantPerMinute);
  const [refused] = (await Promise.all(Array.from({ length: 50 }, () => correct(own)))).filter(
    ({ status }) => status === 429,
  );
  expect(refused?.body.code).toBe("too_fast");
  expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect((await correct("elsewhere")).status).toBe(404);
  const { corrections } = (await world.ask("GET", "/v1/limits", {})).body;
  expect(corrections).toEqual({
    max_of_tenant_per_minute: ofTenantPerMinute,
    max_waiting_of_tenant: waitingOfTenant,
  });
});
