/** The contract of alerts, sentence by sentence, on real stores. */
import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readBacklogShare } from "../../../server/cluster/backlog-share.ts";
import { claimAlone } from "../../../server/cluster/claim-stores.ts";
import { createJobNotes, readFailedJobs } from "../../../server/jobs/failed-jobs.ts";
import { alerts } from "../../../server/postgres/schema/alerts.ts";
import { deliveries } from "../../../server/postgres/schema/delivery.ts";
import { ingestNodes, ingestStores } from "../../../server/postgres/schema/ingest-nodes.ts";
import { reconciliations } from "../../../server/postgres/schema/reconciliation.ts";
import { type AlertsWorld, createAlertsWorld, dayMs, hourMs, seller } from "../../support/alerts-world.ts";
import { customersAndLists } from "./customers-and-lists.ts";
import { randomHistories } from "./random-histories.ts";
import { above, postChats } from "./usage-of-alerts.ts";

let world: AlertsWorld;
const usualMs = Date.parse("2026-03-10T12:00:00Z");
beforeAll(async () => {
  world = await createAlertsWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  world.nowMs = usualMs;
});
afterEach(() => world.removeRules());

const posts = (organization: string, count: number, time: string) => postChats(world, organization, count, time);
const states = async (node: string, rule?: string) =>
  (await world.alertsOf(node, rule)).map(({ threshold, state }) => `${threshold} ${state}`);

describe("where a rule holds", () => {
  test("a template holds for an organization that is made after it", async () => {
    const rule = await world.newRule({ node: seller, scope: "organizations", condition: above("2") });
    await world.evaluate();
    const { organization, node } = await world.newOrganization();
    await posts(organization, 3, "2026-03-10T11:30:00Z");
    await world.evaluate();
    expect(await states(node, rule)).toEqual(["2 firing"]);
  });

  test("of two rules that take the same place the nearest holds alone, switched off too", async () => {
    const { organization, node } = await world.newOrganization();
    const template = await world.newRule({ node: "all", scope: "organizations", condition: above("1") });
    const nearer = { scope: "organizations", replaces: template } as const;
    await world.newRule({ ...nearer, node: seller, condition: above("1") });
    const nearest = await world.newRule({ ...nearer, node, condition: above("1") });
    await posts(organization, 2, "2026-03-10T11:30:00Z");
    await world.evaluate();
    expect((await world.alertsOf(node)).map(({ rule }) => rule)).toEqual([nearest]);
    expect((await world.ask("PATCH", `/v1/rules/${nearest}`, { enabled: false })).status).toBe(200);
    await world.evaluate();
    expect((await world.alertsOf(node)).map(({ rule, state }) => [rule, state])).toEqual([[nearest, "resolved"]]);
  });
});

