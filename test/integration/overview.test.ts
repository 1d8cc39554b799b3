/** GET /v1/overview beside what the other routes say. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Overview } from "../../server/contract/overview.ts";
import { userRoles, users } from "../../server/postgres/schema/accounts.ts";
import { createWorld, type World } from "../support/isolation-world.ts";

let world: World;
let key: string;
let overview: Overview;
const node = "reseller:view";
const nowMs = Date.now();
/** The same day and time of the month before, in UTC; the 28th where that month is too short. */
const monthsAgo = (count: number) => {
  const now = new Date(nowMs);
  const day = Math.min(now.getUTCDate(), 28);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - count, day, 0, 0, 1);
};
const monthStart = `${new Date(nowMs).toISOString().slice(0, 7)}-01`;

const ask = async (query = "", asked = key) => {
  const headers = { "cache-control": "no-cache" };
  const { status, body } = await world.ask("GET", `/v1/overview?${query}`, { key: asked, headers });
  expect(status, JSON.stringify(body)).toBe(200);
  return body as Overview;
};
const usage = async (query: string) =>
  (await world.ask("GET", `/v1/usage?meter=transcribed_minutes&node=${node}&${query}`, { key })).body.meters[0];

beforeAll(async () => {
  world = await createWorld();
  const root = (await world.makeKey(["ingest", "read", "admin"], "all")).key;
  await world.ask("POST", "/v1/nodes", { key: root, body: { kind: "reseller", id: "view", parent: "all" } });
  key = (await world.makeKey(["ingest", "read", "admin"], node)).key;
  for (const [id, status] of Object.entries({ a: "active", b: "active", c: "trial", d: "suspended" }))
    await world.ask("POST", "/v1/nodes", {
      key,
      body: { kind: "organization", id: `view-${id}`, name: `Org ${id}`, status },
    });
  const terms = {
    currency: "EUR",
    fixed_fee: { organization: "49.90", reseller: "30" },
    features: [
      {
        key: "minutes",
        meter: "transcribed_minutes",
        included: 20,
        overage: "bill",
        prices: { organization: { model: "graduated", tiers: [{ up_to: null, unit_price: "0.333" }] } },
      },
    ],
  };
  const plan = (await world.ask("POST", "/v1/plans", { key, body: { name: "P", ...terms } })).body.id;
  await world.ask("POST", `/v1/plans/${plan}/publish`, { key });
  const half = (
    await world.ask("POST", "/v1/plans", { key, body: { name: "Half", ...terms, fixed_fee: { organization: "9" } } })
  ).body.id;
  await world.ask("POST", `/v1/plans/${half}/publish`, { key });
  const starts_at = new Date(monthsAgo(2)).toISOString();
  for (const [id, own] of Object.entries({
    a: {},
    b: {},
    c: {
      starts_at: new Date(nowMs - 3 * 86_400_000).toISOString(),
      trial_ends_at: new Date(nowMs + 86_400_000).toISOString(),
    },
  }))
    await world.ask("POST", "/v1/subscriptions", {
      key,
      body: { node: `organization:view-${id}`, plan, starts_at, anchor: 1, ...own },
    });
  // Its cycle is of two plans.
  const { body } = await world.ask("GET", "/v1/subscriptions?node=organization:view-b", { key });
  await world.ask("PATCH", `/v1/subscriptions/${body.subscriptions[0].id}`, { key, body: { plan: half } });
  await world.ask("POST", "/v1/models", { key, body: { model: "m-1", name: "Law", tier: "enhanced" } });
  for (const [id, at] of [
    ["usr_view_1", "organization:view-a"],
    ["usr_view_1b", "organization:view-a"],
    ["usr_view_2", "reseller:view"],
  ] as const) {
    await world.deps.postgres.db.insert(users).values({ id, email: `${id}@example.com` });
    await world.deps.postgres.db.insert(userRoles).values({ userId: id, node: at, role: "viewer" });
  }
  await world.deps.postgres.db
    .insert(userRoles)
    .values({ userId: "usr_view_1", node: "organization:view-b", role: "viewer" });
  let id = 0;
  const done = (organization: string, value: string, ms: number, more: object = {}) => ({
    id: `o${id++}`,
    type: "transcription.completed",
    organization: `view-${organization}`,
    value,
    time: new Date(Math.min(ms, nowMs - 1_000)).toISOString(),
    ...more,
  });
  const of = (user: string, language: string, model: string, accuracy: number) => ({
    user,
    properties: { language, model, accuracy, kind: "transcript" },
  });
  const events = [
    done("a", "10", monthsAgo(0), of("ann", "en", "m-1", 90)),
    done("a", "30", nowMs - 1_000, of("ann", "nl", "m-1", 98)),
    done("b", "30.5", monthsAgo(0) + 2_000, of("bob", "en", "m-2", 80)),
    done("c", "0.25", monthsAgo(0), { user: "cem", properties: { language: "fr", kind: "caption" } }),
    done("a", "5", monthsAgo(1), of("ann", "en", "m-1", 90)),
    done("b", "40", monthsAgo(1), of("bob", "nl", "m-2", 90)),
    done("b", "8", monthsAgo(2), of("bob", "nl", "m-2", 90)),
    done("a", "20", monthsAgo(12), of("ann", "en", "m-1", 90)),
    { id: "x1", type: "translation.completed", organization: "view-b", time: new Date(monthsAgo(3)).toISOString() },
    { id: "x2", type: "api.called", organization: "view-d", time: new Date(nowMs - 1_000).toISOString() },
    { id: "x3", type: "chat.posted", organization: "view-a", user: "ann", time: new Date(nowMs - 500).toISOString() },
  ];
  const sent = await world.ask("POST", "/v1/events?ack=stored", { key, body: events });
  expect(sent.body).toMatchObject({ accepted: events.length, rejected: [] });
  overview = await ask();
});
afterAll(() => world.close());

