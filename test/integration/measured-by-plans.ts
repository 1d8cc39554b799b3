/** By which meters plans are measured and charged, and what cannot be measured, in the world of payments.test.ts. */
import { eq } from "drizzle-orm";
import { expect, test } from "vitest";
import { Entitlements } from "../../server/billing/entitlements.ts";
import { adjustStatements } from "../../server/billing/statements/adjust-statements.ts";
import type { Statement } from "../../server/contract/statements.ts";
import { announcePastChanges } from "../../server/postgres/past-changes.ts";
import { pastChanges } from "../../server/postgres/schema/past-changes.ts";
import { statementProgress } from "../../server/postgres/schema/statements.ts";
import { type Billing, perMinute } from "../support/billing.ts";

const seller = "reseller:asked-about-9f3c";
const partnerNode = "partner:above-9f3c";
const customMeter = (node: string, aggregation: string) => ({
  meter: "own_b",
  node,
  title: `${aggregation} of ${node}`,
  unit: "minutes",
  events: { types: ["call.completed"], aggregation, value: "value" },
});

/** An organization with a meter of its own, come below a new reseller whose plan is measured by one that is called alike. */
async function measuredByReseller(billing: Billing, name: string, limits: object) {
  const { world, key } = billing;
  const { tree } = world.deps;
  const owner = `reseller:${name}`;
  await tree.createNode({ kind: "reseller", id: name, name, parent: partnerNode });
  await tree.ensureOrganizations([name], partnerNode);
  const subscriber = `organization:${name}`;
  for (const [place, aggregation] of [
    [owner, "sum"],
    [subscriber, "count"],
  ] as const)
    expect((await world.ask("POST", "/v1/meters", { key, body: customMeter(place, aggregation) })).status).toBe(201);
  await billing.move(subscriber, owner, "2025-12-01T00:00:00Z");
  const terms = perMinute("EUR", { organization: "1" });
  const features = terms.features.map((feature) => ({ ...feature, meter: "own_b", ...limits }));
  const plan = await billing.plan(owner, { ...terms, features, name: `Plan of ${name}` });
  return { organization: name, owner, subscriber, plan };
}

