import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { meterByName } from "../../../server/catalog/catalog.ts";
import type { UsageEvent } from "../../../server/contract/events.ts";
import { answerTogether } from "../../../server/metrics/usage.ts";
import { formatInstant } from "../../../server/metrics/windows.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { type OracleInterval, oracleWindows } from "../../support/level-oracle.ts";
import { windowsBetween } from "../../support/windows-between.ts";

let ingesting: Ingesting;
beforeAll(async () => {
  ingesting = await startIngesting();
  ingesting.tree.organizations.set("north", { partner: "", reseller: "tides" });
  ingesting.tree.organizations.set("south", { partner: "", reseller: "tides" });
  ingesting.tree.organizations.set("east", { partner: "", reseller: "" });
});
afterAll(() => ingesting.close());

const dayMs = 24 * 60 * 60 * 1000;
let run = 0;

/** Intervals of a few minutes to days around the start of a day; many begin or end on the very same instant. */
const intervalArbitrary = fc.record({
  organization: fc.constantFrom("north", "south", "east"),
  session: fc.constantFrom("s1", "s2", "s3"),
  user: fc.constantFrom("u1", "u2", "u3", "u4"),
  startMs: fc.oneof(
    fc.integer({ min: -20, max: 60 }).map((minutes) => minutes * 60_000),
    fc.integer({ min: -dayMs, max: 2 * dayMs }),
  ),
  lengthMs: fc.oneof(
    fc.integer({ min: 0, max: 40 }).map((minutes) => minutes * 60_000),
    fc.integer({ min: 0, max: dayMs }),
  ),
});

const agentOf = (index: number) => `bot-${index % 2}`;

interface Sent {
  event: Partial<UsageEvent>;
  order: number;
  isRepeated: boolean;
}

const meters = "participation_minutes,max_concurrent_participants,max_concurrent_sessions,sessions,active_participants";

test("peaks with their instants, minutes, session starts and distinct users equal the oracle's, in any order and with repeats, at every level of the tree", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(intervalArbitrary, { minLength: 1, maxLength: 14 }),
      fc.infiniteStream(fc.record({ order: fc.nat(), isRepeated: fc.boolean() })),
      fc.constantFrom("hour", "day", "week", "total"),
      fc.constantFrom("UTC", "America/Chicago", "Asia/Kathmandu", "Australia/Lord_Howe"),
      // Ranges that cut a minute are answered as exactly as those that do not.
      fc.oneof(fc.constant(0), fc.integer({ min: -dayMs, max: dayMs })),
      async (drawn, delivery, window, tz, shiftMs) => {
        run++;
        // Each run has days of its own, far enough from those of the others.
        const baseMs = Date.UTC(2002, 0, 1) + run * 14 * dayMs;
        const intervals: OracleInterval[] = drawn.map((one) => ({
          organization: one.organization,
          session: `${run} ${one.session}`,
          user: one.user,
          startMs: baseMs + one.startMs,
          endMs: baseMs + one.startMs + one.lengthMs,
        }));
        const sent: Sent[] = intervals.flatMap((one, index) => {
          const common = {
            organization: one.organization,
            session: one.session,
            user: one.user,
            interval: `${run}-${index}`,
            room: "r",
            agent: agentOf(index),
          };
          return [
            {
              ...common,
              id: `${run}-${index}-start`,
              type: "participant.joined",
              time: new Date(one.startMs).toISOString(),
            },
            { ...common, id: `${run}-${index}-end`, type: "participant.left", time: new Date(one.endMs).toISOString() },
          ].map((event) => ({ event, ...(delivery.next().value as { order: number; isRepeated: boolean }) }));
        });
        const ordered = [...sent].sort((a, b) => a.order - b.order).map((one) => one.event);
        const half = Math.ceil(ordered.length / 2);
        await ingesting.send([
          ...ordered.slice(0, half),
          ...sent.filter((one) => one.isRepeated).map((one) => one.event),
        ]);
        await ingesting.send(ordered.slice(half));

        const [fromMs, toMs] = [baseMs - 2 * dayMs + shiftMs, baseMs + 4 * dayMs - shiftMs];
        const windows = windowsBetween(fromMs, toMs, window, tz);
        for (const [node, members] of [
          ["all", ["north", "south", "east"]],
          ["reseller:tides", ["north", "south"]],
          ["organization:north", ["north"]],
          ["agent:north/bot-0", ["north"]],
        ] as const) {
          const range = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), window, tz, node };
          const answer = await ingesting.usage({ meter: meters, ...range });
          const inside = intervals.filter(
            (one, index) =>
              (members as readonly string[]).includes(one.organization) &&
              (!node.startsWith("agent:") || agentOf(index) === "bot-0"),
          );
          const expected = oracleWindows(inside, windows);
          const [minutes, peak, sessionsPeak, sessions, users] = answer.map((one) =>
            one.series.map((point) => point.value),
          );
          expect(minutes?.map((value) => Math.round(Number(value) * 60_000))).toEqual(
            expected.map((one) => one.integralMs),
          );
          expect(peak).toEqual(expected.map((one) => one.peak));
          expect(answer[1]?.series.map((point) => point.at)).toEqual(
            expected.map((one) => (one.peakAtMs === undefined ? null : formatInstant(one.peakAtMs, tz))),
          );
          expect(sessionsPeak).toEqual(expected.map((one) => one.sessionsPeak));
          expect(sessions).toEqual(expected.map((one) => one.sessionsStarted));
          expect(users).toEqual(expected.map((one) => one.users));
          const [whole] = oracleWindows(inside, [{ startMs: fromMs, endMs: toMs }]);
          expect(answer[1]?.total).toBe(whole?.peak);
          expect(answer[4]?.total).toBe(whole?.users);
        }
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 8) },
  );
});