test("organizations, subscriptions and users are counted, those of one user at two organizations once", () => {
  expect(overview.organizations).toEqual({
    total: 4,
    new: 4,
    by_status: { trial: 1, active: 2, suspended: 1, cancelled: 0 },
    by_quota: { under: 1, moderate: 0, high: 0, over: 2, none: 1 },
  });
  expect(overview.subscriptions).toEqual({ active: 2, trial: 1 });
  expect(overview.users).toBe(2);
});

test("growth is what /v1/usage says beside the month before and the year before, like with like", async () => {
  const [own] = overview.usage;
  expect(own).toMatchObject({ meter: "transcribed_minutes", total: "70.75" });
  for (const [compare, growth] of [
    ["previous", own?.month_over_month],
    ["year", own?.year_over_year],
  ] as const) {
    const { comparison } = await usage(
      `from=${monthStart}&to=${overview.month.end.slice(0, 10)}&window=month&compare=${compare}`,
    );
    expect(growth?.total).toBe(comparison.total);
    expect(growth?.percent).toBe(comparison.percent);
    expect(growth?.delta).toBe(comparison.delta);
  }
  expect(overview.usage.find(({ meter }) => meter === "documents")?.total).toBe(4);
});

test("days and months add up, and the peak day is the largest day", async () => {
  const { series } = await usage(`from=${monthStart}&to=now&window=day`);
  const days = overview.days.filter(({ start }) => start >= monthStart);
  expect(days.map(({ value }) => value)).toEqual(series.map((one: { value: string }) => one.value));
  const largest = Math.max(...days.map(({ value }) => Number(value)));
  expect(Number(overview.peak_day?.value)).toBe(largest);
  expect(overview.months.length).toBe(13);
  expect(overview.months.at(-1)).toMatchObject({ value: "70.75", partial: true });
});

test("averages are over all organizations, and over those with usage", () => {
  expect(overview.averages).toEqual({
    all: { organizations: 4, mean: "17.6875", median: "15.375" },
    active: { organizations: 3, mean: "23.583333", median: "30.5" },
  });
});

