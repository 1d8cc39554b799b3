/** Figures against bounds: read for many nodes together, and looked back at after nothing was evaluated for a while. */
import { eq, inArray } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type FigureAsked, readFigures, windowStart } from "../../../server/alerts/read-figures.ts";
import { system } from "../../../server/audit/record-change.ts";
import { meterByName } from "../../../server/catalog/catalog.ts";
import type { CreateRule } from "../../../server/contract/rules.ts";
import { answerUsage } from "../../../server/metrics/usage.ts";
import { AccountStates } from "../../../server/overview/account-state.ts";
import { alertProgress, alerts, notifications, rules } from "../../../server/postgres/schema/alerts.ts";
import { type AlertsWorld, createAlertsWorld, seller } from "../../support/alerts-world.ts";
import { eventually } from "../../support/service.ts";
import { previews } from "./previews.ts";

let world: AlertsWorld;
beforeAll(async () => {
  world = await createAlertsWorld();
});
afterAll(() => world.close());
afterEach(() => world.removeRules());

const ms = (time: string) => Date.parse(`2026-03-${time}Z`);
const posts = (organization: string, count: number, time: string, visibility = "public") =>
  Array.from({ length: count }, () => {
    return { type: "chat.posted", organization, time: `2026-03-${time}Z`, properties: { visibility } };
  });

test("figures read for many organizations together are those that each has alone", async () => {
  const made = [];
  for (let index = 0; index < 5; index++) made.push(await world.newOrganization(index % 2 ? "100" : undefined));
  await world.billing.send(
    made.flatMap(({ organization }, index) => [
      ...posts(organization, index + 1, "10T11:14:59.999"),
      ...posts(organization, 2 * index, "10T11:15:00.000", "private"),
      ...posts(organization, index, "10T12:06:40.000"),
      ...posts(organization, 3, "10T12:07:29.999"),
      ...posts(organization, 7, "10T12:07:30.000"),
      ...posts(organization, index, "02T00:00:00.000"),
      ...[0, 20, 45].flatMap((second) => {
        const one = { organization, session: `s${second}`, user: `u${index % 3}`, interval: `i${second}` };
        const at = (minute: number) => new Date(ms("10T11:07:00") + minute * 60_000 + (second + index) * 1_000);
        return [
          { ...one, type: "participant.joined", time: at(0).toISOString() },
          ...(second === 45 ? [] : [{ ...one, type: "participant.left", time: at(60).toISOString() }]),
        ];
      }),
      { type: "call.completed", organization, time: "2026-03-10T11:59:00Z", value: `${index}.000000001` },
    ]),
  );
  const { deps } = world.billing.world;
  const atMs = ms("10T12:07:30");
  const source = { ...deps, meterOf: meterByName, watermark: () => new Date(atMs + 60_000) };
  const state = await new AccountStates(deps.postgres).read();
  const nodes = made.map(({ node }) => node);
  const meters = [
    "chat_posts",
    "call_minutes",
    "participation_minutes",
    "max_concurrent_participants",
    "live_participants",
    "sessions",
    "active_participants",
    "max_participants_per_session",
    "transcription_accuracy",
  ];
  const every = meters.flatMap((name) => meterByName(name) ?? []);
  const visible = { visibility: "private" };
  const filters = [{ dimension: "visibility", operator: "in" as const, values: ["private"] }];
  for (const window of ["5m", "cycle"] as const) {
    const everBefore = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY, anchor: 1, tz: "UTC" };
    const fromMs = windowStart(window, () => [everBefore], atMs);
    const asked = (meter: string, filter?: FigureAsked["filter"]) =>
      readFigures(source, state, { meter, window, filter }, nodes, atMs);
    const together = await Promise.all([...meters.map((meter) => asked(meter)), asked("chat_posts", visible)]);
    for (const node of nodes) {
      const question = { node, fromMs, toMs: atMs, window: "total" as const, tz: "UTC", anchor: 1 };
      const rest = { fill: "zero" as const, groupBy: undefined };
      const alone = (of: typeof every, narrowed: typeof filters) =>
        answerUsage(deps.clickhouse, { ...question, ...rest, meters: of, filters: narrowed }, new Date(atMs), atMs);
      const answers = [await alone(every, []), await alone(every.slice(0, 1), filters)];
      const totals = answers.flatMap((answer) =>
        answer.meters.map(({ total }) => (total === null ? null : String(total))),
      );
      expect([window, node, ...together.map((found) => found.get(node)?.figure)]).toEqual([window, node, ...totals]);
    }
  }
});

