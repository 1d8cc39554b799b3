/** GET /v1/usage with `compare`, at an instant that the test chooses. */
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { meterByName } from "../../../server/catalog/catalog.ts";
import type { UsageEvent } from "../../../server/contract/events.ts";
import { problemSchema } from "../../../server/contract/problem.ts";
import { usageAnswerSchema } from "../../../server/contract/usage.ts";
import { timeZoneNames } from "../../../server/contract/zone-names.ts";
import { applyFoundation, createRouter } from "../../../server/http/app-pieces.ts";
import { usageRoutes } from "../../../server/http/routes/usage.ts";
import type { Actor } from "../../../server/identity/actor.ts";
import { offsetAt } from "../../../server/metrics/zone-dates.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";

const now = Date.parse("2025-11-21T08:30:00Z");
const actor: Actor = {
  kind: "key",
  id: "key_1",
  name: "reader",
  node: "organization:acme",
  reach: ["organization:acme"],
  grants: [{ actions: new Set(["read"]), node: "organization:acme" }],
  createOrganizations: false,
};

let ingesting: Ingesting;
let app: ReturnType<typeof createRouter>;
beforeAll(async () => {
  ingesting = await startIngesting();
  app = createRouter();
  applyFoundation(app, { log: pino({ level: "silent" }) });
  app.use(async (c, next) => {
    c.set("identify", async () => actor);
    await next();
  });
  const watermark = () => new Date(now);
  // Every question here is about the caller's own node.
  const tree = { ancestors: () => [], get: () => undefined, isWithin: () => false };
  app.route(
    "/",
    usageRoutes({
      cyclesOf: async () => [],
      clickhouse: ingesting.store.clickhouse,
      tree,
      watermark,
      customMeters: { find: meterByName },
      now: () => now,
    }),
  );
  const chat = (time: string, n: number): Partial<UsageEvent>[] =>
    Array.from({ length: n }, (_, index) => ({
      id: `${time} ${index}`,
      type: "chat.posted",
      organization: "acme",
      time,
    }));
  const call = (time: string, minutes: number): Partial<UsageEvent>[] => [
    {
      id: `in ${time}`,
      type: "participant.joined",
      organization: "acme",
      session: time,
      user: "u",
      interval: time,
      time,
    },
    {
      id: `out ${time}`,
      type: "participant.left",
      organization: "acme",
      session: time,
      user: "u",
      interval: time,
      time: new Date(Date.parse(time) + minutes * 60_000).toISOString(),
    },
  ];
  const { rejected } = await ingesting.send([
    ...chat("2024-11-05T10:00:00Z", 8),
    ...chat("2025-10-02T10:00:00Z", 2),
    // One minute before and one after the elapsed part of October.
    ...chat("2025-10-21T08:29:00Z", 2),
    ...chat("2025-10-21T08:31:00Z", 7),
    ...chat("2025-10-30T10:00:00Z", 5),
    ...chat("2025-11-03T10:00:00Z", 3),
    ...chat("2025-11-20T10:00:00Z", 4),
    ...call("2025-10-10T23:50:00Z", 30),
    ...call("2025-11-10T12:00:00Z", 20),
  ]);
  expect(rejected).toEqual([]);
});
afterAll(() => ingesting.close());

const november = "from=2025-11-01&to=2025-12-01";

async function ask(query: string) {
  const response = await app.request(`/v1/usage?${query}`);
  expect(response.status, await response.clone().text()).toBe(200);
  return usageAnswerSchema.parse(await response.json()).meters.map(({ comparison, ...meter }) => {
    if (!comparison) throw new Error("there is no comparison");
    return { ...meter, comparison };
  });
}

