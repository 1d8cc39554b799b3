/** What of a plan's limits is used: /v1/period and /v1/entitlements. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EntitlementSource, Entitlements } from "../../server/billing/entitlements.ts";
import { readPeriod, remaining } from "../../server/billing/period.ts";
import { subscriptionsChannel } from "../../server/billing/subscriptions.ts";
import { meterByName } from "../../server/catalog/catalog.ts";
import { ChangedNodes } from "../../server/tree/changed-nodes.ts";
import { createWorld, type World } from "../support/isolation-world.ts";

let world: World;
let key: string;
let source: EntitlementSource;
const seller = "reseller:asked-about-9f3c";

beforeAll(async () => {
  world = await createWorld();
  key = (await world.makeKey(["ingest", "read", "admin"], seller)).key;
  source = { ...world.deps, meterOf: meterByName };
});
afterAll(() => world.close());

const features = [
  { key: "calls", meter: "call_minutes", included: 1000, overage: "block", grace_hours: 24 },
  { key: "people", meter: "max_concurrent_participants", included: 4, overage: "notify" },
  { key: "mail", meter: "emails", included: null },
  { key: "sso" },
  { key: "chat", enabled: false, meter: "chat_posts", included: 5 },
];

async function plan(change: object = {}): Promise<string> {
  const body = { name: "Plan", currency: "EUR", features, ...change };
  const { id } = (await world.ask("POST", "/v1/plans", { key, body })).body;
  await world.ask("POST", `/v1/plans/${id}/publish`, { key });
  return id;
}

/** Resolves when whoever was made before hears of changes: until then it takes what it read for outdated. */
const heard = () =>
  world.deps.postgres.notices.subscribe(subscriptionsChannel, {
    notified: () => undefined,
    listening: () => undefined,
  });

let made = 0;
async function subscribed(body: object): Promise<{ organization: string; node: string; id: string }> {
  made++;
  const organization = `quota-${made}`;
  await world.deps.tree.ensureOrganizations([organization], seller);
  const node = `organization:${organization}`;
  const answer = await world.ask("POST", "/v1/subscriptions", { key, body: { node, ...body } });
  expect(answer.status).toBe(201);
  return { organization, node, id: answer.body.id };
}

async function send(events: object[]): Promise<void> {
  const body = events.map((event, index) => ({ id: `q${made}-${index}-${JSON.stringify(event).length}`, ...event }));
  const { status, body: verdict } = await world.ask("POST", "/v1/events?ack=stored", { key, body });
  expect([status, verdict.accepted]).toEqual([200, events.length]);
}

const call = (organization: string, time: string, value: string) => ({
  type: "call.completed",
  organization,
  time,
  value,
  id: `${organization} ${time}`,
});
const quotaOf = (period: Awaited<ReturnType<typeof readPeriod>>, feature: string) => {
  const found = period.quotas.find((one) => one.feature === feature);
  if (!found) throw new Error(`no quota ${feature}`);
  return found;
};

