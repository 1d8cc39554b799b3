/** Alerts about customers and their bills, and the lists and edits of rules and alerts, in the world of contract.test.ts. */
import { eq, sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { HeldRules } from "../../../server/alerts/held-rules.ts";
import type { Alert } from "../../../server/contract/alerts.ts";
import { definitionLimits } from "../../../server/contract/definition-limits.ts";
import type { CreateRule } from "../../../server/contract/rules.ts";
import { nodeParents } from "../../../server/postgres/schema/accounts.ts";
import { rules } from "../../../server/postgres/schema/alerts.ts";
import { auditHead } from "../../../server/postgres/schema/audit.ts";
import { deliveries } from "../../../server/postgres/schema/delivery.ts";
import { type AlertsWorld, dayMs, seller } from "../../support/alerts-world.ts";
import { rowsReadBy } from "../../support/rows-read.ts";
import { editedRules } from "./edited-rules.ts";
import { above, postChats } from "./usage-of-alerts.ts";

export function customersAndLists(worldOf: () => AlertsWorld): void {
  describe("customers and their bills", () => {
    test("a trial that ends notifies the set number of days before, once", async () => {
      const world = worldOf();
      const { node } = await world.newOrganization();
      const features = [{ key: "calls", meter: "call_minutes", included: "10", overage: "notify" }];
      const plan = await world.billing.plan("all", { currency: "EUR", features });
      const trial = { starts_at: "2026-03-01T00:00:00Z", trial_ends_at: "2026-03-20T00:00:00Z" };
      await world.billing.subscribe(node, plan, trial);
      const rule = await world.newRule({
        node,
        condition: { kind: "customers", on: ["trial_ending"], days_before: 3 },
      });
      await world.evaluate("2026-03-16T00:00:00Z");
      expect(await world.alertsOf(node, rule)).toEqual([]);
      for (const at of ["2026-03-17T00:00:00Z", "2026-03-19T00:00:00Z"]) await world.evaluate(at);
      expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 3"]);
      expect((await world.alertsOf(node, rule))[0]?.explanation).toContain("20 Mar 2026");
    });

    test("however many rules one tenant has for its customers, another's are evaluated in the same run", async () => {
      const world = worldOf();
      const { tree, postgres } = world.billing.world.deps;
      const calm = "reseller:calm-9f3c";
      await tree.createNode({ kind: "reseller", id: "calm-9f3c", name: "Calm", parent: "all" });
      await tree.ensureOrganizations(["calm-customer"], calm);
      const features = [{ key: "calls", meter: "call_minutes", included: "10", overage: "notify" }];
      const plan = await world.billing.plan("all", { currency: "EUR", features });
      const trial = { starts_at: "2026-03-01T00:00:00Z", trial_ends_at: "2026-03-20T00:00:00Z" };
      await world.billing.subscribe("organization:calm-customer", plan, trial);
      await postgres.db.execute(sql`INSERT INTO rules
          (id, node, name, kind, scope, severity, enabled, channels, mute, condition, created_at)
        SELECT 'flood ' || n, ${seller}, 'Flood', 'customers', 'node', 'info', true, '{}', '[]',
          '{"kind": "customers", "on": ["status_changed"], "days_before": 3}', '2020-01-01'
        FROM generate_series(1, 20000) AS n`);
      const condition: CreateRule["condition"] = { kind: "customers", on: ["trial_ending"], days_before: 3 };
      const rule = await world.newRule({ node: calm, condition });
      world.nowMs = Date.parse("2026-03-18T00:00:00Z");
      const evaluator = world.newEvaluator();
      await evaluator.run();
      expect(evaluator.isBehind).toBe(true);
      expect(await world.alertsOf("organization:calm-customer", rule)).toHaveLength(1);
      await postgres.db.execute(sql`DELETE FROM rules WHERE name = 'Flood'`);
    });

    test("a subscription that expires notifies the set number of days before, and when it was renewed", async () => {
      const world = worldOf();
      const { node } = await world.newOrganization();
      const features = [{ key: "calls", meter: "call_minutes", included: "10", overage: "notify" }];
      const plan = await world.billing.plan("all", { currency: "EUR", features });
      const term = { starts_at: "2026-01-01T00:00:00Z", expires_at: new Date(Date.now() + 20 * dayMs), renews: false };
      const id = await world.billing.subscribe(node, plan, term);
      const condition: CreateRule["condition"] = { kind: "billing", on: ["subscription_expiring"], days_before: 10 };
      const rule = await world.newRule({ node, condition });
      await world.evaluate(Date.now() + 9 * dayMs);
      expect(await world.alertsOf(node, rule)).toEqual([]);
      await world.evaluate(Date.now() + 11 * dayMs);
      expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 10"]);
      expect((await world.ask("PATCH", `/v1/subscriptions/${id}`, { renews: true })).status).toBe(200);
      await world.evaluate(Date.now() + 12 * dayMs);
      expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 10", "alert.resolved 10"]);
    });

    test("a payment that failed, one that is overdue, and that they were made", async () => {
      const world = worldOf();
      const organization = `billed-${crypto.randomUUID()}`;
      const node = `organization:${organization}`;
      await world.billing.world.deps.tree.ensureOrganizations([organization], seller);
      const terms = { currency: "EUR", fixed_fee: { organization: "50" }, features: [] };
      const plan = await world.billing.plan("all", terms);
      await world.billing.subscribe(node, plan, { starts_at: "2026-01-01T00:00:00Z", anchor: 1, tz: "UTC" });
      await world.billing.run("2026-03-05T00:00:00Z");
      const { statements } = await world.billing.get(`/v1/statements?node=${encodeURIComponent(node)}`);
      const [failed, open] = statements.filter((one: { total: string }) => Number(one.total) > 0);
      const condition: CreateRule["condition"] = { kind: "billing", on: ["payment_failed", "payment_overdue"] };
      const rule = await world.newRule({ node, condition });
      await world.evaluate("2026-03-18T00:00:00Z");
      expect(await world.alertsOf(node, rule)).toEqual([]);
      const pay = (id: string, status: string) => world.ask("POST", `/v1/statements/${id}/payment`, { status });
      expect(await pay(failed.id, "failed")).toMatchObject({ status: 200 });
      await world.evaluate("2026-03-18T00:00:01Z");
      expect((await world.alertsOf(node, rule)).map(({ explanation }) => explanation)).toEqual([
        expect.stringMatching(/^The payment failed for the statement from/),
      ]);
      await world.evaluate("2026-03-20T00:00:00Z");
      const reasons = (await world.alertsOf(node, rule)).map(({ explanation }) => explanation.slice(0, 22)).sort();
      expect(reasons).toEqual(["No payment is recorded", "The payment failed for"]);
      for (const { id } of [failed, open]) expect(await pay(id, "paid")).toMatchObject({ status: 200 });
      await world.evaluate("2026-03-20T00:00:01Z");
      expect(await world.notificationsOf(node, rule)).toHaveLength(4);
      expect((await world.alertsOf(node, rule)).map(({ state }) => state)).toEqual(["resolved", "resolved"]);
    });

    test("after a move the bills of before are the former owner's alerts, those of after the new one's, and neither learns of the other's", async () => {
      const world = worldOf();
      const { ask, makeKey, deps } = world.billing.world;
      const { tree, postgres } = deps;
      const organization = `moved-${crypto.randomUUID()}`;
      const node = `organization:${organization}`;
      const former = "reseller:former-9f3c";
      await tree.ensureOrganizations([organization], former);
      const terms = { currency: "EUR", fixed_fee: { organization: "50" }, features: [] };
      const plan = await world.billing.plan("all", terms);
      await world.billing.subscribe(node, plan, {
        starts_at: "2026-01-01T00:00:00Z",
        anchor: 1,
        tz: "UTC",
        expires_at: "2026-05-01T00:00:00Z",
        renews: false,
      });
      const condition: CreateRule["condition"] = {
        kind: "billing",
        on: ["payment_overdue", "subscription_expiring"],
        days_before: 90,
      };
      const url = "https://hooks.example.com/bills";
      const channel = await world.ask("POST", "/v1/channels", { node: former, kind: "webhook", name: "Bills", url });
      const old = await world.newRule({ node: former, condition, channels: [channel.body.id] });
      const mine = await world.newRule({ node: seller, condition });
      await world.evaluate("2026-02-10T00:00:00Z");
      expect((await world.alertsOf(former, old)).map(({ explanation }) => explanation.slice(0, 16))).toEqual([
        "The subscription",
      ]);
      await postgres.db
        .insert(nodeParents)
        .values({ node, parent: seller, validFrom: new Date("2026-02-01T00:00:00Z") });
      await tree.reread([node]);
      await world.billing.run("2026-03-05T00:00:00Z");
      await world.evaluate("2026-03-25T00:00:00Z");
      const keys = [former, seller].map((top) => makeKey(["read", "admin"], top));
      const seen = await Promise.all(
        keys.map(async (made) => {
          const { key } = await made;
          const { body } = await ask("GET", "/v1/alerts?kind=billing&limit=1000", { key });
          return body.alerts
            .filter((one: Alert) => one.node === node)
            .map(({ rule, state, explanation, is_own }: Alert) => {
              return [rule, state, /statement from .*|subscription/.exec(explanation)?.[0], is_own];
            })
            .sort();
        }),
      );
      const [january, february] = [
        "statement from 1 Jan 2026 to 31 Jan 2026.",
        "statement from 1 Feb 2026 to 28 Feb 2026.",
      ];
      expect(seen).toEqual([
        [
          [old, "firing", january, true],
          [old, "resolved", "subscription", true],
        ].sort(),
        [
          [mine, "firing", february, true],
          [mine, "firing", "subscription", true],
        ].sort(),
      ]);
      const sent = await postgres.db.select().from(deliveries).where(eq(deliveries.channel, channel.body.id));
      expect(sent.map(({ type, aboutNode }) => [type, aboutNode])).toEqual([
        ["alert.firing", node],
        ["alert.firing", former],
      ]);
    });
  });

  test("who is watched from above sees what was found, and acknowledges and snoozes the alerts of their own rules alone", async () => {
    const world = worldOf();
    const { ask, makeKey } = world.billing.world;
    const { organization, node } = await world.newOrganization("100");
    const condition: CreateRule["condition"] = { kind: "quota", thresholds: [10] };
    const template = await world.newRule({ node: seller, scope: "organizations", condition });
    const own = await world.newRule({ node, condition });
    await world.billing.calls([organization, "2026-03-10T11:00:00Z", "20"]);
    await world.evaluate("2026-03-10T12:00:00Z");
    const { key } = await makeKey(["read", "admin"], node);
    const until = new Date(Date.now() + 60_000).toISOString();
    const handled = async (rule: string) => {
      const { body } = await ask("GET", `/v1/alerts?rule=${rule}`, { key });
      const [alert] = body.alerts as Alert[];
      const statuses: number[] = [];
      for (const [act, sent] of [["acknowledge"], ["snooze", { until }]] as const)
        statuses.push(
          (await ask("POST", `/v1/alerts/${alert?.id}/${act}`, { key, ...(sent && { body: sent }) })).status,
        );
      return [alert?.is_own, ...statuses];
    };
    expect(await handled(template)).toEqual([false, 403, 403]);
    expect(await handled(own)).toEqual([true, 200, 200]);
    const alerts = await world.alertsOf(node, template);
    expect(alerts).toMatchObject([{ acknowledged: null, snoozed_until: null, is_own: true }]);
  });

  describe("lists and edits", () => {
    test("alerts are filtered by each of their fields, and paged without a gap or a repeat", async () => {
      const world = worldOf();
      const { organization, node } = await world.newOrganization("100");
      const quota = await world.newRule({ node, condition: { kind: "quota", thresholds: [10] } });
      const figure = await world.newRule({ node, condition: above("2") });
      await world.billing.calls([organization, "2026-03-09T11:00:00Z", "20"]);
      await postChats(world, organization, 3, "2026-03-10T11:30:00Z");
      await world.evaluate("2026-03-10T12:00:00Z");
      await world.evaluate("2026-03-10T13:00:00Z");
      const ask = async (query: string) =>
        await world.billing.get(`/v1/alerts?node=${encodeURIComponent(node)}${query}`);
      const rulesOf = async (query: string) =>
        (await ask(query)).alerts.map((one: { rule: string }) => one.rule).sort();
      const both = [quota, figure].sort();
      expect(await rulesOf("")).toEqual(both);
      expect(await rulesOf("&state=firing")).toEqual([quota]);
      expect(await rulesOf("&state=resolved")).toEqual([figure]);
      expect(await rulesOf("&kind=threshold")).toEqual([figure]);
      expect(await rulesOf(`&rule=${quota}`)).toEqual([quota]);
      expect(await rulesOf("&from=2026-03-10T12:00:00Z&to=2026-03-10T12:00:01Z")).toEqual(both);
      expect(await rulesOf("&to=2026-03-10T12:00:00Z")).toEqual([]);
      const seen: string[] = [];
      let cursor = "";
      do {
        const page = await ask(`&limit=1${cursor}`);
        seen.push(...page.alerts.map((one: { rule: string }) => one.rule));
        cursor = page.next_cursor === null ? "" : `&cursor=${encodeURIComponent(page.next_cursor)}`;
      } while (cursor !== "");
      expect(seen.sort()).toEqual(both);
      for (const wrong of ["&state=gone", "&kind=none", "&cursor=x", "&limit=0", "&from=yesterday"])
        expect((await world.ask("GET", `/v1/alerts?node=${encodeURIComponent(node)}${wrong}`)).status).toBe(400);
    });

    test("a rule or schedule goes on without a channel that was removed, and can be edited whatever it had before is gone", async () => {
      const world = worldOf();
      const { node } = await world.newOrganization();
      const made = async (path: string, body: object) => {
        const answer = await world.ask("POST", path, body);
        expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 201 });
        return answer.body.id as string;
      };
      const mail = { node, kind: "email", to: ["ops@example.com"] };
      const [kept, gone] = [
        await made("/v1/channels", { ...mail, name: "K" }),
        await made("/v1/channels", { ...mail, name: "G" }),
      ];
      const rule = await world.newRule({ node, channels: [gone, kept], condition: above("2") });
      const sent = { node, report: "usage", every: "month", formats: ["csv"], channels: [gone] };
      const schedule = await made("/v1/schedules", sent);
      expect((await world.ask("DELETE", `/v1/channels/${gone}`)).status).toBe(204);
      expect((await world.billing.get(`/v1/rules/${rule}`)).channels).toEqual([kept]);
      expect((await world.billing.get(`/v1/schedules/${schedule}`)).channels).toEqual([]);
      expect((await world.ask("PATCH", `/v1/schedules/${schedule}`, { subject: "Usage" })).status).toBe(200);
      const edit = (body: object) => world.ask("PATCH", `/v1/rules/${rule}`, body);
      expect(await edit({ channels: [kept, gone] })).toMatchObject({ status: 400, body: { field: "channels.1" } });
      const { condition: asked } = await world.billing.get(`/v1/rules/${rule}`);
      const condition = { ...asked, meter: "gone" };
      const before = { channels: [gone, kept], condition };
      await world.billing.world.deps.postgres.db.update(rules).set(before).where(eq(rules.id, rule));
      expect(await edit({ ...before, name: "Renamed" })).toMatchObject({
        status: 200,
        body: { name: "Renamed", ...before },
      });
      expect(await edit({ condition: above("3", { meter: "gone" }) })).toMatchObject({
        status: 400,
        body: { field: "condition.meter" },
      });
    });

    test("the same request to make a rule makes one, and a stale edit of a rule or an alert is refused", async () => {
      const world = worldOf();
      const { organization, node } = await world.newOrganization();
      const { ask } = world.billing.world;
      const { key } = world.billing;
      const body = { name: "Once", node, condition: above("2") };
      const headers = { "idempotency-key": crypto.randomUUID() };
      const [first, again] = [
        await ask("POST", "/v1/rules", { key, body, headers }),
        await ask("POST", "/v1/rules", { key, body, headers }),
      ];
      expect([first.status, again.status, again.body.id]).toEqual([201, 201, first.body.id]);
      expect((await world.billing.get(`/v1/rules?node=${encodeURIComponent(node)}`)).rules).toHaveLength(1);
      const path = `/v1/rules/${first.body.id}`;
      const { etag } = Object.fromEntries((await ask("GET", path, { key })).headers);
      const edit = (name: string) => ask("PATCH", path, { key, body: { name }, headers: { "if-match": etag ?? "" } });
      expect([(await edit("Twice")).status, (await edit("Thrice")).status]).toEqual([200, 412]);
      await postChats(world, organization, 3, "2026-03-10T11:30:00Z");
      await world.evaluate();
      const [alert] = await world.alertsOf(node);
      const handled = `/v1/alerts/${alert?.id}`;
      const seen = Object.fromEntries((await ask("GET", handled, { key })).headers).etag ?? "";
      const acknowledge = () => ask("POST", `${handled}/acknowledge`, { key, headers: { "if-match": seen } });
      expect([(await acknowledge()).status, (await acknowledge()).status]).toEqual([200, 412]);
    });

    test("a rule that takes too much is refused by its field, and one that is there stays, can be read, shrink and be removed", async () => {
      const world = worldOf();
      const { db } = world.billing.world.deps.postgres;
      const { bytes, bytesOfTenant } = definitionLimits.rules;
      const { node } = await world.newOrganization();
      const filtered = (length: number) =>
        above("2", {
          filter: { user: { not: Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(length / 100, "x")) } },
        });
      const tooLarge = { status: 400, body: { code: "invalid_request", field: "condition" } };
      const post = (condition: object) => world.ask("POST", "/v1/rules", { name: "Large", node, condition });
      expect(await post(filtered(bytes))).toMatchObject(tooLarge);
      const rule = await world.newRule({ node, condition: above("2") });
      const path = `/v1/rules/${rule}`;
      expect(await world.ask("PATCH", path, { condition: filtered(bytes) })).toMatchObject(tooLarge);
      const asBefore = (condition: typeof rules.$inferInsert.condition) =>
        db.update(rules).set({ condition }).where(eq(rules.id, rule));
      const { condition: asked } = await world.billing.get(path);
      const larger = (size: number) => ({ ...asked, filter: { user: "x".repeat(size) } });
      await asBefore(larger(3 * bytes));
      expect((await world.ask("PATCH", path, { name: "Renamed" })).status).toBe(200);
      expect((await world.billing.get(path)).condition).toEqual(larger(3 * bytes));
      expect((await world.ask("PATCH", path, { condition: above("3") })).status).toBe(200);
      await asBefore(larger(bytesOfTenant));
      const full = { status: 409, body: { code: "conflict", field: "condition" } };
      expect(await post(above("2"))).toMatchObject(full);
      expect((await world.ask("DELETE", path)).status).toBe(204);
      expect((await post(above("2"))).status).toBe(201);
    });

    test("a change of one rule makes an evaluator read that rule alone, and a new, a changed and a removed one are evaluated as they are", async () => {
      const world = worldOf();
      const { postgres } = world.billing.world.deps;
      const { node } = await world.newOrganization();
      const sequence = async () => (await postgres.db.select().from(auditHead))[0]?.sequence ?? 0;
      const held = new HeldRules(postgres);
      const [kept, removed] = [
        await world.newRule({ node, name: "Kept", condition: above("2") }),
        await world.newRule({ node, name: "Removed", condition: above("2") }),
      ];
      const before = await held.read(await sequence());
      await world.ask("PATCH", `/v1/rules/${kept}`, { name: "Changed" });
      await world.ask("DELETE", `/v1/rules/${removed}`);
      const made = await world.newRule({ node, name: "Made", condition: above("2") });
      const now = await sequence();
      const read = await rowsReadBy(async () => await held.read(now));
      expect(read.filter((row) => row.includes("in_force_since") || row.includes('"Changed"'))).toHaveLength(1);
      expect(read.length).toBeLessThan(12);
      const after = await held.read(now);
      expect(after).toEqual(await new HeldRules(postgres).read(now));
      expect(after.slice(-2).map(({ id, name }) => [id, name])).toEqual([
        [kept, "Changed"],
        [made, "Made"],
      ]);
      const unchanged = before.filter(({ id }) => id !== kept && id !== removed);
      expect(unchanged.length).toBeGreaterThan(0);
      for (const rule of unchanged) expect(after.find(({ id }) => id === rule.id)).toBe(rule);
    });
  });

  editedRules(worldOf);
}
