/** Rules of each kind on real stores: what is sent, when, to whom, and that nothing is sent twice. */
import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { pushNotifications } from "../../../server/alerts/push-notifications.ts";
import { maxEntries, readCustomers } from "../../../server/alerts/read-customer-events.ts";
import { seesAlert } from "../../../server/alerts/visibility.ts";
import type { Action } from "../../../server/contract/accounts.ts";
import type { AlertsChanged, NotificationPush } from "../../../server/contract/notifications.ts";
import type { CreateRule } from "../../../server/contract/rules.ts";
import type { Actor } from "../../../server/identity/actor.ts";
import type { AccountState } from "../../../server/overview/account-state.ts";
import { alerts, notifications } from "../../../server/postgres/schema/alerts.ts";
import { type AlertsWorld, createAlertsWorld, dayMs, hourMs, seller } from "../../support/alerts-world.ts";
import type { Billing } from "../../support/billing.ts";
import { eventually } from "../../support/service.ts";
import { endsAndAgents } from "./ends-and-agents.ts";
import { previewCases } from "./preview-cases.ts";
import { customerPreviews } from "./preview-customers.ts";
import { previewSpans } from "./preview-spans.ts";

let watched: AlertsWorld;
let billing: Billing;
const usualMs = Date.parse("2026-03-10T12:00:00Z");

beforeAll(async () => {
  watched = await createAlertsWorld();
  billing = watched.billing;
});
afterAll(() => watched.close());
afterEach(() => watched.removeRules());
beforeEach(() => {
  watched.nowMs = usualMs;
});

const evaluate: AlertsWorld["evaluate"] = (at) => watched.evaluate(at);
const newOrganization: AlertsWorld["newOrganization"] = (...given) => watched.newOrganization(...given);
const newRule: AlertsWorld["newRule"] = (rule) => watched.newRule(rule);
const alertsOf: AlertsWorld["alertsOf"] = (...asked) => watched.alertsOf(...asked);
const notificationsOf: AlertsWorld["notificationsOf"] = (...asked) => watched.notificationsOf(...asked);

describe("the thresholds of plans, without anybody making a rule", () => {
  test("thresholds crossed by one step are notified once, naming the highest, and each once in a cycle", async () => {
    const { organization, node } = await newOrganization("100");
    await evaluate();
    expect(await alertsOf(node)).toEqual([]);
    await billing.calls([organization, "2026-03-10T11:00:00Z", "80"]);
    await evaluate();
    await evaluate();
    const [alert, ...others] = await alertsOf(node);
    expect(others).toEqual([]);
    expect(alert).toMatchObject({
      kind: "quota",
      node,
      state: "firing",
      feature: "calls",
      meter: "call_minutes",
      threshold: 75,
      passed: [50],
      value: "80",
      limit: "100",
      percent: "80.00",
      acknowledged: null,
      severity: "warning",
      period: { start: "2026-03-01T00:00:00.000Z", end: "2026-04-01T00:00:00.000Z" },
    });
    expect(await notificationsOf(node)).toEqual(["alert.firing 75"]);
    await billing.calls([organization, "2026-03-10T11:30:00Z", "25"]);
    await evaluate(watched.nowMs + 60_000);
    expect(await notificationsOf(node)).toEqual(["alert.firing 75", "alert.firing 100"]);
    await evaluate(Date.parse("2026-04-02T00:00:00Z"));
    await billing.calls([organization, "2026-04-02T10:00:00Z", "55"]);
    await evaluate(Date.parse("2026-04-02T12:00:00Z"));
    expect(await notificationsOf(node)).toEqual(["alert.firing 75", "alert.firing 100", "alert.firing 50"]);
    const states = (await alertsOf(node)).map(({ threshold, state, passed }) => [threshold, state, passed]);
    expect(states).toEqual([
      [50, "firing", []],
      [100, "resolved", [90]],
      [75, "resolved", [50]],
    ]);
  });

  test("a correction resolves, and what holds again in the cycle is not sent again", async () => {
    const { organization, node } = await newOrganization("100");
    await billing.calls([organization, "2026-03-09T11:00:00Z", "76"]);
    await evaluate();
    expect(await notificationsOf(node)).toEqual(["alert.firing 75"]);
    const { records } = await billing.get(`/v1/records?node=${node}`);
    const voided = await billing.world.ask("POST", `/v1/events/${records[0].id}/void`, {
      key: billing.key,
      body: { organization, reason: "a test" },
    });
    expect([200, 202]).toContain(voided.status);
    await billing.world.deps.corrections.applyPending();
    await evaluate();
    expect(await notificationsOf(node)).toEqual(["alert.firing 75", "alert.resolved 75"]);
    await billing.calls([organization, "2026-03-09T11:00:00Z", "78"]);
    await evaluate();
    expect(await notificationsOf(node)).toEqual(["alert.firing 75", "alert.resolved 75"]);
    expect((await alertsOf(node)).map(({ state }) => state)).toEqual(["firing"]);
  });

  test("a larger plan resolves", async () => {
    const { organization, node, subscription } = await newOrganization("100");
    await billing.calls([organization, "2026-03-09T11:00:00Z", "92"]);
    await evaluate();
    const larger = await billing.plan("all", {
      currency: "EUR",
      features: [{ key: "calls", meter: "call_minutes", included: "1000", overage: "notify" }],
    });
    await billing.changePlan(subscription, larger, "2026-03-02T00:00:00Z");
    await evaluate();
    expect(await notificationsOf(node)).toEqual(["alert.firing 90", "alert.resolved 90"]);
  });

  test("a threshold crossed while nothing was evaluated is notified afterwards, once, even in a cycle that is over", async () => {
    const { organization, node } = await newOrganization("100");
    await evaluate(Date.parse("2026-05-20T00:00:00Z"));
    await billing.calls([organization, "2026-05-30T11:00:00Z", "60"], [organization, "2026-06-01T11:00:00Z", "95"]);
    await evaluate(Date.parse("2026-06-03T00:00:00Z"));
    await evaluate(Date.parse("2026-06-03T01:00:00Z"));
    expect((await notificationsOf(node)).sort()).toEqual(["alert.firing 50", "alert.firing 90"]);
  });
});

