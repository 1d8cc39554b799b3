/** A move into the time of a statement that is closed: what was charged stays charged, once, by whom the statement names. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Statement } from "../../server/contract/statements.ts";
import { type Billing, createBilling } from "../support/billing.ts";

let billing: Billing;
beforeAll(async () => {
  billing = await createBilling();
});
afterAll(() => billing.world.close());

test("a closed statement stays with the node above it names, unadjusted, and later ones are of the new one", async () => {
  const { world, key } = billing;
  const [partner, former, next] = ["partner:closing", "reseller:former", "reseller:next"];
  const node = "organization:moved-late";
  for (const [address, parent] of [
    [partner, "all"],
    [former, partner],
    [next, partner],
    [node, former],
  ] as const) {
    const [kind, id] = address.split(":");
    const made = await world.ask("POST", "/v1/nodes", { key, body: { kind, id, parent } });
    expect(made.status).toBe(201);
  }
  const prices = { organization: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.1" }] } };
  const features = [{ key: "calls", meter: "call_minutes", overage: "bill", prices }];
  const plan = await billing.plan(partner, { currency: "EUR", features });
  await billing.subscribe(node, plan, { starts_at: "2026-01-01T00:00:00Z" });
  await billing.calls(["moved-late", "2026-01-05T00:00:00Z", "10"], ["moved-late", "2026-01-20T00:00:00Z", "30"]);
  await billing.run("2026-02-03T00:00:00Z");
  const statements = async (): Promise<Statement[]> =>
    (await billing.get(`/v1/statements?node=${node}&limit=1000`)).statements;
  const about = ({ parent, from, total, adjusted_total }: Statement) => [parent, from, total, adjusted_total];
  const january = [former, "2026-01-01T00:00:00Z", "4.00", "4.00"];
  expect((await statements()).map(about)).toEqual([january]);
  const body = { parent: next, effective_from: "2026-01-15T00:00:00Z" };
  const moved = await world.ask("PATCH", `/v1/nodes/${node}`, { key, body });
  expect([moved.status, moved.body.parent]).toEqual([200, next]);
  await billing.run("2026-02-04T00:00:00Z");
  await billing.run("2026-03-03T00:00:00Z");
  const all = (await statements()).map(about).sort((a, b) => (String(a[1]) < String(b[1]) ? -1 : 1));
  expect(all).toEqual([january, [next, "2026-02-01T00:00:00Z", "0.00", "0.00"]]);
});