test("a cycle from the 31st in a zone has used, limit, status, projection, and the days and hours that remain", async () => {
  const tz = "Europe/Berlin";
  const { organization, node } = await subscribed({ plan: await plan(), starts_at: "2026-01-31T10:00:00Z", tz });
  // The cycle of 28 February to 31 March; in Berlin it begins an hour before that day of UTC, and clocks change in it.
  await send([
    call(organization, "2026-02-27T22:59:59Z", "77"),
    call(organization, "2026-02-27T23:00:00Z", "300.5"),
    call(organization, "2026-03-05T12:00:00Z", "199.5"),
    call(organization, "2026-03-30T22:00:00Z", "55"),
    ...["a", "b"].map((user) => ({
      type: "participant.joined",
      organization,
      session: "s",
      user,
      time: "2026-03-04T10:00:00Z",
    })),
    ...["a", "b"].map((user) => ({
      type: "participant.left",
      organization,
      session: "s",
      user,
      time: "2026-03-04T10:30:00Z",
    })),
  ]);
  const period = await readPeriod(source, node, 2, Date.parse("2026-03-15T11:00:00Z"));
  expect(period).toMatchObject({
    start: "2026-02-28T00:00:00+01:00",
    end: "2026-03-31T00:00:00+02:00",
    anchor: 31,
    tz,
  });
  expect([period.days_remaining, period.hours_remaining]).toEqual([15, 12]);
  expect(quotaOf(period, "calls")).toMatchObject({ used: "500", limit: "1000", percent: "50.00", status: "moderate" });
  expect(quotaOf(period, "calls").thresholds.filter(({ reached }) => reached)).toEqual([
    { percent: 50, reached: true },
  ]);
  // 15.5 of 30 days and 23 hours are over.
  expect(Number(quotaOf(period, "calls").projected?.value)).toBeCloseTo((500 * 743) / 372, 1);
  expect(quotaOf(period, "calls").hit_at).toBeNull();
  const earlier = await readPeriod(source, node, 0, Date.parse("2026-03-09T23:00:00Z"));
  expect(quotaOf(earlier, "calls").hit_at).toBe("2026-03-20T00:00:00+01:00");
  expect(quotaOf(period, "people")).toMatchObject({
    used: "2",
    limit: "4",
    status: "moderate",
    at: "2026-03-04T11:00:00+01:00",
    projected: null,
  });
  expect(quotaOf(period, "mail")).toMatchObject({ limit: null, percent: null, status: null });
  expect(period.past.map(({ start, quotas }) => [start, quotas[0]?.used])).toEqual([
    ["2026-01-31T00:00:00+01:00", "77"],
  ]);
  const answered = await world.ask("GET", `/v1/period?node=${node}&cycles=1`, { key });
  expect([answered.status, answered.body.past.length]).toEqual([200, 1]);
});

test("a change in the middle of a cycle gives each plan its part of a summed limit; a peak has the limit in force", async () => {
  const small = await plan();
  const large = await plan({
    features: [
      { ...features[0], included: 3000 },
      { ...features[1], included: 10 },
    ],
  });
  const { node, id } = await subscribed({ plan: small, starts_at: "2026-04-01T00:00:00Z" });
  const { subscriptionPlans } = await import("../../server/postgres/schema/plans.ts");
  await world.deps.postgres.db
    .insert(subscriptionPlans)
    .values({ subscriptionId: id, planId: large, version: 1, validFrom: new Date("2026-04-11T00:00:00Z") });
  const period = await readPeriod(source, node, 0, Date.parse("2026-04-20T00:00:00Z"));
  expect(period.plans.map((one) => [one.plan, one.from, one.to])).toEqual([
    [small, "2026-04-01T00:00:00Z", "2026-04-11T00:00:00Z"],
    [large, "2026-04-11T00:00:00Z", "2026-05-01T00:00:00Z"],
  ]);
  expect(quotaOf(period, "calls").limit).toBe(String(1000 / 3 + 2000).slice(0, 11));
  expect(quotaOf(period, "people").limit).toBe("10");
});

test("an entitlement is refused at the limit, after the hours of grace, and says why", async () => {
  const { organization, node } = await subscribed({ plan: await plan(), starts_at: "2026-05-01T00:00:00Z" });
  await send([call(organization, "2026-05-03T10:00:00Z", "999"), call(organization, "2026-05-04T10:30:20Z", "1")]);
  const at = async (time: string, feature = "calls") =>
    await new Entitlements({ ...source, now: () => Date.parse(time) }).ask(node, feature);
  expect(await at("2026-05-04T10:30:00Z")).toMatchObject({
    allowed: true,
    reason: "within_limit",
    used: "999",
    status: "over",
  });
  expect(await at("2026-05-04T12:00:00Z")).toMatchObject({
    allowed: true,
    reason: "in_grace",
    used: "1000",
    grace_until: "2026-05-05T10:30:20Z",
  });
  expect(await at("2026-05-05T10:30:19.999Z")).toMatchObject({ allowed: true, reason: "in_grace" });
  expect(await at("2026-05-05T10:30:20Z")).toMatchObject({ allowed: false, reason: "limit_reached" });
  expect(await at("2026-06-01T00:00:00Z")).toMatchObject({ allowed: true, reason: "within_limit", used: "0" });
  expect(await at("2026-05-05T10:31:00Z", "sso")).toMatchObject({ allowed: true, reason: "unlimited" });
  expect(await at("2026-05-05T10:31:00Z", "chat")).toMatchObject({ allowed: false, reason: "not_in_plan" });
  expect(await at("2026-04-05T10:31:00Z")).toMatchObject({ allowed: false, reason: "no_subscription" });
  await world.ask("PATCH", `/v1/nodes/${node}`, { key, body: { status: "suspended" } });
  expect(await at("2026-05-02T00:00:00Z")).toMatchObject({ allowed: false, reason: "suspended" });
});

