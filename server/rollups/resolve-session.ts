/**
 * From what the events said about a session's intervals to the intervals that count, and to the edges of its levels.
 * Pure: the same intervals at the same `now` give the same session, in whatever order and however often events arrived.
 * All times are ms since 1970, UTC; intervals are half-open, [start, end).
 */

import { compareText } from "../contract/compare-text.ts";
import { sortSteps } from "../fairness/sort-steps.ts";
import { firstDimsFrom, firstFrom, type TimedDims, type TimedSilence } from "./interval-signs.ts";

/** The level whose records are closings of the session (`session.ended`), not intervals. */
export const closingLevel = "session";

/** What is known of one named interval, or of all that one user, or nobody, did in a session without naming intervals. */
export interface IntervalRecord {
  level: string;
  /** '' when the emitter named no interval: then `pairedUser` is the user whose starts and ends are paired, '' for those of no user. */
  interval: string;
  pairedUser: string;
  /** undefined: no start and no started_at was seen. */
  startedMs: number | undefined;
  /** undefined: no end was seen. */
  endedMs: number | undefined;
  /** The last sign of life of any kind. */
  seenMs: number;
  /** How long it may stay silent; undefined: the level's default. Paired ones: those whose own signs say nothing of it. */
  aliveWithinMs: number | undefined;
  /** For paired intervals: what each sign but an end says of that, in order of time. */
  aliveWithinAt: readonly TimedSilence[];
  /** Ascending, as are the two below. */
  startTimes: readonly number[];
  aliveTimes: readonly number[];
  endTimes: readonly number[];
  user: string;
  agent: string;
  /** Of a named interval, those of the earliest event that gave any: canonical JSON, '' for none. */
  dims: string;
  /** For paired intervals: (ms, dims) of every sign that named some, in order of time. */
  dimsAt: readonly TimedDims[];
}

/** An interval that counts. `endMs` is undefined while it is open; then it times out at `deadlineMs`. */
export interface Span {
  level: string;
  interval: string;
  user: string;
  agent: string;
  dims: string;
  startMs: number;
  endMs: number | undefined;
  timedOut: boolean;
  deadlineMs: number | undefined;
}

export interface Edge {
  level: string;
  atMs: number;
  /** Net change of the level at this instant: an end at t frees before a start at t. */
  delta: number;
  /** Intervals (for level `sessions`: sessions) that start at this instant. */
  starts: number;
}

export interface ResolvedSession {
  spans: Span[];
  /** Ordered by level, then time; at most one per level and instant. */
  edges: Edge[];
  /** Intervals, and users without a name for theirs, of whom an end or a sign of life waits for its start; counted nowhere. */
  orphans: number;
  /** The last signs of intervals whose end lies before their start; these are counted as zero. */
  invertedAt: number[];
}

/**
 * A named interval runs from its earliest start (or `started_at`) to its latest end. Without a name,
 * a user's starts and ends in the session are paired in order of time. What has no end is ended by the session's end,
 * or once `now` is more than the timeout past the last sign of life, at that last sign of life; else it is open. A step for each
 * interval: a session may have many.
 */
export function* resolveSteps(
  intervals: readonly IntervalRecord[],
  nowMs: number,
  defaultAliveWithinMs: number,
): Generator<undefined, ResolvedSession> {
  const closedAt = closingsOf(intervals);
  const spans: Span[] = [];
  let orphans = 0;
  const invertedAt: number[] = [];
  for (const record of intervals) {
    if (record.level === closingLevel) continue;
    const resolved = resolveInterval(record, closedAt, nowMs, defaultAliveWithinMs);
    if (resolved.isOrphan) orphans++;
    for (let left = resolved.inverted; left > 0; left--) invertedAt.push(record.seenMs);
    for (const span of resolved.spans) spans.push(span);
    yield;
  }
  const ordered = yield* sortSteps(spans, compareSpans);
  return { spans: ordered, edges: yield* edgeSteps(ordered), orphans, invertedAt };
}

/** When the session was ended, ascending. */
export function closingsOf(intervals: Iterable<IntervalRecord>): number[] {
  const closedAt = new Set<number>();
  for (const { level, endTimes } of intervals)
    if (level === closingLevel) for (const atMs of endTimes) closedAt.add(atMs);
  return [...closedAt].sort((a, b) => a - b);
}

/** What one interval comes to. `closedAt`: when its session was ended, ascending. */
export interface ResolvedInterval {
  /** Those that count. */
  spans: Span[];
  /** An end or a sign of life waits for its start. */
  isOrphan: boolean;
  /** How many of its intervals end before their start. */
  inverted: number;
}

export function resolveInterval(
  record: IntervalRecord,
  closedAt: readonly number[],
  nowMs: number,
  defaultAliveWithinMs: number,
): ResolvedInterval {
  const timeoutMs = record.aliveWithinMs ?? defaultAliveWithinMs;
  const found =
    record.interval === ""
      ? pairedSpans(record, closedAt, nowMs, timeoutMs)
      : namedSpan(record, closedAt, nowMs, timeoutMs);
  const spans = found.filter((span) => span.endMs === undefined || span.endMs >= span.startMs);
  const isOrphan = record.interval === "" ? hasStray(record) : found.length === 0;
  return { spans, isOrphan, inverted: found.length - spans.length };
}

