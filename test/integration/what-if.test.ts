/** POST /v1/what-if: a plan on the usage of cycles that are over. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerWhatIf } from "../../server/billing/statements/what-if.ts";
import { planTermsSchema } from "../../server/contract/plans.ts";
import type { WhatIf } from "../../server/contract/what-if.ts";
import { type Billing, createBilling, perMinute } from "../support/billing.ts";

let billing: Billing;
const partner = "partner:asked";
const reseller = "reseller:asked";
const [busy, calm, free] = ["organization:busy", "organization:calm", "organization:free"];
const nowMs = Date.parse("2026-05-03T00:00:00Z");

beforeAll(async () => {
  billing = await createBilling();
  const { tree } = billing.world.deps;
  await tree.createNode({ kind: "partner", id: "asked", name: "Asked", parent: "all" });
  await tree.createNode({ kind: "reseller", id: "asked", name: "Asked", parent: partner });
  await tree.ensureOrganizations(["busy", "calm", "free"], reseller);
  const euro = perMinute("EUR", { organization: "0.10", reseller: "0.04" }, { fixed_fee: { organization: "30" } });
  const until = { expires_at: "2026-05-05T00:00:00Z", renews: false };
  await billing.subscribe(busy, await billing.plan(partner, euro), { starts_at: "2026-03-01T00:00:00Z", ...until });
  const yen = await billing.plan(partner, perMinute("JPY", { organization: "10" }));
  await billing.subscribe(calm, yen, { starts_at: "2026-03-15T00:00:00Z", anchor: 15, tz: "Asia/Kolkata", ...until });
  await billing.calls(
    ["busy", "2026-03-10T10:20:30Z", "60"],
    ["busy", "2026-03-20T10:00:00Z", "40"],
    ["busy", "2026-04-20T10:00:00Z", "10"],
    ["calm", "2026-03-20T10:00:00Z", "5"],
    ["free", "2026-04-02T10:00:00Z", "100"],
  );
  await billing.run("2026-04-20T00:00:00Z");
  await billing.calls(["busy", "2026-03-30T10:00:00Z", "20"]);
  await billing.run("2026-04-20T00:10:00Z");
});
afterAll(() => billing.world.close());

const prices = {
  organization: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.20" }] },
  reseller: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.05" }] },
} as const;
const terms = planTermsSchema.parse({
  currency: "EUR",
  fixed_fee: { organization: "20", reseller: "10" },
  features: [
    { key: "calls", meter: "call_minutes", included: "100", overage: "bill", prices },
    { key: "hard", meter: "call_minutes", included: "100", overage: "block", grace_hours: 24, thresholds: [50, 100] },
  ],
});

async function ask(nodes: string[], cycles: number, levels = ["organization", "reseller"]): Promise<WhatIf> {
  const seen = new Set(levels) as ReadonlySet<"organization" | "reseller">;
  const named = nodes.map((node) => ({ node, name: node }));
  return await answerWhatIf(
    billing.source,
    { node: reseller, nodes: named, cycles, terms: { ...terms, node: reseller }, visibleLevelsOnRecord: () => seen },
    nowMs,
  );
}

test("shows what the plan would have cost beside what was charged, later adjustments included, and the margin of each level", async () => {
  const answer = await ask([busy], 2);
  const [march, april] = answer.nodes[0]?.cycles ?? [];
  // 120 minutes of March are known now; 100 were when it was closed.
  expect(march).toMatchObject({ from: "2026-03-01T00:00:00Z", to: "2026-04-01T00:00:00Z", basis: "statement" });
  expect(march?.compared).toEqual([
    { level: "organization", currency: "EUR", total: "24.00", margin: null, charged: "42.00", difference: "-18.00" },
    { level: "reseller", currency: "EUR", total: "11.00", margin: "13.00", charged: "4.80", difference: "6.20" },
  ]);
  expect(april?.compared.map(({ total, charged }) => [total, charged])).toEqual([
    ["20.00", "31.00"],
    ["10.00", "0.40"],
  ]);
  expect(
    answer.totals.map(({ level, total, charged, difference, margin }) => [level, total, charged, difference, margin]),
  ).toEqual([
    ["organization", "44.00", "73.00", "-29.00", null],
    ["reseller", "21.00", "5.20", "15.80", "23.00"],
  ]);
});

test("shows who would have been alerted and blocked, and when", async () => {
  const answer = await ask([busy, calm, free], 2);
  const limits = answer.nodes[0]?.cycles[0]?.limits ?? [];
  expect(limits.find(({ feature }) => feature === "hard")).toMatchObject({
    used: "120",
    limit: "100",
    percent: "120.00",
    blocked_at: "2026-03-21T10:00:00Z",
    alerts: [
      { percent: 50, at: "2026-03-10T10:20:30Z" },
      { percent: 100, at: "2026-03-20T10:00:00Z" },
    ],
  });
  expect(limits.find(({ feature }) => feature === "calls")?.blocked_at).toBeNull();
  expect(answer.blocked).toEqual([busy, free]);
  expect(answer.alerted).toEqual([busy, free]);
});

test("charges in another currency are kept apart, and a node without a plan was charged nothing", async () => {
  const answer = await ask([calm, free], 1);
  const [ofCalm, ofFree] = answer.nodes;
  expect(ofCalm?.cycles[0]).toMatchObject({ start: "2026-03-15T00:00:00+05:30", basis: "statement" });
  expect(answer.charged_elsewhere).toEqual([{ level: "organization", currency: "JPY", charged: "50" }]);
  expect(ofFree?.cycles[0]).toMatchObject({ basis: "none", compared: [{ charged: null }, { charged: null }] });
});

test("each sees the levels of its own and below; a plan is asked about by its draft, terms by themselves", async () => {
  const own = (await billing.world.makeKey(["read", "admin"], reseller)).key;
  const { key } = billing;
  const all = { ...terms, name: "Draft", node: partner, offered: true };
  const { id } = (await billing.world.ask("POST", "/v1/plans", { key, body: all })).body;
  const asked = async (asker: string, body: object) =>
    await billing.world.ask("POST", "/v1/what-if", { key: asker, body });
  const above = await asked(key, { node: reseller, cycles: 3, plan: id });
  expect(above.status).toBe(200);
  expect(above.body.nodes.map(({ node }: { node: string }) => node)).toEqual([busy, calm, free]);
  expect((await asked(own, { cycles: 1, plan: id })).body).toMatchObject({ status: 400, field: "plan" });
  expect((await billing.world.ask("POST", `/v1/plans/${id}/publish`, { key })).status).toBe(200);
  const seen = await asked(own, { cycles: 3, plan: id });
  expect(new Set(seen.body.totals.map(({ level }: { level: string }) => level))).toEqual(
    new Set(["organization", "reseller"]),
  );
  const inside = (await billing.world.makeKey(["read", "admin"], busy)).key;
  const theirs = await asked(inside, { cycles: 3, plan: id });
  expect(JSON.stringify(theirs.body)).not.toContain('"reseller"');
  const whole = await asked(own, { cycles: 1, of: "node", terms: { currency: "EUR", fixed_fee: { reseller: "1" } } });
  expect(whole.body.nodes.map(({ node }: { node: string }) => node)).toEqual([reseller]);
  for (const [field, body] of Object.entries({
    plan: { cycles: 1 },
    version: { plan: id, version: 9 },
    cycles: { plan: id, cycles: 13 },
    "features.0.meter": { terms: { currency: "EUR", features: [{ key: "x", meter: "nothing" }] } },
  }))
    expect((await asked(own, body)).body).toMatchObject({ status: 400, field });
});