test("while usage cannot be read, what is blocked at its limit is refused once what is known is too old", async () => {
  const { node } = await subscribed({ plan: await plan(), starts_at: "2026-05-01T00:00:00Z" });
  let nowMs = Date.parse("2026-05-10T00:00:00Z");
  let isDown = false;
  const watermark = () => {
    if (isDown) throw new Error("down");
    return new Date(nowMs);
  };
  const entitlements = new Entitlements({ ...source, watermark, now: () => nowMs });
  expect((await entitlements.ask(node, "calls")).reason).toBe("within_limit");
  isDown = true;
  nowMs += 20_000;
  expect((await entitlements.ask(node, "calls")).reason).toBe("within_limit");
  nowMs += 20_000;
  expect(await entitlements.ask(node, "calls")).toMatchObject({ allowed: false, reason: "usage_unknown" });
  expect(await entitlements.ask(node, "people")).toMatchObject({ allowed: true, reason: "within_limit" });
  isDown = false;
  expect((await entitlements.ask(node, "calls")).reason).toBe("within_limit");
});

test("however many ask about a node while it changes, it is read once at a time, and for each of them after the change", async () => {
  const { organization, node } = await subscribed({ plan: await plan(), starts_at: "2026-05-01T00:00:00Z" });
  const one = source.clickhouse;
  let asked = 0;
  let held: Promise<void> = Promise.resolve();
  let release: () => void = () => undefined;
  const clickhouse = {
    ...one,
    select: async (...statement: Parameters<typeof one.select>) => {
      asked++;
      await held;
      return await one.select(...statement);
    },
  };
  const changedNodes = new ChangedNodes();
  const now = () => Date.parse("2026-05-10T00:00:00Z");
  const entitlements = new Entitlements({ ...source, changedNodes, clickhouse, now });
  await heard();
  const askMany = () => Array.from({ length: 20 }, async () => (await entitlements.ask(node, "calls")).used);
  await entitlements.ask(node, "calls");
  const ofOne = asked;
  expect(await Promise.all(askMany())).toEqual(Array(20).fill("0"));
  expect(asked).toBe(ofOne);
  held = new Promise((resolve) => {
    release = resolve;
  });
  changedNodes.announce([node]);
  const early = askMany();
  await expect.poll(() => asked).toBeGreaterThan(ofOne);
  await send([call(organization, "2026-05-03T10:00:00Z", "7")]);
  changedNodes.announce([node]);
  const late = askMany();
  release();
  await Promise.all(early);
  expect(await Promise.all(late)).toEqual(Array(20).fill("7"));
  expect(asked).toBe(3 * ofOne);
});

