import { expect, test } from "vitest";
import { createPace, inSlices } from "../../../server/fairness/pace.ts";
import { groupIntervals, type IntervalsFound } from "../../../server/rollups/group-intervals.ts";

type Row = { [Name in keyof IntervalsFound["columns"]]: IntervalsFound["columns"][Name][number] };

const row: Row = {
  organization: "acme",
  session: "s",
  level: "participants",
  interval: "",
  member: "",
  started_ms: 9e15,
  ended_ms: 0,
  seen_ms: 0,
  alive_within_at_ms: 0,
  alive_within_ms: 0,
  alive_within_at: [],
  shortest_ms: 0,
  start_times: [],
  alive_times: [],
  alives_thinned: 0,
  end_times: [],
  user: "",
  room: "",
  agent: "",
  partner: "",
  reseller: "",
  dims: "",
  dims_at_ms: 0,
  dims_at: [],
};

function found(rows: readonly Partial<Row>[]): IntervalsFound {
  const names = Object.keys(row) as (keyof Row)[];
  const columns = Object.fromEntries(names.map((name) => [name, rows.map((one) => ({ ...row, ...one })[name])]));
  return { rows: rows.length, columns: columns as IntervalsFound["columns"] };
}

test("what events without the session say of an interval joins what those with it say, and makes one where there is none", async () => {
  const assigned = found([{ interval: "a", started_ms: 5, seen_ms: 5 }]);
  const unassigned = found([
    { interval: "b", started_ms: 6, seen_ms: 6 },
    { interval: "a", ended_ms: 9, seen_ms: 9 },
    { interval: "b", ended_ms: 8, seen_ms: 8 },
    { interval: "a", level: "recordings", ended_ms: 7, seen_ms: 7 },
  ]);
  const sessions = await inSlices(groupIntervals({ assigned, unassigned }));
  expect([...sessions.values()]).toMatchObject([
    {
      session: "s",
      intervals: [
        { level: "participants", interval: "a", startedMs: 5, endedMs: 9, seenMs: 9 },
        { level: "participants", interval: "b", startedMs: 6, endedMs: 8, seenMs: 8 },
        { level: "recordings", interval: "a", startedMs: undefined, endedMs: 7 },
      ],
    },
  ]);
});

test("an interval that events of several sessions name is left to its home, with all that they say and the home's own room", async () => {
  const assigned = found([
    { interval: "a", started_ms: 5, seen_ms: 5, room: "first" },
    { interval: "a", level: "recordings", started_ms: 4, seen_ms: 4 },
    { session: "t", interval: "a", ended_ms: 9, seen_ms: 9, room: "second" },
    { session: "t", interval: "b", started_ms: 6, seen_ms: 6 },
    { session: "s", organization: "other", interval: "a", ended_ms: 8, seen_ms: 8 },
  ]);
  const split = found([{ session: "s", interval: "a", started_ms: 5, ended_ms: 9, seen_ms: 9, room: "second" }]);
  const unassigned = found([{ session: "s", interval: "a", ended_ms: 12, seen_ms: 12, room: "first" }]);
  const sessions = await inSlices(groupIntervals({ assigned, unassigned, split }));
  expect([...sessions.values()]).toMatchObject([
    {
      session: "s",
      room: "first",
      intervals: [
        { level: "participants", interval: "a", startedMs: 5, endedMs: 12, seenMs: 12 },
        { level: "recordings", interval: "a", startedMs: 4, endedMs: undefined },
      ],
    },
    { session: "t", room: "second", intervals: [{ interval: "b", startedMs: 6 }] },
    { organization: "other", intervals: [{ interval: "a", startedMs: undefined, endedMs: 8 }] },
  ]);
});

test("of what was said of silence at one instant the longer counts, whichever events say it", async () => {
  const said = (alive_within_ms: number) =>
    found([{ interval: "a", alive_within_at_ms: 5, alive_within_ms, started_ms: 5 }]);
  for (const [assigned, unassigned] of [
    [said(60), said(90)],
    [said(90), said(60)],
  ] as const) {
    const [session] = (await inSlices(groupIntervals({ assigned, unassigned }))).values();
    expect(session?.intervals).toMatchObject([{ aliveWithinMs: 90 }]);
  }
});

test("100,000 intervals of one session that began with it and ended without are joined in slices, at the cost of one look each", async () => {
  const numbers = Array.from({ length: 100_000 }, (_, number) => number);
  const assigned = found(numbers.map((number) => ({ interval: `i${number}`, started_ms: 1, seen_ms: 1 })));
  const unassigned = found(numbers.map((number) => ({ interval: `i${number}`, ended_ms: 2, seen_ms: 2 })));
  let rests = 0;
  const pace = createPace();
  const counted = { rest: () => (++rests % 1_000 === 0 ? pace.rest() : undefined) };
  const startedAt = process.cpuUsage();
  const sessions = await inSlices(groupIntervals({ assigned, unassigned }), counted);
  const { user, system } = process.cpuUsage(startedAt);
  const [session] = sessions.values();
  expect(session?.intervals).toHaveLength(100_000);
  expect(session?.intervals.every(({ startedMs, endedMs }) => startedMs === 1 && endedMs === 2)).toBe(true);
  expect(rests).toBeGreaterThanOrEqual(300_000);
  expect((user + system) / 1_000).toBeLessThan(10_000);
});