endsAndAgents(() => watched);

describe("rules that people make", () => {
  test("a template holds below its node, and a nearer rule takes its place", async () => {
    const [one, two] = [await newOrganization("100"), await newOrganization("100")];
    const condition: CreateRule["condition"] = { kind: "quota", thresholds: [10] };
    const template = await newRule({ node: seller, scope: "organizations", condition });
    const nearer = await newRule({
      node: two.node,
      replaces: template,
      severity: "critical",
      condition: { kind: "quota", thresholds: [20] },
    });
    await billing.calls(
      [one.organization, "2026-03-09T11:00:00Z", "15"],
      [two.organization, "2026-03-09T11:00:00Z", "15"],
    );
    await evaluate();
    expect((await alertsOf(one.node)).map(({ rule }) => rule)).toEqual([template]);
    expect(await alertsOf(two.node)).toEqual([]);
    await billing.calls([two.organization, "2026-03-09T12:00:00Z", "6"]);
    await evaluate();
    expect(await alertsOf(two.node)).toMatchObject([{ rule: nearer, threshold: 20, severity: "critical" }]);
    const gone = await billing.world.ask("DELETE", `/v1/rules/${template}`, { key: billing.key });
    expect(gone.status).toBe(204);
    expect((await alertsOf(one.node)).map(({ state }) => state)).toEqual(["resolved"]);
  });

  test("a figure beyond its bound for long enough fires, and resolves at its own bound", async () => {
    const { organization, node } = await newOrganization();
    const condition = {
      kind: "threshold",
      meter: "chat_posts",
      window: "1h",
      above: "5",
      for_minutes: 10,
      resolve_at: "2",
    } as const;
    const rule = await newRule({ node, condition });
    const post = (time: string) => ({ type: "chat.posted", organization, time });
    const startMs = Date.parse("2026-03-10T12:00:00Z");
    await billing.send(Array.from({ length: 7 }, () => post("2026-03-10T11:50:00Z")));
    await billing.send(Array.from({ length: 3 }, () => post("2026-03-10T12:30:00Z")));
    const states: unknown[] = [];
    for (const minutes of [0, 9, 10, 55, 80, 95]) {
      await evaluate(startMs + minutes * 60_000);
      states.push((await alertsOf(node, rule)).map(({ state, value }) => `${state} ${value}`)[0]);
    }
    expect(states).toEqual(["pending 7", "pending 7", "firing 7", "firing 3", "firing 3", "resolved 0"]);
    expect(await notificationsOf(node)).toEqual(["alert.firing 5", "alert.resolved 5"]);
  });

  test("an organization that falls silent is notified, and so is its return", async () => {
    const { organization, node } = await newOrganization();
    const quiet = await newOrganization();
    const condition = { kind: "no_data", silent_minutes: 30 } as const;
    await newRule({ node, condition });
    await newRule({ node: quiet.node, condition });
    await billing.send([{ type: "chat.posted", organization }]);
    const sentMs = Date.now();
    await evaluate(sentMs + 60_000);
    expect(await alertsOf(node)).toEqual([]);
    await evaluate(sentMs + hourMs);
    expect(await alertsOf(node)).toMatchObject([{ kind: "no_data", state: "firing" }]);
    await billing.send([{ type: "chat.posted", organization }]);
    await evaluate(Date.now() + 60_000);
    expect(await alertsOf(node)).toMatchObject([{ state: "resolved" }]);
    expect(await alertsOf(quiet.node)).toEqual([]);
  });

  test("an hour unlike its season is notified, with the value that drove it", async () => {
    const { organization, node } = await newOrganization();
    await newRule({ node, condition: { kind: "unusual", meter: "chat_posts", at_least: "20" } });
    const nowAt = Date.parse("2026-03-10T12:00:00Z");
    const events = [];
    for (let week = 0; week < 6; week++)
      for (let minute = 0; minute < 90; minute += 9)
        events.push({
          type: "chat.posted",
          organization,
          user: "usual",
          time: new Date(nowAt - week * 7 * dayMs - minute * 60_000 - 1).toISOString(),
        });
    for (let index = 0; index < 120; index++)
      events.push({
        type: "chat.posted",
        organization,
        user: "driver",
        time: new Date(nowAt - (index + 0.5) * 30_000 - 1).toISOString(),
      });
    await billing.send(events);
    await evaluate(nowAt);
    const [alert] = await alertsOf(node);
    expect(alert).toMatchObject({ kind: "unusual", state: "firing", meter: "chat_posts" });
    expect(alert?.explanation).toMatch(/user driver accounts for (9\d(\.\d)?|100)% of the change/);
  });

  test("low use of a plan is notified after its days, once in the cycle", async () => {
    const { organization, node } = await newOrganization("1000");
    const condition = { kind: "low_usage", feature: "calls", below_percent: 20, of: "plan", after_days: 14 } as const;
    const rule = await newRule({ node, condition });
    await billing.calls([organization, "2026-03-03T11:00:00Z", "50"]);
    await evaluate(Date.parse("2026-03-14T12:00:00Z"));
    expect(await alertsOf(node, rule)).toEqual([]);
    await evaluate(Date.parse("2026-03-16T12:00:00Z"));
    expect(await alertsOf(node, rule)).toMatchObject([
      { state: "firing", value: "50", limit: "1000", percent: "5.00" },
    ]);
  });

  test("events of customers are notified for all below the rule's node", async () => {
    const rule = await newRule({ node: seller, condition: { kind: "customers" } });
    await evaluate(Date.now() + 1_000);
    const { node, organization } = await newOrganization("10");
    const changed = await billing.world.ask("PATCH", `/v1/nodes/${encodeURIComponent(node)}`, {
      key: billing.key,
      body: { status: "trial" },
    });
    expect(changed.status).toBe(200);
    await evaluate(Date.now() + 2_000);
    const explanations = (await alertsOf(node, rule)).map(({ explanation }) => explanation).sort();
    expect(explanations).toEqual([
      "A subscription started.",
      `The organization ${organization} was created.`,
      "The status changed from active to trial.",
    ]);
  });

  test("a change of status is notified however many other changes there are, is read once, and is shown for a day", async () => {
    const { postgres } = billing.world.deps;
    const { node } = await newOrganization();
    const rule = await newRule({ node: seller, condition: { kind: "customers", on: ["status_changed"] } });
    const flood = (status: string, entries: number) =>
      postgres.pool.query(
        `WITH head AS (UPDATE audit_head SET sequence = sequence + $4 RETURNING sequence - $4 AS last)
         INSERT INTO audit_entries
         SELECT last + n, now(), 'system', 'system', 'x', NULL, $1, ARRAY[$1, $2, 'all'], 'node.changed', $1,
           '{"status":"active"}', $3, 'x', 'x' FROM head, generate_series(1, $4::int) AS n`,
        ["organization:noisy", seller, JSON.stringify({ status }), entries],
      );
    await flood("active", 6_000);
    const patched = await billing.world.ask("PATCH", `/v1/nodes/${encodeURIComponent(node)}`, {
      key: billing.key,
      body: { status: "suspended" },
    });
    expect(patched.status).toBe(200);
    const evaluator = watched.newEvaluator();
    const stateAfter = async (ms: number) => {
      watched.nowMs = Date.now() + ms;
      do await evaluator.run();
      while (evaluator.isBehind);
      return (await alertsOf(node, rule)).map(({ state }) => state);
    };
    expect(await stateAfter(1_000)).toEqual(["firing"]);
    expect(await stateAfter(hourMs)).toEqual(["firing"]);
    expect(await stateAfter(dayMs + hourMs)).toEqual(["resolved"]);

    await flood("trial", maxEntries + 1);
    const asked = { ruleId: rule, state: { sequence: 0 } as AccountState, node: seller, holdsFor: () => true };
    const times = { atMs: Date.now(), sinceMs: 0, evaluatedUntilMs: Date.now() };
    const condition = { kind: "customers" as const, on: ["status_changed" as const], days_before: 7 };
    const read = (readUntil: number | undefined) =>
      readCustomers(billing.world.deps, condition, { ...asked, ...times, readUntil });
    const first = await read(undefined);
    const second = await read(first.readUntil);
    expect(first.findings).toHaveLength(maxEntries);
    expect(second.findings.length).toBeGreaterThan(0);
    const subjects = [...first.findings, ...second.findings].map(({ subject }) => subject);
    expect(new Set(subjects).size).toBe(subjects.length);
    expect((await read(second.readUntil)).findings).toEqual([]);
  });

  test("more than twenty at once become one message with a list", async () => {
    const { db } = billing.world.deps.postgres;
    const rule = await newRule({
      node: seller,
      scope: "organizations",
      condition: { kind: "quota", thresholds: [33] },
    });
    const many = [];
    for (let index = 0; index < 21; index++) many.push(await newOrganization("100"));
    await billing.calls(
      ...many.map(({ organization }): [string, string, string] => [organization, "2026-03-09T11:00:00Z", "40"]),
    );
    await evaluate();
    const fired = await db.select().from(alerts).where(eq(alerts.ruleId, rule));
    expect(fired.filter(({ state, due }) => state === "firing" && due === null).length).toBeGreaterThanOrEqual(21);
    const notices = await db
      .select()
      .from(notifications)
      .innerJoin(alerts, eq(alerts.id, notifications.alertId))
      .where(eq(alerts.ruleId, rule));
    const people = new Set(notices.map(({ notifications: { userId } }) => userId));
    expect(notices.length).toBe(people.size);
    expect(notices[0]?.notifications.others.length).toBeGreaterThanOrEqual(20);
  });
});