/** A rule that was there all the while, with nothing evaluated since then. */
async function oldRule(
  rule: Partial<CreateRule> & Pick<CreateRule, "condition">,
  evaluatedUntil: string,
): Promise<string> {
  const { db } = world.billing.world.deps.postgres;
  const id = await world.newRule(rule);
  await db
    .update(rules)
    .set({ inForceSince: new Date("2026-01-01T00:00:00Z") })
    .where(eq(rules.id, id));
  await stopped(evaluatedUntil);
  return id;
}
const stopped = (time: string) =>
  world.billing.world.deps.postgres.db.update(alertProgress).set({ evaluatedUntil: new Date(ms(time)) });
const episodes = async (rule: string) => {
  const { db } = world.billing.world.deps.postgres;
  const rows = await db.select().from(alerts).where(eq(alerts.ruleId, rule)).orderBy(alerts.at);
  return rows.map((row) => [row.state, row.at.toISOString().slice(8, 19), row.resolvedAt?.toISOString().slice(8, 19)]);
};

test("what crossed its bound and came back while nothing was evaluated is sent once, with its instants, however often it is looked for", async () => {
  const { organization, node } = await world.newOrganization();
  const quiet = await world.newOrganization();
  const condition = { kind: "threshold", meter: "chat_posts", window: "5m", above: "5" } as const;
  const rule = await oldRule({ node: seller, scope: "organizations", condition }, "12T08:00:00");
  await world.billing.send([
    ...posts(organization, 6, "12T08:30:00.000"),
    ...posts(organization, 6, "12T09:30:00.500"),
    ...posts(organization, 9, "12T09:59:00.000"),
    ...posts(quiet.organization, 5, "12T09:00:00.000"),
  ]);
  await world.evaluate(ms("12T10:00:00"));
  const expected = [
    ["resolved", "12T08:30:05", "12T08:35:05"],
    ["resolved", "12T09:30:05", "12T09:35:05"],
    ["firing", "12T09:59:05", undefined],
  ];
  const sent = [...Array(3).fill("alert.firing 5"), ...Array(2).fill("alert.resolved 5")];
  expect(await episodes(rule)).toEqual(expected);
  expect((await world.notificationsOf(node, rule)).sort()).toEqual(sent);
  expect(await world.alertsOf(quiet.node)).toEqual([]);
  await stopped("12T08:00:00");
  await world.evaluate(ms("12T10:00:10"));
  expect(await episodes(rule)).toEqual(expected);
  expect((await world.notificationsOf(node, rule)).sort()).toEqual(sent);
});

test("what is kept of alerts is what evaluating all that is stored anew comes to", async () => {
  const { organization, node } = await world.newOrganization();
  const condition = { kind: "threshold", meter: "chat_posts", window: "5m", above: "5", for_minutes: 2 } as const;
  const rule = await oldRule({ node, condition }, "16T08:00:00");
  await world.billing.send([
    ...posts(organization, 6, "16T08:30:00.000"),
    ...posts(organization, 6, "16T08:58:30.000"),
    ...posts(organization, 6, "16T09:40:00.000"),
  ]);
  for (const time of ["16T08:45:00", "16T09:00:00", "16T09:41:00"]) await world.evaluate(ms(time));
  await world.evaluate(ms("16T10:00:00"));
  const { db } = world.billing.world.deps.postgres;
  const kept = async () => {
    const rows = await db.select().from(alerts).where(eq(alerts.ruleId, rule)).orderBy(alerts.at);
    return rows.map(({ state, at, firedAt, resolvedAt, limit }) => ({ state, at, firedAt, resolvedAt, limit }));
  };
  const before = await kept();
  expect(before.map(({ state }) => state)).toEqual(["resolved", "resolved", "resolved"]);
  const ids = db.select({ id: alerts.id }).from(alerts).where(eq(alerts.ruleId, rule));
  await db.delete(notifications).where(inArray(notifications.alertId, ids));
  await db.delete(alerts).where(eq(alerts.ruleId, rule));
  await stopped("16T08:00:00");
  await world.evaluate(ms("16T10:00:01"));
  const rebuilt = await kept();
  expect(rebuilt.map(({ state, limit }) => [state, limit])).toEqual(before.map(({ state, limit }) => [state, limit]));
  // Evaluated by the clock, an instant is that of the evaluation; looked back at, that of the figure.
  for (const [place, { at, firedAt, resolvedAt }] of rebuilt.entries())
    for (const [found, expected] of [
      [at, before[place]?.at],
      [firedAt, before[place]?.firedAt],
      [resolvedAt, before[place]?.resolvedAt],
    ])
      expect(Math.abs((found?.getTime() ?? 0) - (expected?.getTime() ?? 0))).toBeLessThanOrEqual(180_000);
});

