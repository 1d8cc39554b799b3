import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IntervalRecord } from "../../../server/rollups/resolve-session.ts";
import { resolveSession } from "../../support/resolve-session.ts";

const hour = 60 * 60 * 1000;
const timeout = 12 * hour;
const nowMs = 1000 * hour;

const interval = (given: Partial<IntervalRecord>): IntervalRecord => ({
  level: "participants",
  interval: "i",
  pairedUser: "",
  startedMs: undefined,
  endedMs: undefined,
  seenMs: given.endedMs ?? given.startedMs ?? 0,
  aliveWithinMs: undefined,
  aliveWithinAt: [],
  startTimes: [],
  aliveTimes: [],
  endTimes: [],
  user: "u",
  agent: "",
  dims: "",
  dimsAt: [],
  ...given,
});
const ascending = (times: readonly number[] = []) => [...times].sort((a, b) => a - b);
const paired = (given: Partial<IntervalRecord>): IntervalRecord => ({
  ...interval({ interval: "", pairedUser: "u", ...given }),
  startTimes: ascending(given.startTimes),
  aliveTimes: ascending(given.aliveTimes),
  endTimes: ascending(given.endTimes),
  dimsAt: [...(given.dimsAt ?? [])].sort(([a], [b]) => a - b),
});
const closing = (...endTimes: number[]): IntervalRecord => interval({ level: "session", interval: "", endTimes });

const spansOf = (intervals: IntervalRecord[], now = nowMs) =>
  resolveSession(intervals, now, timeout).spans.map(({ startMs, endMs, timedOut }) => [startMs, endMs, timedOut]);

describe("a named interval", () => {
  test("runs from its start to its end", () => {
    expect(spansOf([interval({ startedMs: 10, endedMs: 20 })])).toEqual([[10, 20, false]]);
  });
  test("without a start is an orphan and counts nowhere", () => {
    const resolved = resolveSession([interval({ endedMs: 20 })], nowMs, timeout);
    expect(resolved).toMatchObject({ spans: [], edges: [], orphans: 1 });
  });
  test("with its end before its start is reported and counts zero", () => {
    const resolved = resolveSession([interval({ startedMs: 20, endedMs: 10 })], nowMs, timeout);
    expect(resolved).toMatchObject({ spans: [], edges: [], invertedAt: [expect.any(Number)] });
  });
  test("of no length starts, but is never concurrent", () => {
    const { edges } = resolveSession([interval({ startedMs: 20, endedMs: 20 })], nowMs, timeout);
    expect(edges).toEqual([
      { level: "participants", atMs: 20, delta: 0, starts: 1 },
      { level: "sessions", atMs: 20, delta: 0, starts: 1 },
    ]);
  });
  test("is open until its last sign of life is more than the timeout ago", () => {
    const open = interval({ startedMs: 10, seenMs: 5 * hour });
    expect(spansOf([open], 5 * hour + timeout)).toEqual([[10, undefined, false]]);
    expect(spansOf([open], 5 * hour + timeout + 1)).toEqual([[10, 5 * hour, true]]);
  });
  test("takes the timeout that its emitter gave", () => {
    const open = interval({ startedMs: 10, seenMs: hour, aliveWithinMs: 1000 });
    expect(spansOf([open], hour + 1001)).toEqual([[10, hour, true]]);
  });
  test("that is open is ended by the session's end", () => {
    expect(spansOf([interval({ startedMs: 10, seenMs: 10 }), closing(hour)])).toEqual([[10, hour, false]]);
  });
  test("that had timed out when the session ended stays ended at its last sign of life", () => {
    expect(spansOf([interval({ startedMs: 10, seenMs: 10 }), closing(timeout + 11)])).toEqual([[10, 10, true]]);
  });
  test("that starts at the instant at which the session ended begins after it", () => {
    expect(spansOf([interval({ startedMs: 10, seenMs: 10 }), closing(10)], hour)).toEqual([[10, undefined, false]]);
    expect(spansOf([paired({ startTimes: [10] }), closing(10)], hour)).toEqual([[10, undefined, false]]);
  });
  test("keeps its own end when the session ended earlier", () => {
    expect(spansOf([interval({ startedMs: 10, endedMs: 2 * hour }), closing(hour)])).toEqual([[10, 2 * hour, false]]);
  });
});