previewCases(() => watched);

test("a muted alert is notified when the window ends", async () => {
  const { organization, node } = await newOrganization("100");
  const mute = [{ from: "00:00", to: "13:00" }];
  const rule = await newRule({ node, mute, condition: { kind: "quota", thresholds: [5] } });
  await billing.calls([organization, "2026-03-09T11:00:00Z", "40"]);
  await evaluate(Date.parse("2026-03-10T12:00:00Z"));
  expect(await notificationsOf(node, rule)).toEqual([]);
  expect(await alertsOf(node, rule)).toMatchObject([{ state: "firing", threshold: 5 }]);
  await evaluate(Date.parse("2026-03-10T13:00:00Z"));
  expect(await notificationsOf(node, rule)).toEqual(["alert.firing 5"]);
});

test("an alert is pushed only to people who may still see it, and one about bills only to those who see prices", async () => {
  const { postgres, tree } = billing.world.deps;
  const { organization, node } = await newOrganization("100");
  const at = (where: string, ...actions: Action[]): Actor => ({
    kind: "user",
    id: "usr_any",
    name: "any@example.com",
    node: where,
    reach: [where],
    createOrganizations: false,
    grants: [{ node: where, actions: new Set(actions) }],
  });
  const actors = [at(seller, "read"), at(node, "read"), at("reseller:sibling-9f3c", "read"), at(seller, "ingest")];
  const pushesByKind = new Map<string, (NotificationPush | undefined)[]>();
  const changed: (string[] | undefined)[][] = [];
  const stop = await pushNotifications({
    postgres,
    tree,
    publicUrl: "",
    log: billing.world.deps.log,
    push: async (event, contentFor) => {
      const pushed = await Promise.all(actors.map(contentFor));
      if (event === "alerts:changed") changed.push(pushed.map((one) => (one as AlertsChanged | undefined)?.alerts));
      if (event !== "notification:new") return;
      const pushes = pushed as (NotificationPush | undefined)[];
      const about = pushes.find((push) => push)?.alert;
      if (about?.node === node) pushesByKind.set(about.kind, pushes);
    },
  });
  await billing.calls([organization, "2026-03-09T11:00:00Z", "60"]);
  await evaluate();
  const pushes = await eventually("the push", () => pushesByKind.get("quota"));
  const [alert] = await alertsOf(node);
  const pushedIds = await eventually("the change", () => changed.find(([first]) => first?.includes(alert?.id ?? "")));
  stop();
  expect(pushedIds.map((ids) => ids?.includes(alert?.id ?? ""))).toEqual([true, true, undefined, undefined]);
  expect(pushes.map((push) => push?.alert.node)).toEqual([node, node, undefined, undefined]);
  const bill = { node, kind: "billing", owners: tree.ancestors(node) } as const;
  expect(seesAlert(at(seller, "read"), bill, tree)).toBe(false);
  expect(seesAlert(at(seller, "read", "prices:read"), bill, tree)).toBe(true);
});

previewSpans(() => watched);

customerPreviews(() => watched);
