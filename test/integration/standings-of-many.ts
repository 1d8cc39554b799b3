/** The standings of many nodes at once, in the world of limits-and-trials.test.ts. */
import { expect, test } from "vitest";
import { readPeriod } from "../../server/billing/period.ts";
import { readTerms } from "../../server/billing/plans.ts";
import { subscriptionsOf } from "../../server/billing/subscriptions.ts";
import { meterByName } from "../../server/catalog/catalog.ts";
import type { Meter } from "../../server/catalog/meter.ts";
import type { NodeAddress } from "../../server/contract/nodes.ts";
import { parseFormula } from "../../server/numbers/formula.ts";
import { OrganizationFigures } from "../../server/overview/organization-figures.ts";
import { readStandings } from "../../server/overview/read-standings.ts";
import type { Billing } from "../support/billing.ts";

export function standingsOfMany(billing: () => Billing): void {
  const nowMs = Date.parse("2026-03-20T12:00:00Z");
  const operands = ["call_minutes", "chat_posts"].map((name) => meterByName(name) as Meter);
  const formula: Meter = {
    meter: "mixed",
    title: "Mixed",
    unit: "points",
    description: "",
    rule: { kind: "derived", formula: parseFormula("call_minutes * 2 + chat_posts"), operands },
  };
  const meterOf = (name: string) => (name === "call_minutes" ? formula : meterByName(name));

  async function stateOf(nodes: readonly NodeAddress[]) {
    const { db } = billing().source.postgres;
    const found = [];
    for (const node of nodes) found.push(...(await subscriptionsOf(db, node)));
    const terms = await readTerms(
      db,
      found.flatMap(({ history }) => history),
    );
    const rest = { sequence: 0, planNames: new Map(), models: [], users: new Map(), userCounts: new Map() };
    return { ...rest, terms, subscriptions: found };
  }

  async function below(parent: NodeAddress, count: number): Promise<{ organization: string; node: NodeAddress }[]> {
    const plan = await billing().plan("all", {
      currency: "EUR",
      features: [{ key: "calls", meter: "call_minutes", included: "1000", overage: "notify" }],
    });
    const found = [];
    for (let n = 0; n < count; n++) {
      const organization = `standing-${parent.replace(":", "-")}-${n}`;
      const node: NodeAddress = `organization:${organization}`;
      await billing().world.deps.tree.ensureOrganizations([organization], parent);
      await billing().subscribe(node, plan, { starts_at: "2026-03-01T00:07:00Z" });
      found.push({ organization, node });
    }
    return found;
  }

  test("limits on a formula are read in a few statements for many nodes, and are those of each alone", async () => {
    const found = await below("reseller:asked-about-9f3c", 20);
    await billing().calls(
      ...found.map(
        ({ organization }, n) => [organization, "2026-03-05T10:00:00Z", `${n}.5`] as [string, string, string],
      ),
      [found[3]?.organization ?? "", "2026-03-01T00:06:00Z", "100"],
    );
    let statements = 0;
    const { clickhouse } = billing().source;
    const counting = {
      ...clickhouse,
      select: (...asked: Parameters<typeof clickhouse.select>) => {
        statements++;
        return clickhouse.select(...asked);
      },
      selectColumns: (...asked: Parameters<typeof clickhouse.selectColumns>) => {
        statements++;
        return clickhouse.selectColumns(...asked);
      },
    };
    const state = await stateOf(found.map(({ node }) => node));
    const { standings } = await readStandings({ ...billing().source, clickhouse: counting, meterOf }, state, nowMs);
    const alone = [];
    for (const { node } of found)
      alone.push((await readPeriod({ ...billing().source, meterOf }, node, 0, nowMs)).quotas[0]?.used);
    expect(alone.slice(0, 3)).toEqual(["1", "3", "5"]);
    expect(found.map(({ node }) => standings.get(node)?.features[0]?.used)).toEqual(alone);
    expect(statements).toBeLessThan(10);
  });

  test("no tenant waits for another's limits, the root no longer than a while, and it says how old they are", async () => {
    const top = { kind: "partner" as const, id: "standing-top", name: "Another tenant", parent: "all" };
    await billing().world.deps.tree.createNode(top);
    const [slow, quick] = [await below("reseller:sibling-9f3c", 1), await below("partner:standing-top", 1)];
    expect(slow).toHaveLength(1);
    const { clickhouse } = billing().source;
    const name = slow[0]?.organization ?? "";
    const stuck = {
      ...clickhouse,
      select: (...asked: Parameters<typeof clickhouse.select>) =>
        asked[1].node === name ? new Promise<never>(() => undefined) : clickhouse.select(...asked),
      selectColumns: (...asked: Parameters<typeof clickhouse.selectColumns>) =>
        asked[1].node === name ? new Promise<never>(() => undefined) : clickhouse.selectColumns(...asked),
    };
    const { tree } = billing().world.deps;
    const source = { ...billing().source, tree, clickhouse: stuck, meterOf, settledBatch: () => 1 };
    const figures = new OrganizationFigures(source, undefined, { patienceMs: 50, patienceOfRevalidationMs: 50 });
    const state = await stateOf([slow, quick].flat().map(({ node }) => node));
    const own = await figures.standings("partner:standing-top", state, nowMs, true);
    expect(own.answer.has(quick[0]?.node ?? "")).toBe(true);
    expect(own.watermark.getTime()).toBeGreaterThan(0);
    for (const mustRevalidate of [false, true]) {
      const all = await figures.standings("all", state, nowMs, mustRevalidate);
      expect(all.answer.has(quick[0]?.node ?? "")).toBe(true);
      expect(all.answer.has(slow[0]?.node ?? "")).toBe(false);
      expect([all.watermark.getTime(), all.missing]).toEqual([0, [slow[0]?.node]]);
    }
  });
}