test("a running month is compared with the same elapsed part of the month before, each day with its day", async () => {
  const meters = await ask(
    `${november}&meter=chat_posts,participation_minutes,max_concurrent_participants&compare=previous`,
  );
  const [chats, minutes, peak] = meters.map(({ comparison: { series: _, ...rest } }) => rest);
  const range = { from: "2025-10-01T00:00:00Z", to: "2025-10-21T08:30:00Z" };
  expect(chats).toEqual({ ...range, total: 4, delta: 3, percent: 75 });
  expect(minutes).toEqual({ ...range, total: "30", delta: "-10", percent: -33.3333 });
  expect(peak).toEqual({ ...range, total: 1, at: "2025-10-10T23:50:00Z", delta: 0, percent: 0 });
  const series = meters[0]?.comparison.series ?? [];
  expect(series.map(({ against }) => against)).toEqual(meters[0]?.series.map(({ start }) => start));
  expect(series.slice(21).map(({ start, value }) => [start, value])).toEqual(Array(9).fill([null, null]));
  expect(series[1]).toMatchObject({
    start: "2025-10-02T00:00:00Z",
    against: "2025-11-02T00:00:00Z",
    value: 2,
    partial: false,
  });
  expect(series[20]).toEqual({
    start: "2025-10-21T00:00:00Z",
    end: "2025-10-21T08:30:00Z",
    against: "2025-11-21T00:00:00Z",
    value: 2,
    partial: true,
  });
});

test("all of the month before counts when that is asked for", async () => {
  const [chats] = await ask(`${november}&meter=chat_posts&compare=previous&compare_partial=full`);
  expect(chats?.comparison).toMatchObject({ to: "2025-11-01T00:00:00Z", total: 16, delta: -9, percent: -56.25 });
  expect(chats?.comparison.series).toHaveLength(30);
  expect(chats?.comparison.series[29]).toMatchObject({ start: "2025-10-30T00:00:00Z", value: 5 });
});

test("a year ago, matching weekdays, and any range are compared alike", async () => {
  const [year] = await ask(`${november}&meter=chat_posts&compare=year&window=month`);
  expect(year?.comparison).toMatchObject({
    from: "2024-11-01T00:00:00Z",
    to: "2024-11-21T08:30:00Z",
    total: 8,
    delta: -1,
  });
  const [weekday] = await ask(`${november}&meter=chat_posts&compare=year&compare_match=weekday`);
  expect(weekday?.comparison).toMatchObject({
    from: "2024-11-02T00:00:00Z",
    to: "2024-11-22T08:30:00Z",
    percent: -12.5,
  });
  const [range] = await ask(`${november}&meter=chat_posts&compare=2025-10-30/2025-11-01`);
  expect(range?.comparison).toMatchObject({
    from: "2025-10-30T00:00:00Z",
    to: "2025-11-01T00:00:00Z",
    total: 5,
    delta: 2,
  });
});

test("windows without data are left out of both, and those that stay say beside which they stand", async () => {
  const [chats] = await ask(`${november}&meter=chat_posts&compare=previous&fill=none`);
  expect(chats?.comparison.series.map(({ against, value }) => [against, value])).toEqual([
    ["2025-11-02T00:00:00Z", 2],
    ["2025-11-21T00:00:00Z", 2],
  ]);
});

test("the store has the same clocks in every zone that may be named", async () => {
  const instants = [Date.UTC(2003, 0, 15), Date.UTC(2012, 6, 15), Date.UTC(2024, 0, 15), Date.UTC(2024, 6, 15)];
  const clock = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
  const seconds = instants.map((ms) => ms / 1000).join();
  const clocks = timeZoneNames.map(
    (tz, place) => `CAST([${seconds}], 'Array(DateTime(\\'${tz}\\'))') AS zone_${place}`,
  );
  const [row] = await ingesting.store.clickhouse.select(`SELECT ${clocks.join()}`, {});
  const stored = Object.values(z.record(z.string(), z.array(z.string())).parse(row));
  const here = timeZoneNames.map((tz) => instants.map((ms) => clock(ms + offsetAt(ms, tz))));
  expect(timeZoneNames.filter((_, place) => `${stored[place]}` !== `${here[place]}`)).toEqual([]);
});