export function measuredByPlans(billing: () => Billing): void {
  async function newOrganization(organization: string): Promise<{ organization: string; node: string }> {
    await billing().world.deps.tree.ensureOrganizations([organization], seller);
    return { organization, node: `organization:${organization}` };
  }

  test("a statement is measured by its plan's custom meter, wherever the subscriber stands by then and whatever is retired later", async () => {
    const { world, key } = billing();
    const { tree, postgres } = world.deps;
    const { organization, owner, subscriber, plan } = await measuredByReseller(billing(), "leaving", {});
    const next = "reseller:next-owner";
    await tree.createNode({ kind: "reseller", id: "next-owner", name: "Next", parent: partnerNode });
    expect((await world.ask("POST", "/v1/meters", { key, body: customMeter(next, "count") })).status).toBe(201);
    const when = { starts_at: "2026-01-01T00:00:00Z", expires_at: "2026-02-01T00:00:00Z", renews: false };
    await billing().subscribe(subscriber, plan, when);
    await billing().move(subscriber, next, "2026-01-15T00:00:00Z");
    await billing().calls([organization, "2026-01-03T00:00:00Z", "10"], [organization, "2026-01-20T00:00:00Z", "20"]);
    const path = `/v1/meters/own_b?node=${owner}`;
    const refused = await world.ask("DELETE", path, { key });
    expect([refused.status, refused.body.detail]).toEqual([409, expect.stringContaining('"Plan of leaving"')]);
    await billing().run("2026-02-02T01:00:00Z");
    const totals = async () => {
      const { statements } = await billing().get(`/v1/statements?node=${subscriber}&kind=subscription`);
      return statements.map((one: Statement) => [one.parent, one.total, one.adjusted_total]).reverse();
    };
    expect(await totals()).toEqual([
      [owner, "10.00", "10.00"],
      [next, "20.00", "20.00"],
    ]);
    await billing().calls([organization, "2026-01-04T00:00:00Z", "5"]);
    await billing().run("2026-02-02T02:00:00Z");
    expect((await totals())[0]).toEqual([owner, "10.00", "15.00"]);
    const {
      meter: _,
      node: __,
      ...version
    } = { ...customMeter(owner, "count"), effective_from: "2026-01-01T00:00:00Z" };
    expect((await world.ask("PATCH", path, { key, body: version })).status).toBe(200);
    // Until every process knows it, nothing is measured by it.
    const isOfMeter = eq(pastChanges.meter, "own_b");
    await postgres.db
      .update(pastChanges)
      .set({ visibleAt: new Date(0) })
      .where(isOfMeter);
    await billing().run("2026-02-02T03:00:00Z");
    expect(await totals()).toEqual([
      [owner, "10.00", "2.00"],
      [next, "20.00", "1.00"],
    ]);
    expect((await world.ask("DELETE", path, { key })).status).toBe(200);
    await billing().calls([organization, "2026-01-05T00:00:00Z", "2"]);
    await billing().run("2026-02-02T04:00:00Z");
    expect((await totals())[0]).toEqual([owner, "10.00", "3.00"]);
    const again = { node: subscriber, plan, starts_at: "2026-03-01T00:00:00Z" };
    await billing().move(subscriber, owner, "2026-02-20T00:00:00Z");
    expect((await world.ask("POST", "/v1/subscriptions", { key, body: again })).body).toMatchObject({
      status: 400,
      field: "plan",
      detail: expect.stringContaining("own_b"),
    });
  });

  test("quotas, entitlements, lists and simulations all measure a plan by its custom meter, not by the subscriber's", async () => {
    const { world, key } = billing();
    const limits = { included: 5, overage: "block", thresholds: [], prices: {} };
    const { organization, subscriber, plan } = await measuredByReseller(billing(), "limited", limits);
    const at = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
    // A cycle that began two weeks ago: none ends while this runs.
    const anchor = Math.min(28, new Date(at(14)).getUTCDate());
    await billing().subscribe(subscriber, plan, { starts_at: at(80), anchor });
    await billing().calls([organization, at(0), "10"], [organization, at(50), "30"]);
    const { quotas } = await billing().get(`/v1/period?node=${subscriber}`);
    expect(quotas).toMatchObject([{ feature: "calls", meter: "own_b", used: "10", status: "over" }]);
    const asked = await billing().get(`/v1/entitlements/calls?node=${subscriber}`);
    expect(asked).toMatchObject({ allowed: false, reason: "limit_reached", used: "10" });
    const listed = await billing().get(`/v1/organizations?node=${subscriber}`);
    expect(listed.organizations[0].quota).toMatchObject({ feature: "calls", percent: "200.00" });
    const body = { node: subscriber, of: "node", cycles: 2, plan };
    const simulated = await world.ask("POST", "/v1/what-if", { key, body });
    const blocked = simulated.body.nodes[0].cycles.flatMap(({ limits: found }: { limits: object[] }) => found);
    expect(blocked).toMatchObject([{ feature: "calls", used: "30" }]);
    const unknown = new Entitlements({ ...world.deps, meterOf: () => undefined });
    expect(await unknown.ask(subscriber, "calls")).toMatchObject({ allowed: false, reason: "usage_unknown" });
  });

  test("a statement that cannot be measured anew holds up no others and nothing of theirs, and is tried until it can be", async () => {
    const { postgres } = billing().world.deps;
    const [broken, other] = [await newOrganization("unmeasurable"), await newOrganization("measurable")];
    const plan = await billing().plan(seller, perMinute("EUR", { organization: "1" }));
    const when = { starts_at: "2024-01-01T00:00:00Z", expires_at: "2024-02-01T00:00:00Z", renews: false };
    for (const { node: one } of [broken, other]) await billing().subscribe(one, plan, when);
    await billing().run("2024-02-03T00:00:00Z");
    const chargeBy = (version: number) =>
      postgres.pool.query("UPDATE statements SET segments = jsonb_set(segments, '{0,version}', $1) WHERE node = $2", [
        version,
        broken.node,
      ]);
    const adjust = () => adjustStatements(billing().source, Date.parse("2024-02-04T00:00:00Z"));
    const adjustedOf = async ({ node: one }: { node: string }) =>
      (await billing().get(`/v1/statements?node=${one}&kind=subscription`)).statements[0].adjusted_total;
    await chargeBy(9);
    for (const { organization } of [broken, other]) await billing().calls([organization, "2024-01-06T00:00:00Z", "2"]);
    await expect(adjust()).rejects.toThrow("1 statements could not be adjusted");
    expect([await adjustedOf(broken), await adjustedOf(other)]).toEqual(["0.00", "2.00"]);
    const [progress] = await postgres.db.select().from(statementProgress);
    expect(progress?.settledBatch).toBe(billing().source.settledBatch());
    const ofMeter = { fromMs: Date.parse("2024-01-02T00:00:00Z"), toMs: Date.parse("2024-01-03T00:00:00Z") };
    await announcePastChanges(postgres.db, "a test", [{ node: "all", meter: "call_minutes", ...ofMeter }]);
    await postgres.db.update(pastChanges).set({ visibleAt: new Date(0) });
    for (let time = 0; time < 2; time++) await expect(adjust()).rejects.toThrow("1 statements could not be adjusted");
    expect(await postgres.db.select().from(pastChanges)).toMatchObject([{ node: broken.node, meter: null }]);
    await chargeBy(1);
    expect(await adjust()).toBe(1);
    expect(await adjustedOf(broken)).toBe("2.00");
    expect(await postgres.db.select().from(pastChanges)).toEqual([]);
  });

  test("after a cancellation the cycle's charges are still shown, up to the instant of it", async () => {
    const { organization, node } = await newOrganization("cancelled");
    const plan = await billing().plan(seller, perMinute("EUR", { organization: "0.10" }));
    const startsAt = new Date(Date.now() - 3 * 3_600_000).toISOString();
    const id = await billing().subscribe(node, plan, { starts_at: startsAt });
    await billing().calls([organization, new Date(Date.now() - 1_000).toISOString(), "12"]);
    const body = { cancel: true, at: "now" };
    expect((await billing().world.ask("PATCH", `/v1/subscriptions/${id}`, { key: billing().key, body })).status).toBe(
      200,
    );
    const charges = await billing().get(`/v1/charges?node=${node}`);
    expect(charges.levels.map(({ total }: { total: string }) => total)).toEqual(["1.20"]);
  });
}
