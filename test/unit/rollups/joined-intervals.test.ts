import { expect, test } from "vitest";
import { createPace, inSlices } from "../../../server/fairness/pace.ts";
import { groupIntervals, type IntervalsFound } from "../../../server/rollups/session-intervals.ts";

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
  const sessions = await inSlices(groupIntervals(assigned, unassigned));
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

test("100,000 intervals of one session that began with it and ended without are joined in slices, at the cost of one look each", async () => {
  const numbers = Array.from({ length: 100_000 }, (_, number) => number);
  const assigned = found(numbers.map((number) => ({ interval: `i${number}`, started_ms: 1, seen_ms: 1 })));
  const unassigned = found(numbers.map((number) => ({ interval: `i${number}`, ended_ms: 2, seen_ms: 2 })));
  let rests = 0;
  const pace = createPace();
  const counted = { rest: () => (++rests % 1_000 === 0 ? pace.rest() : undefined) };
  const startedAt = process.cpuUsage();
  const sessions = await inSlices(groupIntervals(assigned, unassigned), counted);
  const { user, system } = process.cpuUsage(startedAt);
  const [session] = sessions.values();
  expect(session?.intervals).toHaveLength(100_000);
  expect(session?.intervals.every(({ startedMs, endedMs }) => startedMs === 1 && endedMs === 2)).toBe(true);
  expect(rests).toBeGreaterThanOrEqual(300_000);
  expect((user + system) / 1_000).toBeLessThan(10_000);
});