describe("notifications of one alert", () => {
  test("reminders come after its hours while it fires, not once it is acknowledged, and one message when it resolves", async () => {
    const { organization, node } = await world.newOrganization();
    const rule = await world.newRule({ node, repeat_hours: 2, condition: above("2", { window: "day" }) });
    await posts(organization, 3, "2026-03-10T11:30:00Z");
    for (const hours of [0, 1, 2, 3, 4]) await world.evaluate(usualMs + hours * hourMs);
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 2", "alert.reminder 2", "alert.reminder 2"]);
    const [alert] = await world.alertsOf(node, rule);
    const acknowledged = await world.ask("POST", `/v1/alerts/${alert?.id}/acknowledge`);
    expect(acknowledged.body.acknowledged).toMatchObject({ by: expect.any(String), at: expect.any(String) });
    await world.evaluate(usualMs + 8 * hourMs);
    expect(await world.notificationsOf(node, rule)).toHaveLength(3);
    await world.evaluate("2026-03-11T00:00:01Z");
    expect((await world.notificationsOf(node, rule)).at(-1)).toBe("alert.resolved 2");
    const [resolved] = await world.alertsOf(node, rule);
    expect(resolved?.explanation).toMatch(/^Chat posts: 0 .* It was firing for 12 h 0 min\.$/);
  });

  test("a quota has no reminders: it notifies once in its cycle", async () => {
    const { organization, node } = await world.newOrganization("100");
    const rule = await world.newRule({ node, repeat_hours: 1, condition: { kind: "quota", thresholds: [10] } });
    await world.billing.calls([organization, "2026-03-10T11:00:00Z", "20"]);
    for (const hours of [0, 5, 48]) await world.evaluate(usualMs + hours * hourMs);
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 10"]);
  });

  test("nothing is sent while it is snoozed, and what still holds afterwards is sent then", async () => {
    const { organization, node } = await world.newOrganization();
    const rule = await world.newRule({ node, repeat_hours: 1, condition: above("2", { window: "day" }) });
    await posts(organization, 3, "2026-03-10T10:30:00Z");
    await world.evaluate();
    const [alert] = await world.alertsOf(node, rule);
    const until = "2026-03-10T16:00:00.000Z";
    // The route goes by the clock of the machine.
    await world.billing.world.deps.postgres.db
      .update(alerts)
      .set({ snoozedUntil: new Date(until) })
      .where(eq(alerts.id, alert?.id ?? ""));
    for (const hours of [1, 2, 3]) await world.evaluate(usualMs + hours * hourMs);
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 2"]);
    await world.evaluate(until);
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 2", "alert.reminder 2"]);
  });

  test("a snooze ends in the future, at most a year ahead", async () => {
    const { organization, node } = await world.newOrganization();
    const rule = await world.newRule({ node, condition: above("2") });
    await posts(organization, 3, "2026-03-10T11:30:00Z");
    await world.evaluate();
    const [alert] = await world.alertsOf(node, rule);
    const snooze = (until: string) => world.ask("POST", `/v1/alerts/${alert?.id}/snooze`, { until });
    const [past, far] = ["2020-01-01T00:00:00Z", new Date(Date.now() + 400 * dayMs).toISOString()];
    for (const until of [past, far, "soon"])
      expect(await snooze(until)).toMatchObject({ status: 400, body: { field: "until" } });
    const until = new Date(Date.now() + hourMs).toISOString();
    expect((await snooze(until)).body.snoozed_until).toBe(until);
  });

  test("a lower threshold stands for itself once the higher one that notified for it has resolved", async () => {
    const { organization, node, subscription } = await world.newOrganization("100");
    const rule = await world.newRule({ node, condition: { kind: "quota", thresholds: [50, 75] } });
    await world.billing.calls([organization, "2026-03-09T11:00:00Z", "80"]);
    await world.evaluate();
    expect(await states(node, rule)).toEqual(["75 firing"]);
    const features = [{ key: "calls", meter: "call_minutes", included: "130", overage: "notify" }];
    const larger = await world.billing.plan("all", { currency: "EUR", features });
    await world.billing.changePlan(subscription, larger, "2026-03-02T00:00:00Z");
    await world.evaluate();
    expect((await states(node, rule)).sort()).toEqual(["50 firing", "75 resolved"]);
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 75", "alert.resolved 75"]);
    const [, resolved] = (await world.alertsOf(node, rule)).sort((a, b) => Number(a.threshold) - Number(b.threshold));
    expect(resolved?.explanation).toMatch(
      /^Call minutes: 80 of 129.03 minutes used, 62% of the limit; alert at 75%. It was firing for less than 1 min\.$/,
    );
  });

  test("what a changed rule no longer asks ends without a message, and what it still asks is not sent again", async () => {
    const { organization, node } = await world.newOrganization("100");
    const rule = await world.newRule({ node, condition: { kind: "quota", thresholds: [50, 60] } });
    await world.billing.calls([organization, "2026-03-09T11:00:00Z", "55"]);
    await world.evaluate();
    await world.billing.calls([organization, "2026-03-09T12:00:00Z", "10"]);
    await world.evaluate();
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 50", "alert.firing 60"]);
    const changed = { condition: { kind: "quota", thresholds: [50, 65] } };
    expect((await world.ask("PATCH", `/v1/rules/${rule}`, changed)).status).toBe(200);
    await world.evaluate();
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 50", "alert.firing 60", "alert.firing 65"]);
    expect((await states(node, rule)).sort()).toEqual(["50 firing", "60 resolved", "65 firing"]);
  });

  test("what fired under the old bound fires again under the new one", async () => {
    const { organization, node } = await world.newOrganization();
    const rule = await world.newRule({ node, condition: above("2") });
    await posts(organization, 5, "2026-03-10T11:30:00Z");
    await world.evaluate();
    await world.ask("PATCH", `/v1/rules/${rule}`, { condition: above("4") });
    await world.evaluate();
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 2", "alert.firing 4"]);
    await world.ask("PATCH", `/v1/rules/${rule}`, { condition: above("40") });
    await world.evaluate();
    expect(await world.notificationsOf(node, rule)).toHaveLength(2);
    expect((await states(node, rule)).sort()).toEqual(["2 resolved", "4 resolved"]);
  });
});