test("a range that has not begun is compared with nothing", async () => {
  const [chats] = await ask(
    "meter=chat_posts,active_users,recording_storage&from=2025-12-01&to=2026-01-01&compare=previous",
  );
  expect(chats?.comparison).toEqual({
    from: "2025-11-01T00:00:00Z",
    to: "2025-11-01T00:00:00Z",
    total: 0,
    delta: 0,
    percent: null,
    series: chats?.series.map(({ start }) => ({ start: null, end: null, value: null, partial: false, against: start })),
  });
});

test("figures of a range that begins before 1970 are those of all time, asked for or compared with, of every user or of one", async () => {
  const meter = "chat_posts,participation_minutes,max_concurrent_participants,sessions,active_participants";
  for (const filter of ["", "&filter[user]=u", "&group_by=session"]) {
    const about = `meter=${meter}${filter}&window=total&tz=Europe/Berlin`;
    const totals = async (query: string) =>
      (await ask(`${about}&${query}`)).map(({ meter: name, total, comparison }) => [name, total, comparison.total]);
    const recent = await totals("from=2000-01-01&to=2025-11-21&compare=2000-01-01/2025-11-20");
    const whole = await totals("from=1970-01-01&to=2025-11-21&compare=1960-01-01/2025-11-20");
    expect([filter, whole]).toEqual([filter, recent]);
    if (filter === "")
      expect(recent.every(([, ...figures]) => figures.every((figure) => Number(figure) > 0))).toBe(true);
  }
});

test("a running billing cycle is compared with the cycle before", async () => {
  const [chats] = await ask(
    "meter=chat_posts&from=2025-10-31&to=2025-11-30&window=cycle&anchor=31&compare=previous&compare_partial=full",
  );
  expect(chats?.series).toEqual([
    { start: "2025-10-31T00:00:00Z", end: "2025-11-30T00:00:00Z", value: 7, partial: true },
  ]);
  expect(chats?.comparison).toMatchObject({ from: "2025-09-30T00:00:00Z", to: "2025-10-31T00:00:00Z", total: 16 });
  expect(chats?.comparison.series).toHaveLength(1);
});

test("the same answer comes as a table or as lines to who accepts these", async () => {
  const query = "meter=chat_posts&from=2025-11-20&to=2025-11-21&compare=previous";
  const get = (accept: string) => app.request(`/v1/usage?${query}`, { headers: { accept } });
  const table = await get("text/csv");
  expect(table.headers.get("content-type")).toBe("text/csv; charset=utf-8");
  expect(await table.text()).toBe(
    "start,end,partial,compared_start,compared_end,chat_posts,chat_posts_compared,chat_posts_delta,chat_posts_percent\r\n2025-11-20T00:00:00Z,2025-11-21T00:00:00Z,false,2025-11-19T00:00:00Z,2025-11-20T00:00:00Z,4,0,4,\r\n",
  );
  const lines = await get("application/x-ndjson");
  expect(lines.headers.get("content-type")).toBe("application/x-ndjson");
  const [head, ...windows] = (await lines.text()).trim().split("\n");
  expect(JSON.parse(head ?? "")).toMatchObject({
    node: "organization:acme",
    meters: [{ total: 4, comparison: { total: 0 } }],
  });
  expect(windows.map((line) => JSON.parse(line))).toMatchObject([
    { meter: "chat_posts", value: 4, delta: 4, percent: null },
  ]);
});

test.each([
  ["compare=last", "compare"],
  ["compare=2025-02-01/2025-01-01", "compare"],
  ["compare=2025-02-30/2025-03-01", "compare"],
  ["compare=2000-01-01/2025-01-01&window=minute&from=2025-11-20&compare_partial=full", "compare"],
  ["compare=year&compare_match=month", "compare_match"],
  ["compare=year&compare_partial=half", "compare_partial"],
  ["window=cycle&anchor=32", "anchor"],
  ["window=cycle&anchor=1.5", "anchor"],
])("%s is refused by the name of its field", async (query, field) => {
  const response = await app.request(`/v1/usage?meter=chat_posts&${query}`);
  expect(response.status).toBe(400);
  expect(problemSchema.parse(await response.json()).field).toBe(field);
});