test("however many nodes of a tenant are asked about, usage is read for few at once behind the answers", async () => {
  const one = source.clickhouse;
  const terms = { plan: await plan({ features: [features[0]] }), starts_at: "2026-05-01T00:00:00Z" };
  const nodes: string[] = [];
  for (let n = 0; n < 12; n++) nodes.push((await subscribed(terms)).node);
  let nowMs = Date.parse("2026-05-10T00:00:00Z");
  let running = 0;
  let held: Promise<void> = Promise.resolve();
  let release: () => void = () => undefined;
  const clickhouse = {
    ...one,
    select: async (...asked: Parameters<typeof one.select>) => {
      running++;
      await held;
      return await one.select(...asked).finally(() => running--);
    },
  };
  const entitlements = new Entitlements({ ...source, clickhouse, now: () => nowMs });
  await heard();
  for (const node of nodes) await entitlements.ask(node, "calls");
  nowMs += 5_000;
  held = new Promise((resolve) => {
    release = resolve;
  });
  const [first = "", ...others] = nodes;
  await entitlements.ask(first, "calls");
  await expect.poll(() => running).toBeGreaterThan(0);
  const ofOne = running;
  for (const node of others) expect((await entitlements.ask(node, "calls")).reason).toBe("within_limit");
  await expect.poll(() => running).toBe(4 * ofOne);
  await world.ask("GET", "/readyz");
  expect(running).toBe(4 * ofOne);
  release();
  await expect.poll(() => running).toBe(0);
});

test("an entitlement that was asked for before is answered within 20 ms at the 99th percentile", async () => {
  const { node } = await subscribed({ plan: await plan(), starts_at: "2026-05-01T00:00:00Z" });
  const entitlements = new Entitlements(source);
  await entitlements.ask(node, "calls");
  const slowOnes: number[] = [];
  // A busy neighbour on the machine may hold up one round, and not each of them.
  for (let round = 0; round < 5 && slowOnes.every((ms) => ms >= 20); round++) {
    const times: number[] = [];
    for (let index = 0; index < 1_000; index++) {
      const startedAt = performance.now();
      await entitlements.ask(node, "calls");
      times.push(performance.now() - startedAt);
    }
    slowOnes.push(times.sort((a, b) => a - b)[989] ?? Number.POSITIVE_INFINITY);
  }
  expect(Math.min(...slowOnes)).toBeLessThan(20);
});

test.each([
  ["2026-03-28T12:00:00+01:00", "2026-03-31T00:00:00+02:00", [2, 12]],
  ["2026-03-28T23:30:00+01:00", "2026-03-30T00:00:00+02:00", [1, 0]],
  ["2026-10-24T12:00:00+02:00", "2026-10-25T12:00:00+01:00", [1, 0]],
  ["2026-10-24T12:00:00+02:00", "2026-10-25T11:00:00+01:00", [0, 24]],
  ["2026-03-30T23:59:59+02:00", "2026-03-31T00:00:00+02:00", [0, 0]],
])("from %s until %s there remain %j days and hours", (now, end, expected) => {
  const found = remaining(Date.parse(now), Date.parse(end), "Europe/Berlin");
  expect([found.days_remaining, found.hours_remaining]).toEqual(expected);
});

test("the cost of a cycle is listed line by line, at the levels that the caller may see", async () => {
  const prices = {
    organization: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.10" }] },
    reseller: { model: "package", size: 100, price: "4" },
    partner: { model: "volume", tiers: [{ up_to: null, unit_price: "0.01" }] },
  };
  const partner = (await world.makeKey(["read", "admin"], "partner:above-9f3c")).key;
  const body = {
    name: "Billed",
    currency: "EUR",
    node: "partner:above-9f3c",
    offered: true,
    fixed_fee: { organization: "20", reseller: "10" },
    features: [{ key: "calls", meter: "call_minutes", included: 100, overage: "bill", prices }],
  };
  const { id } = (await world.ask("POST", "/v1/plans", { key: partner, body })).body;
  await world.ask("POST", `/v1/plans/${id}/publish`, { key: partner });
  const { organization, node } = await subscribed({ plan: id, starts_at: "2026-06-01T00:00:00Z" });
  const time = new Date(Date.now() - 1).toISOString();
  await send([call(organization, time, "150.55"), call(organization, "2026-06-10T00:00:00Z", "40")]);
  const chargesFor = async (asker: string) =>
    (await world.ask("GET", `/v1/charges?node=${node}`, { key: asker })).body.levels;
  expect(
    (await chargesFor(partner)).map((one: { level: string; total: string; margin: string }) => [
      one.level,
      one.total,
      one.margin,
    ]),
  ).toEqual([
    ["organization", "25.06", null],
    ["reseller", "14.00", "11.06"],
    ["partner", "0.51", "13.49"],
  ]);
  expect((await chargesFor(key)).map(({ level }: { level: string }) => level)).toEqual(["organization", "reseller"]);
  const own = (await world.makeKey(["read", "admin"], node)).key;
  expect((await chargesFor(own)).map(({ level }: { level: string }) => level)).toEqual(["organization"]);
});