test("the forecast lies at the pace so far, and says how far off past ones were", () => {
  const { value, low, high } = overview.forecast ?? {};
  expect(Number(value)).toBeGreaterThanOrEqual(70.75);
  if (low && high) expect(Number(low)).toBeLessThanOrEqual(Number(high));
});

test("organizations, users, languages and models are ranked beside the month before", () => {
  const shown = (rows: { key: string; total: unknown; rank: number; previous_rank: number | null }[]) =>
    rows.map(({ key: one, total, rank, previous_rank }) => [one, total, rank, previous_rank]);
  const { organizations, users: people, languages, models } = overview.top;
  expect(shown(organizations)).toEqual([
    ["view-a", "40", 1, 2],
    ["view-b", "30.5", 2, 1],
    ["view-c", "0.25", 3, null],
  ]);
  expect(organizations[0]?.name).toBe("Org a");
  expect(shown(languages)).toEqual([
    ["en", "40.5", 1, 2],
    ["nl", "30", 2, 1],
    ["fr", "0.25", 3, null],
  ]);
  expect(languages.reduce((sum, { share }) => sum + (share ?? 0), 0)).toBeCloseTo(1, 5);
  expect(people[0]).toMatchObject({ key: "ann", organization: "view-a", minutes: "40", documents: 2, rank: 1 });
  // Any event is activity, not only a document.
  expect(Date.parse(people[0]?.last_active ?? "")).toBe(nowMs - 500);
  expect(models[0]).toMatchObject({ key: "m-1", name: "Law", tier: "enhanced", documents: 2, accuracy: "96" });
  expect(models[1]).toMatchObject({ key: "m-2", name: "m-2", tier: null, documents: 1, accuracy: "80" });
});

test("adoption says how many organizations use a feature this month, ever, and since when", () => {
  const adopted = Object.fromEntries(overview.adoption.map((one) => [one.feature, one]));
  expect(adopted.transcription).toMatchObject({ organizations: 3, share: 0.75, ever: 3, new: 1 });
  expect(adopted.transcription?.first_organization).toBe("view-a");
  expect(adopted.captions).toMatchObject({ organizations: 1, ever: 1, new: 1, first_organization: "view-c" });
  expect(adopted.translation).toMatchObject({ organizations: 0, share: 0, ever: 1, new: 0 });
  expect(adopted.api).toMatchObject({ organizations: 1, share: 0.25, first_organization: "view-d" });
  expect(adopted.glossaries).toMatchObject({ organizations: 0, ever: 0, first_use: null });
});

test("revenue is the sum of the charges of each subscription, and nobody's without the right to see prices", async () => {
  const sums = { organization: 0, reseller: 0 };
  for (const id of ["a", "b", "c"]) {
    const { body } = await world.ask("GET", `/v1/charges?node=organization:view-${id}`, { key });
    for (const { level, total } of body.levels as { level: "organization" | "reseller"; total: string }[])
      sums[level] += Math.round(Number(total) * 100);
  }
  expect(sums.organization).toBeGreaterThan(0);
  for (const { level, currency, total, fixed_fees, overage } of overview.revenue ?? []) {
    expect(currency).toBe("EUR");
    expect(Math.round(Number(total) * 100)).toBe(sums[level as "organization"]);
    expect(Math.round(Number(fixed_fees) * 100) + Math.round(Number(overage) * 100)).toBe(
      sums[level as "organization"],
    );
  }
  expect((overview.revenue ?? []).map(({ level }) => level)).toEqual(["organization", "reseller"]);
  const reads = (await world.makeKey(["read"], node)).key;
  expect((await ask("", reads)).revenue).toBeNull();
});

test("a question about a meter without languages is answered without any", async () => {
  const calls = await ask("meter=api_calls");
  expect(calls.usage[0]).toMatchObject({ meter: "api_calls", total: 1 });
  expect(calls.top.organizations.map(({ key: one }) => one)).toEqual(["view-d"]);
  expect(calls.top.languages).toEqual([]);
  const own = await ask("node=organization:view-a");
  expect(own.top.organizations.map(({ key: one }) => one)).toEqual(["view-a"]);
});
