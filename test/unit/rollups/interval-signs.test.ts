/** However many signs an interval without a name gives, what it comes to is that of all of them, and costs little. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { addInstant, firstFrom, lastOfSlices, signLimits, thinned } from "../../../server/rollups/interval-signs.ts";
import type { LevelEvent } from "../../../server/rollups/level-events.ts";
import { resolveInterval } from "../../../server/rollups/resolve-session.ts";
import { RunningSession } from "../../../server/rollups/running-session.ts";
import {
  foldEvent,
  intervalOfEvent,
  isOutdated,
  type KnownInterval,
} from "../../../server/rollups/session-intervals.ts";

const beganMs = Date.parse("2026-05-05T10:00:00Z");
const usualMs = 12 * 60 * 60 * 1000;
const path = { organization: "acme", session: "s", room: "", partner: "", reseller: "", agent: "" };
const sign = (action: string, ms: number, rest: Partial<LevelEvent> = {}): LevelEvent => ({
  ...path,
  level: "participants",
  interval: "",
  user: "u",
  startedMs: 0,
  aliveWithinMs: 0,
  dims: "",
  action,
  timeMs: beganMs + ms,
  ...rest,
});

/** The rule by itself: all signs in order of time, walked one by one. */
function walked(signs: readonly LevelEvent[], closedAt: readonly number[], nowMs: number): unknown[] {
  const order = ["end", "alive", "closed", "start"];
  const silences = signs.filter(({ aliveWithinMs, action }) => aliveWithinMs > 0 && action !== "end");
  silences.sort((a, b) => b.timeMs - a.timeMs || b.aliveWithinMs - a.aliveWithinMs);
  const all = [
    ...signs.map(({ timeMs: atMs, action: kind }) => ({ atMs, kind })),
    ...signs.filter((one) => one.startedMs > 0).map((one) => ({ atMs: one.startedMs, kind: "start" })),
    ...closedAt.map((atMs) => ({ atMs, kind: "closed" })),
  ].sort((a, b) => a.atMs - b.atMs || order.indexOf(a.kind) - order.indexOf(b.kind));
  const spans: unknown[] = [];
  let [startMs, lastMs]: [number | undefined, number] = [undefined, 0];
  const timeoutMs = () =>
    silences.find(({ timeMs }) => timeMs >= (startMs ?? 0) && timeMs <= lastMs)?.aliveWithinMs ?? usualMs;
  const close = (endMs: number | undefined, timedOut: boolean) => {
    if (startMs === undefined) return;
    const within = signs.filter((one) => one.dims !== "" && one.timeMs >= (startMs as number));
    const named = within.filter((one) => endMs === undefined || one.timeMs <= endMs);
    named.sort((a, b) => a.timeMs - b.timeMs || (a.dims < b.dims ? 1 : -1));
    spans.push([startMs, endMs, timedOut, named[0]?.dims ?? ""]);
    startMs = undefined;
  };
  for (const { atMs, kind } of all) {
    if ((kind === "closed" || kind === "start") && atMs > lastMs + timeoutMs()) close(lastMs, true);
    if (kind === "end" || kind === "closed") close(atMs, false);
    if (kind === "start") startMs ??= atMs;
    lastMs = atMs;
  }
  if (nowMs > lastMs + timeoutMs()) close(lastMs, true);
  else close(undefined, false);
  return spans;
}

const few = { plainAlives: 3 };

/** As storage has it, which knows every sign. */
function stored(signs: readonly LevelEvent[]): KnownInterval | undefined {
  const [first] = signs;
  if (!first) return undefined;
  const record = intervalOfEvent(first);
  for (const one of signs) foldEvent(record, one, { plainAlives: Number.POSITIVE_INFINITY });
  if (record.aliveTimes.length <= few.plainAlives) return record;
  record.thinnedWithinMs = record.shortestMs;
  record.aliveTimes = thinned(record.aliveTimes, record.thinnedWithinMs);
  record.aliveWithinAt = lastOfSlices(record.aliveWithinAt, record.thinnedWithinMs);
  return record;
}

const drawnSign = fc
  .record({
    action: fc.constantFrom("alive", "alive", "alive", "alive", "start", "end"),
    ms: fc.oneof(fc.nat(60), fc.nat(400)),
    startedMs: fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, fc.nat(400)),
    aliveWithinMs: fc.constantFrom(0, 0, 0, 0, 0, 20, 45),
    dims: fc.constantFrom("", "", '{"device":"a"}', '{"device":"b"}'),
  })
  .map(({ action, ms, startedMs, ...rest }) =>
    sign(action, ms, { ...rest, startedMs: startedMs === undefined ? 0 : beganMs + startedMs }),
  );