describe("without a name, what waits for its start is an orphan", () => {
  const orphansOf = (given: Partial<IntervalRecord>, ...closings: IntervalRecord[]) =>
    resolveSession([paired(given), ...closings], nowMs, timeout).orphans;
  test("where it comes before every start of its user, whatever else they did", () => {
    const stay = { startTimes: [50], endTimes: [60] };
    expect(orphansOf({ endTimes: [20] })).toBe(1);
    expect(orphansOf({ aliveTimes: [20] })).toBe(1);
    expect(orphansOf({ ...stay, endTimes: [20, 60] })).toBe(1);
    expect(orphansOf({ ...stay, aliveTimes: [20] })).toBe(1);
    expect(orphansOf({ ...stay, endTimes: [50, 60] })).toBe(1);
    expect(orphansOf({ startTimes: [10, 50], endTimes: [20, 60] })).toBe(0);
  });
  test("and not where it follows an end, which it only says once more", () => {
    expect(orphansOf({ startTimes: [10], endTimes: [20, 21] })).toBe(0);
    expect(orphansOf({ startTimes: [10], endTimes: [21] }, closing(20))).toBe(0);
    expect(orphansOf({ startTimes: [10], endTimes: [20], aliveTimes: [10, 25] })).toBe(0);
  });
});

describe("starts and ends without a name", () => {
  test("are paired in order of time: leaving and coming back is two intervals", () => {
    expect(spansOf([paired({ startTimes: [50, 10], endTimes: [60, 20] })])).toEqual([
      [10, 20, false],
      [50, 60, false],
    ]);
  });
  test("change nothing when one is open already, or none is", () => {
    expect(spansOf([paired({ startTimes: [10, 15], endTimes: [5, 20, 30] })])).toEqual([[10, 20, false]]);
  });
  test("at one instant: the end comes first", () => {
    expect(spansOf([paired({ startTimes: [10, 20], endTimes: [20, 30] })])).toEqual([
      [10, 20, false],
      [20, 30, false],
    ]);
  });
  test("after a silence longer than the timeout begin anew", () => {
    const later = 3 * timeout;
    expect(spansOf([paired({ startTimes: [10, later], aliveTimes: [hour], endTimes: [later + hour] })])).toEqual([
      [10, hour, true],
      [later, later + hour, false],
    ]);
  });
  test("that end after a silence ran until then, as a named interval does", () => {
    const later = 3 * timeout;
    for (const given of [{}, { aliveTimes: [hour] }, { aliveTimes: [later - hour] }])
      expect(spansOf([paired({ startTimes: [10], endTimes: [later], ...given })])).toEqual([[10, later, false]]);
  });
  test("that give a sign of life after a silence had gone on", () => {
    const later = 3 * timeout;
    const signs: Partial<IntervalRecord> = { startTimes: [10], aliveTimes: [later], aliveWithinAt: [[later, 1000]] };
    expect(spansOf([paired(signs)], later + 1000)).toEqual([[10, undefined, false]]);
    expect(spansOf([paired(signs)], later + 1001)).toEqual([[10, later, true]]);
  });
  test("are silent for as long as their own signs say, whatever those of the stays before and after said", () => {
    const stays = { startTimes: [10, 5_000, 90_000], endTimes: [20_000] };
    expect(spansOf([paired({ ...stays, aliveWithinAt: [[5_000, 100]] })], 95_000)).toEqual([
      [10, 20_000, false],
      [90_000, undefined, false],
    ]);
    const silences: IntervalRecord["aliveWithinAt"] = [
      [10, 100],
      [90_000, 6_000],
    ];
    expect(spansOf([paired({ ...stays, aliveWithinAt: silences })], 96_001)).toEqual([
      [10, 10, true],
      [5_000, 20_000, false],
      [90_000, 90_000, true],
    ]);
  });
  test("are silent for as long as was said last, and of one instant for the longest", () => {
    const said = (...aliveWithinAt: [number, number][]) =>
      spansOf([paired({ startTimes: [10, 900], aliveTimes: [500], aliveWithinAt })], 1_000);
    expect(said([10, 600], [500, 100])).toEqual([
      [10, 500, true],
      [900, undefined, false],
    ]);
    expect(said([10, 600], [500, 100], [500, 700])).toEqual([[10, undefined, false]]);
  });
  test("that say nothing of it are as rows of before say that all of them were", () => {
    expect(spansOf([paired({ startTimes: [10, 5_000], aliveWithinMs: 100 })], 6_000)).toEqual([
      [10, 10, true],
      [5_000, 5_000, true],
    ]);
  });
  test("that were silent when the session ended stay ended at their last sign of life", () => {
    expect(spansOf([paired({ startTimes: [10] }), closing(timeout + 11)])).toEqual([[10, 10, true]]);
  });
  test("of one interval come to what they would with a name, however long it was silent", () => {
    const at = fc.integer({ min: 1, max: 100 });
    const signs = fc.record({
      lastEnd: fc.option(at, { nil: undefined }),
      alive: fc.array(at, { maxLength: 5 }),
      closed: fc.option(at, { nil: undefined }),
    });
    fc.assert(
      fc.property(signs, ({ lastEnd, alive, closed }) => {
        // What comes after the end, or after the session's, belongs to no interval; a name would reach for it.
        const known = alive.filter((one) => one <= Math.min(lastEnd ?? 100, closed ?? 100));
        fc.pre(lastEnd === undefined || closed === undefined || lastEnd <= closed);
        const seenMs = Math.max(0, ...known, lastEnd ?? 0);
        const ends = lastEnd === undefined ? [] : [lastEnd];
        const closings = closed === undefined ? [] : [closing(closed)];
        const ended = lastEnd !== undefined && { endedMs: lastEnd };
        const named = interval({ startedMs: 0, seenMs, ...ended, aliveWithinMs: 10 });
        const signs = { startTimes: [0], aliveTimes: known, endTimes: ends };
        const unnamed = paired({ ...signs, aliveWithinAt: [[0, 10]] });
        expect(spansOf([unnamed, ...closings], 105)).toEqual(spansOf([named, ...closings], 105));
      }),
    );
  });
  test("are cut by the session's end, and go on after it with the next start", () => {
    expect(spansOf([paired({ startTimes: [10, 2 * hour], endTimes: [3 * hour] }), closing(hour)])).toEqual([
      [10, hour, false],
      [2 * hour, 3 * hour, false],
    ]);
  });
});