describe("by what each kind is evaluated", () => {
  test("a quota by where its cycle will end, before it is used", async () => {
    const { organization, node } = await world.newOrganization("100");
    const rule = await world.newRule({ node, condition: { kind: "quota", thresholds: [100], on: "projected" } });
    const used: [string, string, string][] = [];
    for (let day = 1; day < 10; day++) used.push([organization, `2026-03-0${day}T11:00:00Z`, "6"]);
    await world.billing.calls(...used);
    await world.evaluate();
    const [alert] = await world.alertsOf(node, rule);
    expect(alert).toMatchObject({ state: "firing", threshold: 100, limit: "100" });
    expect(Number(alert?.value)).toBeGreaterThan(100);
    expect(alert?.explanation).toMatch(/^Call minutes: .* projected by the end of the cycle/);
  });

  test("what is used already counts for where the cycle will end, however early it is", async () => {
    const { organization, node } = await world.newOrganization("100");
    const rule = await world.newRule({ node, condition: { kind: "quota", thresholds: [50, 100], on: "projected" } });
    await world.billing.calls([organization, "2026-03-01T01:00:00Z", "70"]);
    await world.evaluate("2026-03-01T02:00:00Z");
    expect(await states(node, rule)).toEqual(["50 firing"]);
  });

  test.each([
    ["day", "2026-03-10T00:30:00Z", "2026-03-09T23:30:00Z", "2026-03-11T00:00:00Z"],
    ["cycle", "2026-03-01T00:30:00Z", "2026-02-28T23:30:00Z", "2026-04-01T00:00:00Z"],
  ] as const)("a figure over the %s that runs", async (window, within, before, after) => {
    const { organization, node } = await world.newOrganization("1000");
    const rule = await world.newRule({ node, condition: above("2", { window }) });
    await posts(organization, 2, before);
    await posts(organization, 2, within);
    await world.evaluate();
    expect(await states(node, rule)).toEqual([]);
    await posts(organization, 1, within);
    await world.evaluate();
    expect(await states(node, rule)).toEqual(["2 firing"]);
    await world.evaluate(after);
    expect(await states(node, rule)).toEqual(["2 resolved"]);
  });

  test("a figure below its bound, until it is back where it resolves", async () => {
    const { organization, node } = await world.newOrganization();
    const condition = { kind: "threshold", meter: "chat_posts", window: "1h", below: "2", resolve_at: "4" } as const;
    const rule = await world.newRule({ node, condition });
    await posts(organization, 3, "2026-03-10T13:30:00Z");
    await posts(organization, 2, "2026-03-10T13:45:00Z");
    const seen: string[][] = [];
    for (const at of ["2026-03-10T13:00:00Z", "2026-03-10T13:40:00Z", "2026-03-10T13:50:00Z"]) {
      await world.evaluate(at);
      seen.push(await states(node, rule));
    }
    expect(seen).toEqual([["2 firing"], ["2 firing"], ["2 resolved"]]);
  });

  test("only what passes the filter counts", async () => {
    const { organization, node } = await world.newOrganization();
    const rule = await world.newRule({ node, condition: above("1", { filter: { visibility: "private" } }) });
    const time = "2026-03-10T11:30:00Z";
    const post = (visibility: string) => ({ type: "chat.posted", organization, time, properties: { visibility } });
    await world.billing.send([post("private"), post("public"), post("public")]);
    await world.evaluate();
    expect(await states(node, rule)).toEqual([]);
    await world.billing.send([post("private")]);
    await world.evaluate();
    expect(await states(node, rule)).toEqual(["1 firing"]);
  });

  test("little use by what the same part of the cycles before came to", async () => {
    const { organization, node } = await world.newOrganization("1000");
    const condition = {
      kind: "low_usage",
      meter: "call_minutes",
      below_percent: 50,
      of: "past",
      after_days: 5,
    } as const;
    const rule = await world.newRule({ node, condition });
    await world.billing.calls(
      [organization, "2026-01-03T11:00:00Z", "90"],
      [organization, "2026-02-03T11:00:00Z", "110"],
      [organization, "2026-02-20T11:00:00Z", "500"],
      [organization, "2026-03-03T11:00:00Z", "20"],
    );
    await world.evaluate();
    expect(await world.alertsOf(node, rule)).toMatchObject([{ state: "firing", meter: "call_minutes", value: "20" }]);
    // A new cycle begins anew, without a word about the one before.
    await world.evaluate("2026-04-02T00:00:00Z");
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 50"]);
    await world.evaluate("2026-04-08T00:00:00Z");
    expect(await world.notificationsOf(node, rule)).toEqual(["alert.firing 50", "alert.firing 50"]);
  });

  test("a key that sends no more while others of its organization do", async () => {
    const { organization, node } = await world.newOrganization();
    const rule = await world.newRule({ node, condition: { kind: "no_data", silent_minutes: 1 } });
    const { makeKey, ask, deps } = world.billing.world;
    const [old, other] = [await makeKey(["ingest"], node), await makeKey(["ingest"], node)];
    const send = async ({ key }: { key: string }) => {
      const body = [{ id: crypto.randomUUID(), type: "chat.posted", organization }];
      expect((await ask("POST", "/v1/events?ack=stored", { key, body })).status).toBe(200);
    };
    await send(old);
    // As if it had begun an hour before.
    await deps.clickhouse.command(
      `INSERT INTO usage_events SELECT * REPLACE (received_at - INTERVAL 1 HOUR AS received_at, id || '-before' AS id)
       FROM usage_events WHERE organization = {organization:String}`,
      { organization },
    );
    await world.evaluate(Date.now());
    expect(await world.alertsOf(node, rule)).toEqual([]);
    const atMs = Date.now() + 90_000;
    await world.evaluate(atMs);
    expect((await world.alertsOf(node, rule)).map(({ explanation }) => explanation.split(" arrived")[0])).toEqual([
      "The last event",
    ]);
    await deps.clickhouse.command(
      `INSERT INTO usage_events SELECT * REPLACE (received_at + INTERVAL 90 SECOND AS received_at, id || '-after' AS id, {key:String} AS key)
       FROM usage_events WHERE organization = {organization:String} AND NOT endsWith(id, '-before')`,
      { organization, key: other.id },
    );
    await world.evaluate(atMs + 1);
    const open = (await world.alertsOf(node, rule)).filter(({ state }) => state === "firing");
    expect(open.map(({ explanation }) => explanation.split(" arrived")[0])).toEqual([
      "The last event sent with the key A key",
    ]);
  });

  test("an agent that sends no more while others of its organization do", async () => {
    const { organization, node } = await world.newOrganization();
    const agent = `agent:${organization}/a1`;
    const condition = { kind: "no_data", silent_minutes: 60 } as const;
    const [ofAgent, ofAll] = [
      await world.newRule({ node: agent, condition }),
      await world.newRule({ node, condition }),
    ];
    const time = new Date().toISOString();
    await world.billing.send(["a1", "a2"].map((by) => ({ type: "chat.posted", organization, agent: by, time })));
    await world.billing.world.deps.clickhouse.command(
      `INSERT INTO usage_events SELECT * REPLACE (received_at + INTERVAL 80 MINUTE AS received_at, id || '-later' AS id)
       FROM usage_events WHERE organization = {organization:String} AND agent = 'a2'`,
      { organization },
    );
    await world.evaluate(Date.now());
    expect(await states(agent, ofAgent)).toEqual([]);
    await world.evaluate(Date.now() + 1.5 * hourMs);
    expect(await states(agent, ofAgent)).toEqual(["60 firing"]);
    expect(await states(node, ofAll)).toEqual([]);
  });

  test("which jobs failed, and how full the log of who ingests is, is known in every process", async () => {
    const { postgres, log } = world.billing.world.deps;
    const { db } = postgres;
    const [one, other] = [createJobNotes(postgres, log), createJobNotes(postgres, log)];
    await one.note("usage-compact", "failed");
    await one.note("no-such-job-any-more", "failed");
    expect(await readFailedJobs(postgres, ["usage-compact", "statements-close"])).toEqual(["usage-compact"]);
    await other.note("usage-compact", "done");
    expect(await readFailedJobs(postgres, ["usage-compact", "statements-close"])).toEqual([]);

    const process = { folder: "a folder", host: "a host", process: "a process" };
    const claim = await claimAlone(postgres, { ...process, name: "alone", lostNode: undefined }, log);
    const held = { watermark: () => new Date(), whileHeld: async () => undefined, onLost: () => undefined };
    claim.run({ ...held, backlogShare: () => 0.7 });
    await expect.poll(() => readBacklogShare(postgres), { timeout: 60_000 }).toBe(0.7);
    await claim.release(true);
    expect(await readBacklogShare(postgres)).toBeUndefined();
    const node = {
      ...process,
      url: "http://node",
      heartbeatAt: new Date(),
      watermark: new Date(),
      storedUntil: new Date(),
    };
    const numbers = { settledBatch: 1, lastNumber: 1 };
    await db.insert(ingestNodes).values([
      { ...node, ...numbers, name: "full", nodeNumber: 1, backlogShare: 0.6 },
      { ...node, ...numbers, name: "left", nodeNumber: 2, backlogShare: 0.9, leftAt: new Date() },
    ]);
    await db.update(ingestStores).set({ mode: "cluster" });
    expect(await readBacklogShare(postgres)).toBe(0.6);
    await db.delete(ingestNodes);
    await db.update(ingestStores).set({ mode: "none" });
  });

  test("each thing that the service itself does not do", async () => {
    const { postgres } = world.billing.world.deps;
    const rule = await world.newRule({ node: "all", condition: { kind: "system" } });
    const firing = async () => {
      const rows = await postgres.db.select().from(alerts).where(eq(alerts.ruleId, rule));
      return rows
        .filter(({ state }) => state === "firing")
        .map(({ subject }) => subject)
        .sort();
    };
    const calm = { ...world.service };
    await world.evaluate(Date.now());
    expect(await firing()).toEqual([]);
    Object.assign(world.service, { failedJobs: ["usage-compact"], backlogShare: 0.6 });
    await world.evaluate(Date.now());
    expect(await firing()).toEqual(["backlog", "job_failed"]);
    Object.assign(world.service, calm, { watermarkBehindMs: 61_000, isClickHouseUp: false });
    await world.evaluate(Date.now()).catch(() => undefined);
    expect(await firing()).toEqual(["ingest_lag", "store_down"]);
    Object.assign(world.service, calm);
    const bad = { id: "refused", type: "chat.posted", organization: "refused", value: "many" };
    expect((await world.ask("POST", "/v1/events?ack=stored", bad)).body.rejected).toHaveLength(1);
    const given = {
      type: "alert.firing" as const,
      node: "all" as const,
      aboutNode: "all" as const,
      kind: "webhook" as const,
      state: "given_up" as const,
      message: { subject: "", lines: [], url: "", button: "", data: null },
    };
    await postgres.db.insert(deliveries).values({ ...given, id: "dlv_unwanted" });
    await world.evaluate(Date.now());
    expect(await firing()).toEqual(["quarantine"]);
    // It was tried for a day: what counts is when it was given up.
    const createdAt = new Date(Date.now() - 25 * hourMs);
    await postgres.db.insert(deliveries).values({ ...given, id: "dlv_lost", createdAt, givenUpAt: new Date() });
    await postgres.db.insert(reconciliations).values({
      id: "rec_drift",
      at: new Date(),
      node: "all",
      path: ["all"],
      day: "2026-03-10",
      stage: "counters",
      differences: 1,
      subject: "chat_posts",
      expected: "2",
      found: "1",
      repairedAt: new Date(),
    });
    await world.evaluate(Date.now());
    expect(await firing()).toEqual(["delivery_failed", "drift", "quarantine"]);
  });
});

customersAndLists(() => world);
randomHistories(() => world);
