/** What came to its end unevaluated, rules at agents, and what cannot be evaluated, in the world of evaluate.test.ts. */
import { eq } from "drizzle-orm";
import { describe, expect, test, vi } from "vitest";
import { RuleNodeQueue } from "../../../server/alerts/rule-node-queue.ts";
import { subscriptionPlans, subscriptions } from "../../../server/postgres/schema/plans.ts";
import { type AlertsWorld, seller } from "../../support/alerts-world.ts";

export function endsAndAgents(worldOf: () => AlertsWorld): void {
  describe("spans that ended while nothing was evaluated", () => {
    test("what a subscription came to that ended while nothing was evaluated is notified, and that it has no limit now, once", async () => {
      const { organization, node, subscription } = await worldOf().newOrganization("100");
      await worldOf().evaluate(Date.parse("2026-05-20T00:00:00Z"));
      await worldOf().billing.calls([organization, "2026-05-25T11:00:00Z", "60"]);
      await worldOf()
        .billing.world.deps.postgres.db.update(subscriptions)
        .set({ cancelledAt: new Date("2026-05-26T00:00:00Z") })
        .where(eq(subscriptions.id, subscription));
      for (const hour of ["00", "01"]) await worldOf().evaluate(Date.parse(`2026-05-27T${hour}:00:00Z`));
      expect((await worldOf().notificationsOf(node)).sort()).toEqual(["alert.firing 50", "alert.resolved 50"]);
      expect((await worldOf().alertsOf(node)).map(({ state }) => state)).toEqual(["resolved"]);
    });

    test("what a limit evaluated in turns came to in a cycle that is over is notified, though the process ended before its turn", async () => {
      const { tree } = worldOf().billing.world.deps;
      const node = "reseller:evaluated-in-turns";
      await tree.createNode({ kind: "reseller", id: "evaluated-in-turns", name: "T", parent: "all" });
      await tree.ensureOrganizations(["below-evaluated-in-turns"], node);
      const features = [{ key: "calls", meter: "call_minutes", included: "100", overage: "notify" }];
      const plan = await worldOf().billing.plan("all", { currency: "EUR", features });
      await worldOf().billing.subscribe(node, plan, { starts_at: "2026-01-01T00:00:00Z", anchor: 1, tz: "UTC" });
      await worldOf().evaluate(Date.parse("2026-05-20T00:00:00Z"));
      await worldOf().billing.calls(["below-evaluated-in-turns", "2026-05-30T11:00:00Z", "60"]);
      const noTurns = vi.spyOn(RuleNodeQueue.prototype, "work").mockResolvedValue();
      worldOf().nowMs = Date.parse("2026-06-03T00:00:00Z");
      await worldOf().newEvaluator().run();
      noTurns.mockRestore();
      expect(await worldOf().alertsOf(node)).toEqual([]);
      for (const minute of ["01", "02"]) await worldOf().evaluate(Date.parse(`2026-06-03T00:${minute}:00Z`));
      expect(await worldOf().alertsOf(node)).toMatchObject([
        { threshold: 50, value: "60", fired_at: expect.any(String) },
      ]);
    });
  });

  describe("rules at an agent", () => {
    test("limits are its organization's, by what the agent uses of them, and no other rule evaluates it", async () => {
      const { organization, node } = await worldOf().newOrganization("100");
      const agent = `agent:${organization}/a1`;
      const rule = await worldOf().newRule({ node: agent, condition: { kind: "quota", thresholds: [50, 70] } });
      const time = "2026-03-09T11:00:00Z";
      const call = (by: string, value: string) => ({ type: "call.completed", organization, time, agent: by, value });
      await worldOf().billing.send([call("a1", "60"), call("a2", "30")]);
      await worldOf().evaluate();
      const found = await worldOf().alertsOf(agent);
      expect(found).toMatchObject([{ rule, threshold: 50, value: "60", limit: "100", percent: "60.00" }]);
      expect(await worldOf().notificationsOf(agent)).toEqual(["alert.firing 50"]);
      expect((await worldOf().alertsOf(node)).filter((alert) => alert.node === node)).toMatchObject([
        { threshold: 90 },
      ]);
    });

    test.each([
      [{ condition: { kind: "customers", on: ["status_changed"] } }, "node"],
      [{ condition: { kind: "billing", on: ["payment_failed"] } }, "node"],
      [{ scope: "organizations", condition: { kind: "quota" } }, "scope"],
    ])("what could never fire there is refused by its field: %j", async (rule, field) => {
      const { organization } = await worldOf().newOrganization();
      const body = { name: "Never", node: `agent:${organization}/a1`, ...rule };
      expect(await worldOf().ask("POST", "/v1/rules", body)).toMatchObject({ status: 400, body: { field } });
    });
  });

  test("a node whose limits cannot be made out holds up no others, in alerts and in lists, and is evaluated once they can be", async () => {
    const [broken, other] = [await worldOf().newOrganization("100"), await worldOf().newOrganization("100")];
    const { billing } = worldOf();
    const { world } = billing;
    const putUnder = (version: number) =>
      world.deps.postgres.db
        .update(subscriptionPlans)
        .set({ version })
        .where(eq(subscriptionPlans.subscriptionId, broken.subscription));
    await putUnder(9);
    for (const { organization } of [broken, other]) await billing.calls([organization, "2026-03-10T11:00:00Z", "80"]);
    await expect(worldOf().evaluate()).rejects.toThrow("has no version 9");
    expect([await worldOf().notificationsOf(broken.node), await worldOf().notificationsOf(other.node)]).toEqual([
      [],
      ["alert.firing 75"],
    ]);
    const { organizations } = await billing.get(`/v1/organizations?node=${seller}&limit=1000`);
    const quotaOf = (node: string) => organizations.find((one: { node: string }) => one.node === node).quota;
    expect([quotaOf(broken.node), quotaOf(other.node)]).toEqual([null, expect.objectContaining({ feature: "calls" })]);
    expect((await billing.get(`/v1/overview?node=${seller}`)).organizations).toBeDefined();
    await putUnder(1);
    await worldOf().evaluate();
    expect(await worldOf().notificationsOf(broken.node)).toEqual(["alert.firing 75"]);
  });
}