test("a reseller's peak is that of the union of its organizations, neither the sum nor the largest of their peaks", async () => {
  const at = (minute: number) => new Date(Date.UTC(2001, 5, 1, 12, minute)).toISOString();
  const presence = (organization: string, id: string, from: number, to: number) => [
    { id: `${id}-in`, type: "participant.joined", organization, interval: id, session: id, user: id, time: at(from) },
    { id: `${id}-out`, type: "participant.left", organization, interval: id, session: id, user: id, time: at(to) },
  ];
  await ingesting.send([
    ...presence("north", "n1", 0, 10),
    ...presence("north", "n2", 0, 10),
    ...presence("north", "n3", 20, 30),
    ...presence("south", "p1", 20, 30),
    ...presence("south", "p2", 20, 25),
  ]);
  const range = { from: "2001-06-01", to: "2001-06-02", meter: "max_concurrent_participants" };
  const peakOf = async (node: string) => (await ingesting.usage({ ...range, node }))[0]?.total;
  expect(await peakOf("organization:north")).toBe(2);
  expect(await peakOf("organization:south")).toBe(2);
  expect(await peakOf("reseller:tides")).toBe(3);
});

test("a participant who leaves at an instant makes room for one who joins at it", async () => {
  const common = { organization: "east", session: "tie" };
  const time = (minute: number) => new Date(Date.UTC(2001, 6, 1, 12, minute)).toISOString();
  await ingesting.send([
    { ...common, id: "t1", type: "participant.joined", interval: "t-a", user: "a", time: time(0) },
    { ...common, id: "t2", type: "participant.left", interval: "t-a", user: "a", time: time(5) },
    { ...common, id: "t3", type: "participant.joined", interval: "t-b", user: "b", time: time(5) },
    { ...common, id: "t4", type: "participant.left", interval: "t-b", user: "b", time: time(9) },
  ]);
  const [peak] = await ingesting.usage({
    meter: "max_concurrent_participants",
    from: "2001-07-01",
    to: "2001-07-02",
    window: "minute",
  });
  expect(peak?.total).toBe(1);
  expect(peak?.series.filter((point) => point.value === 1)).toHaveLength(9);
});