test("a session is active exactly while at least one participant interval covers the instant", () => {
  const drawnInterval = fc.record({ start: fc.integer({ min: 0, max: 30 }), length: fc.integer({ min: 0, max: 10 }) });
  fc.assert(
    fc.property(fc.array(drawnInterval, { maxLength: 8 }), (drawn) => {
      const intervals = drawn.map(({ start, length }, index) =>
        interval({ interval: `i${index}`, startedMs: start, endedMs: start + length }),
      );
      const { edges } = resolveSession(intervals, nowMs, timeout);
      for (let t = 0; t <= 41; t++) {
        const levelAt = (level: string) =>
          edges.filter((edge) => edge.level === level && edge.atMs <= t).reduce((sum, edge) => sum + edge.delta, 0);
        const covering = drawn.filter(({ start, length }) => start <= t && t < start + length).length;
        expect(levelAt("participants")).toBe(covering);
        expect(levelAt("sessions")).toBe(covering > 0 ? 1 : 0);
      }
      const starts = edges.filter((edge) => edge.level === "sessions").reduce((sum, edge) => sum + edge.starts, 0);
      expect(starts).toBe(drawn.length > 0 ? 1 : 0);
    }),
  );
});

describe("the dimensions of an interval", () => {
  const dimsOf = (given: Partial<IntervalRecord>) =>
    resolveSession([given.interval === "" ? paired(given) : interval(given)], nowMs, timeout).spans.map(
      ({ dims }) => dims,
    );
  test("are those of the named interval", () => {
    expect(dimsOf({ startedMs: 10, endedMs: 20, dims: '{"medium":"audio"}' })).toEqual(['{"medium":"audio"}']);
  });
  test("are, for each paired interval, those that its own signs gave", () => {
    const given = { interval: "", startTimes: [10, 30, 50], endTimes: [20, 40] };
    const dimsAt: IntervalRecord["dimsAt"] = [
      [30, '{"medium":"video"}'],
      [20, '{"medium":"late"}'],
      [10, '{"medium":"audio"}'],
    ];
    expect(dimsOf({ ...given, dimsAt })).toEqual(['{"medium":"audio"}', '{"medium":"video"}', ""]);
  });
});

test("a session of more intervals than a call may have arguments is derived as any other", () => {
  const many = 130_000;
  const intervals = Array.from({ length: many }, (_, place) =>
    interval({ interval: `i${place}`, startedMs: place * 2, endedMs: place * 2 + 1 }),
  );
  const { edges, spans } = resolveSession(intervals, nowMs, timeout);
  expect([spans.length, edges.length]).toEqual([many, 4 * many]);
});