/**
 * Whether an end or a sign of life without a name waits for its start: one that comes before every start of its user, whatever follows. What
 * comes after an end with no start between waits for none: it has the start that was ended already, and changes nothing, as when somebody is
 * said to leave by the connection that closed and once more by the session that is over. The same as in queries/orphans.sql.
 */
function hasStray({ startTimes, aliveTimes, endTimes }: IntervalRecord): boolean {
  const [firstMs = never] = startTimes;
  const [endMs, aliveMs] = [endTimes[0], aliveTimes[0]];
  return (endMs !== undefined && endMs <= firstMs) || (aliveMs !== undefined && aliveMs < firstMs);
}

/** When the signs were given that make an interval an orphan: without a name all of them, with one the last. */
export function strayTimes(record: IntervalRecord): readonly number[] {
  const { level, interval, startedMs, seenMs, startTimes, aliveTimes, endTimes } = record;
  if (level === closingLevel) return [];
  if (interval !== "") return startedMs === undefined ? [seenMs] : [];
  const [firstMs = never] = startTimes;
  const ends = endTimes.slice(0, firstFrom(endTimes, firstMs + 1));
  return [...ends, ...aliveTimes.slice(0, firstFrom(aliveTimes, firstMs))];
}

/** The order of a session's intervals. */
export function compareSpans(a: Span, b: Span): number {
  return (
    a.startMs - b.startMs ||
    compareText(a.level, b.level) ||
    compareText(a.interval, b.interval) ||
    compareText(a.user, b.user)
  );
}

function namedSpan(record: IntervalRecord, closedAt: readonly number[], nowMs: number, timeoutMs: number): Span[] {
  const { startedMs, seenMs } = record;
  if (startedMs === undefined) return [];
  const span = (endMs: number | undefined, timedOut = false): Span[] => [
    {
      level: record.level,
      interval: record.interval,
      user: record.user,
      agent: record.agent,
      dims: record.dims,
      startMs: startedMs,
      endMs,
      timedOut,
      deadlineMs: endMs === undefined ? seenMs + timeoutMs : undefined,
    },
  ];
  if (record.endedMs !== undefined) return span(record.endedMs);
  const closed = firstAfter(closedAt, startedMs);
  // The interval timed out before this closing of the session, which finds nothing open.
  if (closed !== undefined && closed <= seenMs + timeoutMs) return span(closed);
  if (nowMs > seenMs + timeoutMs) return span(seenMs, true);
  return span(undefined);
}

const firstAfter = (closedAt: readonly number[], atMs: number): number | undefined =>
  closedAt[firstFrom(closedAt, atMs + 1)];

/**
 * Walks one user's signs in order of time, at one instant an end first, then a sign of life, the session's end, a start. A start while
 * one is open and an end while none is open change nothing. How long it may be silent its own latest sign that says so decides: not an end,
 * after which nothing is silent, and none before its start. A start or the session's end after a silence longer than the timeout finds
 * the open one ended at the sign before it; without either, as with a name, only what comes last decides whether it timed out. Of the
 * session's ends only the first after a start is looked for, however many there are.
 */
function pairedSpans(record: IntervalRecord, closedAt: readonly number[], nowMs: number, usualMs: number): Span[] {
  const { startTimes, aliveTimes, endTimes, aliveWithinAt } = record;
  const spans: Span[] = [];
  let open: { startMs: number; closedMs: number } | undefined;
  let lastSignMs = 0;
  let timeoutMs = usualMs;
  let heeded = 0;
  // What is said at an instant holds from then on, for whatever is open by then.
  const heedBefore = (atMs: number) => {
    for (let said = aliveWithinAt[heeded]; said && said[0] < atMs; said = aliveWithinAt[++heeded]) timeoutMs = said[1];
  };
  const close = (endMs: number | undefined, timedOut: boolean) => {
    if (!open) return;
    spans.push({
      level: record.level,
      interval: "",
      user: record.pairedUser,
      agent: record.agent,
      dims: dimsWithin(record, open.startMs, endMs),
      startMs: open.startMs,
      endMs,
      timedOut,
      deadlineMs: endMs === undefined ? lastSignMs + timeoutMs : undefined,
    });
    open = undefined;
  };
  // What was silent for too long had timed out before the session ended.
  const closeWithSession = (closedMs: number) =>
    closedMs > lastSignMs + timeoutMs ? close(lastSignMs, true) : close(closedMs, false);
  let [start, alive, end] = [0, 0, 0];
  for (;;) {
    const [startMs, aliveMs, endMs] = [startTimes[start] ?? never, aliveTimes[alive] ?? never, endTimes[end] ?? never];
    const atMs = Math.min(startMs, aliveMs, endMs);
    const isStart = endMs !== atMs && aliveMs !== atMs;
    heedBefore(atMs);
    if (open && (open.closedMs < atMs || (isStart && open.closedMs === atMs))) closeWithSession(open.closedMs);
    if (atMs === never) break;
    if (endMs === atMs) {
      end++;
      close(atMs, false);
    } else if (aliveMs === atMs) alive++;
    else {
      start++;
      if (atMs > lastSignMs + timeoutMs) close(lastSignMs, true);
      if (!open) timeoutMs = usualMs;
      open ??= { startMs: atMs, closedMs: firstAfter(closedAt, atMs) ?? never };
    }
    lastSignMs = atMs;
  }
  if (nowMs > lastSignMs + timeoutMs) close(lastSignMs, true);
  else close(undefined, false);
  return spans;
}