test("what signs of life are left out changes nothing, in whatever order signs come, are voided or amended, and memory has what storage leaves", () => {
  const step = fc.record({
    added: fc.array(drawnSign, { minLength: 1, maxLength: 6 }),
    closed: fc.option(fc.nat(400), { freq: 3 }),
    voided: fc.option(fc.nat(), { freq: 5 }),
    nowMs: fc.nat(600),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const known: LevelEvent[] = [];
      const closedAt = new Set<number>();
      let record: KnownInterval | undefined;
      for (const { added, closed, voided, nowMs } of steps) {
        if (closed !== null) closedAt.add(beganMs + closed);
        if (voided !== null && known.length > 0) {
          known.splice(voided % known.length, 1);
          record = stored(known);
        }
        for (const one of added) {
          known.push(one);
          record ??= intervalOfEvent(one);
          foldEvent(record, one, few);
          // Then it is let go, and read again.
          if (isOutdated(record)) record = stored(known);
        }
        if (!record) continue;
        expect(record).toEqual(stored(known));
        const closings = [...closedAt].sort((a, b) => a - b);
        const { spans } = resolveInterval(record, closings, beganMs + nowMs, usualMs);
        expect(spans.map(({ startMs, endMs, timedOut, dims }) => [startMs, endMs, timedOut, dims])).toEqual(
          walked(known, closings, beganMs + nowMs),
        );
      }
    }),
    { numRuns: 500, seed: 20_261_129 },
  );
});

/** Counts how often an element is read. */
function counted(times: number[]): { times: number[]; reads: () => number } {
  let reads = 0;
  const get = (target: number[], name: string | symbol) => {
    if (typeof name === "string" && /^\d+$/.test(name)) reads++;
    return Reflect.get(target, name);
  };
  return { times: new Proxy(times, { get }), reads: () => reads };
}

test("of signs of life without number few are kept, and an interval of many signs is looked through by halves", () => {
  const record = intervalOfEvent(sign("start", 0));
  foldEvent(record, sign("start", 0));
  for (let number = 1; number <= 20_000; number++) foldEvent(record, sign("alive", (number * 7_919) % 3_600_000));
  expect(record.aliveTimes.length).toBeLessThanOrEqual(signLimits.plainAlives);
  const many = counted(Array.from({ length: 100_000 }, (_, number) => 2 * number));
  for (let number = 0; number < 100; number++) firstFrom(many.times, 1_999 * number);
  expect(many.reads()).toBeLessThan(100 * 20);
  // Ends of the session without number cost an interval no more.
  const closings = counted(Array.from({ length: 100_000 }, (_, number) => beganMs + 10 * number));
  const { spans } = resolveInterval(record, closings.times, beganMs + 4_000_000, usualMs);
  expect(spans.map(({ startMs, endMs }) => [startMs - beganMs, (endMs ?? 0) - beganMs])).toEqual([[0, 10]]);
  expect(closings.reads()).toBeLessThan(25);
});

test("of every kind the latest signs count, up to a bound", () => {
  const times: number[] = [];
  const grown = [5, 1, 3, 3, 9, 0, 7].map((atMs) => addInstant(times, atMs, 3));
  expect([times, grown]).toEqual([
    [5, 7, 9],
    [1, 1, 1, 0, 0, 0, 0],
  ]);
});

test("every end of a session resolves again those alone whom it may end", () => {
  const session = RunningSession.begun(path);
  const intervals = 50;
  for (let number = 0; number < intervals; number++) {
    session.fold(sign("start", 0, { user: `over ${number}` }));
    session.fold(sign("end", 10, { user: `over ${number}` }));
    session.fold(sign("start", 0, { interval: `named ${number}` }));
    session.fold(sign("end", 9_000, { interval: `named ${number}` }));
    session.fold(sign("start", 0, { user: `open ${number}` }));
  }
  const nowMs = beganMs + 10_000;
  session.resolve(nowMs);
  const resolvedBy = (ms: number) => {
    session.fold(sign("end", ms, { level: "session" }));
    return [...session.resolveSteps(nowMs)].length;
  };
  expect(resolvedBy(5_000)).toBe(intervals);
  let more = 0;
  for (let ms = 5_001; ms < 5_200; ms++) more += resolvedBy(ms);
  expect(more).toBe(0);
  // One before ends them sooner.
  expect(resolvedBy(4_000)).toBe(intervals);
});