test("joining or leaving between two ranges that are asked together is counted in the later one accordingly", async () => {
  const common = { organization: "south", session: "between" };
  const atMs = (hour: number, minute = 0, ms = 0) => Date.UTC(2002, 2, 1, hour, minute, 0, ms);
  const time = (hour: number, minute: number) => new Date(atMs(hour, minute)).toISOString();
  await ingesting.send([
    { ...common, id: "b1", type: "participant.joined", interval: "b-a", user: "a", time: time(8, 30) },
    { ...common, id: "b2", type: "participant.left", interval: "b-a", user: "a", time: time(9, 30) },
    { ...common, id: "b3", type: "participant.joined", interval: "b-b", user: "b", time: time(9, 0) },
    { ...common, id: "b4", type: "participant.joined", interval: "b-c", user: "c", time: time(9, 59) },
    { ...common, id: "b5", type: "participant.left", interval: "b-b", user: "b", time: time(10, 30) },
    { ...common, id: "b6", type: "participant.left", interval: "b-c", user: "c", time: time(13, 0) },
  ]);
  const meters = ["participation_minutes", "max_concurrent_participants", "active_participants"].flatMap(
    (name) => meterByName(name) ?? [],
  );
  const rest = { meters, node: "reseller:tides", window: "total" as const, anchor: 1, tz: "UTC" };
  const spans = [
    [atMs(10), atMs(11)],
    [atMs(8), atMs(9)],
    [atMs(9, 59, 30_000), atMs(10, 29, 59_999)],
    [atMs(12, 59), atMs(14)],
  ] as const;
  const questions = spans.map(([fromMs, toMs]) => {
    return { ...rest, fromMs, toMs, fill: "zero" as const, filters: [], groupBy: undefined };
  });
  const answers = await answerTogether(ingesting.store.clickhouse, questions, new Date(), Date.now());
  const totals = answers.map((answer) => answer.meters.map(({ total }) => total));
  expect(totals).toEqual([
    ["90", 2, 2],
    ["30", 1, 1],
    ["60.999967", 2, 2],
    ["1", 1, 1],
  ]);
});

test("a participant is counted on every day of a stay, however long, and on none after it", async () => {
  const at = (day: number) => new Date(Date.UTC(2001, 7, 1) + day * dayMs).toISOString();
  const presence = (id: string, from: number, to: number) => [
    {
      id: `${id}-in`,
      type: "participant.joined",
      organization: "south",
      interval: id,
      session: id,
      user: id,
      time: at(from),
    },
    {
      id: `${id}-out`,
      type: "participant.left",
      organization: "south",
      interval: id,
      session: id,
      user: id,
      time: at(to),
    },
  ];
  await ingesting.send([...presence("stays-quarter", 1.5, 92), ...presence("stays-night", 2.9, 3.1)]);
  for (const node of ["organization:south", "reseller:tides", "all"]) {
    const range = {
      from: at(0).slice(0, 10),
      to: at(94).slice(0, 10),
      meter: "active_participants,active_rooms",
      node,
    };
    const [users] = await ingesting.usage(range);
    expect(users?.series.map((point) => point.value)).toEqual(
      Array.from({ length: 94 }, (_, day) => (day === 2 || day === 3 ? 2 : day >= 1 && day < 92 ? 1 : 0)),
    );
    expect(users?.total).toBe(2);
  }
});

test("a participant who left is not counted on the day until which the stay could have lasted", async () => {
  const startMs = Date.now() - 10 * 60_000;
  const common = { organization: "east", session: "left", interval: "left", user: "left" };
  const alive = { properties: { alive_within: 3 * 24 * 60 * 60 } };
  const users = async () => {
    const range = { from: new Date(startMs).toISOString(), to: new Date(startMs + 2 * dayMs).toISOString() };
    const asked = { ...range, meter: "active_participants", node: "organization:east", fill: "none" as const };
    return (await ingesting.usage(asked, startMs + 2 * dayMs))[0]?.series.length;
  };
  await ingesting.send([
    { ...common, ...alive, id: "left-1", type: "participant.joined", time: new Date(startMs).toISOString() },
  ]);
  expect(await users()).toBe(3);
  await ingesting.send([
    { ...common, id: "left-2", type: "participant.left", time: new Date(startMs + 1).toISOString() },
  ]);
  expect(await users()).toBe(1);
});

test("a stay of no length is no presence, be it within a window or at its edge, nor is one that ended where the range begins", async () => {
  const at = (hour: number) => new Date(Date.UTC(2001, 3, 1) + hour * 3_600_000).toISOString();
  const stay = (user: string, from: number, to: number) => {
    const common = { organization: "south", interval: `brief-${user}`, session: `brief-${user}`, user };
    return [
      { ...common, id: `brief-${user}-in`, type: "participant.joined", time: at(from) },
      { ...common, id: `brief-${user}-out`, type: "participant.left", time: at(to) },
    ];
  };
  await ingesting.send([...stay("within", 2.5, 2.5), ...stay("edge", 3, 3), ...stay("before", 1, 1.5)]);
  for (const node of ["organization:south", "reseller:tides", "all"]) {
    const asked = { from: at(1.5), to: at(4), window: "hour" as const, meter: "active_participants", node };
    const [users] = await ingesting.usage(asked);
    expect(users?.series.map(({ value }) => value)).toEqual([0, 0, 0]);
    expect(users?.total).toBe(0);
  }
});