/** After all signs. */
const never = Number.POSITIVE_INFINITY;

/** The dimensions that the first sign of a paired interval gave; the largest where one instant gave several. */
function dimsWithin({ dimsAt }: IntervalRecord, startMs: number, endMs: number | undefined): string {
  const first = firstDimsFrom(dimsAt, startMs);
  const atMs = dimsAt[first]?.[0];
  if (atMs === undefined || (endMs !== undefined && atMs > endMs)) return "";
  let largest = "";
  for (let index = first; dimsAt[index]?.[0] === atMs; index++) {
    const dims = (dimsAt[index] as TimedDims)[1];
    if (dims > largest) largest = dims;
  }
  return largest;
}

/**
 * Whether an end of the session at one of these instants, ascending, may change what the interval came to. One within the interval
 * may, or during the silence after it: then the interval would have ended there instead of at its last sign of life. One that an own
 * end follows by name may not.
 */
export function mayBeClosed(
  {
    interval,
    startedMs,
    endedMs,
    aliveWithinMs,
    aliveWithinAt,
  }: Pick<IntervalRecord, "interval" | "startedMs" | "endedMs" | "aliveWithinMs" | "aliveWithinAt">,
  spans: readonly Span[],
  closedAt: readonly number[],
  defaultAliveWithinMs: number,
): boolean {
  if (interval !== "" && endedMs !== undefined) return false;
  // One whose last sign of life is before its start counts nothing until it ends otherwise.
  if (interval !== "" && spans.length === 0) return startedMs !== undefined;
  let longestMs = aliveWithinMs ?? defaultAliveWithinMs;
  for (const [, ms] of aliveWithinAt) longestMs = Math.max(longestMs, ms);
  return spans.some(({ startMs, endMs, timedOut }) => {
    const closedMs = firstAfter(closedAt, startMs);
    if (closedMs === undefined || endMs === undefined) return closedMs !== undefined;
    return closedMs <= endMs + (timedOut ? longestMs : 0);
  });
}

/** Between two steps of edges: that many take a millisecond or two. */
const spansInStep = 4_096;

/**
 * The edges of the levels that one session's intervals make up, `sessions` included. Ordered by level, then time.
 */
export function* edgeSteps(spans: readonly Pick<Span, "level" | "startMs" | "endMs">[]): Generator<undefined, Edge[]> {
  const byLevel = new Map<string, Map<number, Edge>>();
  const at = (level: string, atMs: number): Edge => {
    const edges = byLevel.get(level) ?? new Map<number, Edge>();
    byLevel.set(level, edges);
    const edge = edges.get(atMs) ?? { level, atMs, delta: 0, starts: 0 };
    edges.set(atMs, edge);
    return edge;
  };
  let taken = 0;
  for (const { level, startMs, endMs } of spans) {
    if (++taken % spansInStep === 0) yield;
    at(level, startMs).starts++;
    if (endMs === startMs) continue;
    at(level, startMs).delta++;
    if (endMs !== undefined) at(level, endMs).delta--;
  }
  const edges: Edge[] = [];
  for (const [level, byTime] of [...byLevel].sort(([a], [b]) => compareText(a, b))) {
    const ordered = yield* sortSteps([...byTime.values()], (a, b) => a.atMs - b.atMs);
    // One by one: as arguments of one call, those of a large session overflow the stack.
    for (const edge of ordered) if (edge.delta !== 0 || edge.starts !== 0) edges.push(edge);
    if (level === "participants") for (const edge of sessionEdges(ordered)) edges.push(edge);
  }
  return edges;
}

/** The highest value of a level with these edges, ordered by time, and the first instant of it; 0 at 0 when it never rises. */
export function peakOf(edges: readonly Edge[]): { value: number; atMs: number } {
  let level = 0;
  const peak = { value: 0, atMs: 0 };
  for (const { atMs, delta } of edges) {
    level += delta;
    if (level > peak.value) Object.assign(peak, { value: level, atMs });
  }
  return peak;
}

/** A session is active while at least one participant interval covers the instant; it starts once, at its first. */
function sessionEdges(participants: readonly Edge[]): Edge[] {
  const edges: Edge[] = [];
  let present = 0;
  participants.forEach(({ atMs, delta }, index) => {
    const before = present;
    present += delta;
    const change = Number(present > 0) - Number(before > 0);
    const starts = index === 0 ? 1 : 0;
    if (change !== 0 || starts !== 0) edges.push({ level: "sessions", atMs, delta: change, starts });
  });
  return edges;
}