test.each([
  ["a day that ended", { meter: "chat_posts", window: "day", above: "5" }, ["13T23:55:00", "14T00:01:00"]],
  ["a peak", { meter: "max_concurrent_participants", window: "1m", above: "1" }, ["13T22:10:01", "13T22:13:01"]],
  ["people live", { meter: "live_participants", window: "1m", above: "1" }, ["13T22:10:01", "13T22:12:01"]],
  ["distinct people", { meter: "active_participants", window: "5m", above: "1" }, ["13T22:10:00", "13T22:17:30"]],
  ["too little", { meter: "chat_posts", window: "1h", below: "1" }, ["13T22:55:01", "13T23:54:31"]],
] as const)("%s is looked back at", async (_name, bound, [from, to]) => {
  const { organization, node } = await world.newOrganization();
  const evaluatedUntil = bound.meter === "chat_posts" && bound.window === "1h" ? "13T22:30:00" : "13T22:00:00";
  const rule = await oldRule({ node, condition: { kind: "threshold", ...bound } }, evaluatedUntil);
  const one = { organization, session: "s", time: "" };
  await world.billing.send([
    ...posts(organization, 6, "13T23:54:30.000"),
    ...posts(organization, 1, "13T21:55:00.500"),
    ...["u1", "u2"].flatMap((user) => [
      { ...one, user, type: "participant.joined", time: "2026-03-13T22:10:00Z" },
      { ...one, user, type: "participant.left", time: "2026-03-13T22:12:00Z" },
    ]),
  ]);
  await world.evaluate(ms(to < "13T23" ? "13T22:40:00" : "14T00:30:00"));
  const [first, ...others] = await episodes(rule);
  expect(others).toEqual([]);
  const within = (found: string | undefined, expected: string) =>
    Math.abs(ms(found ?? "01T00:00:00") - ms(expected)) <= 90_000;
  expect(first?.[0]).toBe("resolved");
  expect(within(first?.[1], from), `began ${first?.[1]}, not ${from}`).toBe(true);
  expect(within(first?.[2], to), `ended ${first?.[2]}, not ${to}`).toBe(true);
});