test("windows of a cycle are those of the node's subscription, in its zone", async () => {
  const { organization, node } = await subscribed({
    plan: await plan(),
    starts_at: "2026-01-15T12:00:00Z",
    tz: "Asia/Kolkata",
  });
  await send([call(organization, "2026-02-14T18:29:59Z", "7"), call(organization, "2026-02-14T18:30:00Z", "5")]);
  const asked = async (query: string) =>
    (
      await world.ask(
        "GET",
        `/v1/usage?meter=call_minutes&window=cycle&from=2026-01-15&to=2026-03-15&node=${node}${query}`,
        { key },
      )
    ).body;
  const answer = await asked("");
  expect(answer.tz).toBe("Asia/Kolkata");
  const series = (body: { meters: { series: { start: string; value: string; partial: boolean }[] }[] }) =>
    body.meters[0]?.series.map(({ start, value, partial }) => [start, value, partial]);
  expect(series(answer)).toEqual([
    ["2026-01-15T00:00:00+05:30", "7", false],
    ["2026-02-15T00:00:00+05:30", "5", false],
  ]);
  expect(series(await asked("&tz=UTC&anchor=15"))?.map(([, value]) => value)).toEqual(["12", "0"]);
});

test("windows of a cycle in the past are the cycles that /v1/period has, of each subscription in its own zone", async () => {
  const first = { starts_at: "2026-01-01T00:00:00Z", expires_at: "2026-06-01T00:00:00Z", renews: false, anchor: 1 };
  const { organization, node } = await subscribed({ plan: await plan(), ...first, tz: "UTC" });
  const second = { node, plan: await plan(), starts_at: "2026-06-01T06:00:00Z", tz: "Europe/Berlin", anchor: 15 };
  expect((await world.ask("POST", "/v1/subscriptions", { key, body: second })).status).toBe(201);
  await send([
    call(organization, "2026-05-20T12:00:00Z", "3"),
    call(organization, "2026-06-14T12:00:00Z", "5"),
    call(organization, "2026-06-14T22:00:00Z", "7"),
  ]);
  const usage = async (query: string) =>
    (await world.ask("GET", `/v1/usage?meter=call_minutes&window=cycle&node=${node}&${query}`, { key })).body;
  type Series = { start: string; end: string; value: string; partial: boolean }[];
  const told = (series: Series) => series.map(({ start, end, value, partial }) => [start, end, value, partial]);
  const past = await usage("from=2026-04-01&to=2026-06-01");
  expect(past.tz).toBe("UTC");
  expect(told(past.meters[0].series)).toEqual([
    ["2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z", "0", false],
    ["2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z", "3", false],
  ]);
  const both = await usage("from=2026-06-01T00:00:00Z&to=2026-07-15&tz=Europe/Berlin&compare=previous");
  expect(told(both.meters[0].series)).toEqual([
    ["2026-06-01T02:00:00+02:00", "2026-06-15T00:00:00+02:00", "5", false],
    ["2026-06-15T00:00:00+02:00", "2026-07-15T00:00:00+02:00", "7", false],
  ]);
  const { comparison } = both.meters[0];
  expect([comparison.from, comparison.to]).toEqual(["2026-04-01T02:00:00+02:00", "2026-06-01T02:00:00+02:00"]);
  expect(comparison.series.map(({ value }: { value: string }) => value)).toEqual(["0", "3"]);
  const period = await readPeriod(source, node, 6, Date.parse("2026-07-20T00:00:00Z"));
  const known = new Set([period, ...period.past].flatMap(({ start, end }) => [Date.parse(start), Date.parse(end)]));
  const ends = [...past.meters[0].series, ...both.meters[0].series].map(({ end }) => Date.parse(end));
  expect(ends.filter((ms) => !known.has(ms))).toEqual([]);
});