describe("meters that users made", () => {
  const [mine, theirs] = [seller, "reseller:sibling-9f3c"];
  const threshold = (meter: string, above: string, rest: object = {}) =>
    ({ kind: "threshold", meter, window: "1h", above, ...rest }) as const;
  const meterAt = async (node: string, meter: string, definition: object) => {
    const { key } = await world.billing.world.makeKey(["admin"], node);
    const body = { meter, title: `Of ${node}`, ...definition };
    expect(await world.billing.world.ask("POST", "/v1/meters", { key, body })).toMatchObject({ status: 201 });
  };
  const orders = (organization: string, ...types: string[]) =>
    types.map((type) => ({ type, organization, time: "2026-03-20T08:30:00Z", properties: { region: "north" } }));

  test("each organization is evaluated by its own seller's meter, whatever others call theirs", async () => {
    const { db } = world.billing.world.deps.postgres;
    const counted = (type: string) => ({ events: { types: [type], aggregation: "count" } });
    await meterAt(mine, "orders", counted("order.made"));
    await meterAt(theirs, "orders", counted("order.kept"));
    await meterAt(mine, "order_share", { formula: "orders * 10" });
    await meterAt(theirs, "order_share", { formula: "orders * 1000" });
    const { organization, node } = await world.newOrganization();
    const other = { organization: "watched-of-sibling", node: "organization:watched-of-sibling" };
    await world.billing.world.deps.tree.ensureOrganizations([other.organization], theirs);
    const made = [];
    for (const one of [node, other.node])
      for (const meter of ["orders", "order_share"])
        made.push(await world.newRule({ node: one, condition: threshold(meter, "0") }));
    for (const one of [organization, other.organization])
      await world.billing.send(orders(one, "order.made", "order.made", "order.made", "order.kept"));
    await world.evaluate(ms("20T09:00:00"));
    const found = await db.select().from(alerts).where(inArray(alerts.ruleId, made));
    const byRule = new Map(
      found.map(({ ruleId, value, explanation }) => [ruleId, [value, explanation.split(": ")[0]]]),
    );
    expect(made.map((rule) => byRule.get(rule))).toEqual([
      ["3", `Of ${mine}`],
      ["30", `Of ${mine}`],
      ["1", `Of ${theirs}`],
      ["1000", `Of ${theirs}`],
    ]);
  });

  test("a rule whose filter its meter knows no more has no figure, and other rules still notify", async () => {
    const definition = (dimensions: string[]) => ({
      events: { types: ["order.sent"], aggregation: "count", dimensions },
    });
    await meterAt(mine, "sent_orders", definition(["region"]));
    const [narrowed, other] = [await world.newOrganization(), await world.newOrganization()];
    const filtered = threshold("sent_orders", "1", { filter: { region: "north" } });
    const rule = await world.newRule({ node: narrowed.node, condition: filtered });
    const unusual = { kind: "unusual", meter: "chat_posts", at_least: "2" } as const;
    const sent = [
      await world.newRule({ node: other.node, condition: threshold("chat_posts", "1") }),
      await world.newRule({ node: other.node, condition: unusual }),
    ];
    const { customMeters } = world.billing.world.deps;
    const [version] = customMeters.versionsOf("sent_orders", mine) ?? [];
    const { events } = version?.definition ?? {};
    if (!version || !events) throw new Error("there is no such meter");
    const without = { ...version.definition, events: { ...events, dimensions: [] } };
    await customMeters.change("sent_orders", mine, without, { by: system, check: () => undefined });
    await world.billing.send(orders(narrowed.organization, "order.sent", "order.sent"));
    const hours = ["06", "13", "20"].map((day) => `${day}T08:20:00.000`);
    await world.billing.send(hours.flatMap((time) => posts(other.organization, time < "20" ? 2 : 60, time)));
    await world.evaluate(ms("20T09:00:00"));
    expect(await world.alertsOf(narrowed.node, rule)).toEqual([]);
    for (const one of sent) expect(await world.alertsOf(other.node, one)).toMatchObject([{ state: "firing" }]);
  });

  test("a threshold that cannot be evaluated holds up nothing else, and what was evaluated is on record", async () => {
    const { customMeters, postgres } = world.billing.world.deps;
    const [broken, other] = [await world.newOrganization(), await world.newOrganization()];
    await world.newRule({ node: broken.node, condition: threshold("call_minutes", "1") });
    const unusual = { kind: "unusual", meter: "chat_posts", at_least: "2" } as const;
    const rule = await world.newRule({ node: other.node, condition: unusual });
    const hours = ["07", "14", "21"].map((day) => `${day}T08:20:00.000`);
    await world.billing.send(hours.flatMap((time) => posts(other.organization, time < "21" ? 2 : 60, time)));
    const find = customMeters.find.bind(customMeters);
    const failing = vi.spyOn(customMeters, "find").mockImplementation((name, ...rest) => {
      if (name === "call_minutes" && rest[0] === broken.node) throw new Error("it cannot be read");
      return find(name, ...rest);
    });
    world.nowMs = ms("21T09:00:00");
    const evaluator = world.newEvaluator();
    const failures: string[] = [];
    await eventually("the alert of another rule", async () => {
      await evaluator.run().catch((error: unknown) => failures.push(String(error)));
      return (await world.alertsOf(other.node, rule))[0];
    });
    failing.mockRestore();
    expect(failures[0]).toBe("Error: it cannot be read");
    const [progress] = await postgres.db.select().from(alertProgress);
    expect(progress?.sweptAt.getTime()).toBe(ms("21T09:00:00"));
  });
});

previews(() => world);
