/**
 * A session that runs while its organization moves belongs to its parents in turn: to the old one until the move, then to the
 * new one. Its edges are split there, so that each part carries a path of its own and every level above stays exact; as
 * a whole it stays one session, for its organization and for the root.
 */
import {
  type Edge,
  type IntervalRecord,
  peakOf,
  type ResolvedSession,
  type Span,
  strayTimes,
} from "./resolve-session.ts";
import { larger, type SessionIntervals } from "./session-intervals.ts";

/** The parents of an organization from `sinceMs` (ms since 1970, UTC) until its next placement; '' for a depth that is skipped. */
export interface Placement {
  sinceMs: number;
  partner: string;
  reseller: string;
}

/**
 * The placements of an organization that touch [fromMs, toMs], in order of time, neighbours on different paths; the first
 * began at or before `fromMs`. undefined: there is no such organization.
 */
export type PlacementsWithin = (organization: string, fromMs: number, toMs: number) => readonly Placement[] | undefined;

/** A row of `sessions`. Part 0 is the whole session; the others, if any, are what each placement has of it. */
export interface SessionPart {
  part: number;
  /** For the whole: how many parts follow. */
  parts: number;
  sinceMs: number;
  untilMs: number;
  partner: string;
  reseller: string;
  /** Empty for the whole of a session in parts: those of its parts come to the same at every node that has all of them. */
  edges: readonly Edge[];
  peak: { value: number; atMs: number };
}

/** Stands where a placement does not end. Fits into Int64 and is exact in JavaScript. */
export const endlessMs = Number.MAX_SAFE_INTEGER;

/**
 * The parts of `resolved`: one, or the whole and a part for each placement that had an interval of it. One placement that had all of
 * them is a part as well where orphans may have been sent under another; of orphans alone, sent under several, nobody above has it.
 * `placements` are those within its time, with its orphans and inverted intervals; `fallback` is the path where they are unknown.
 */
export function sessionParts(
  { edges, orphans, invertedAt }: ResolvedSession,
  placements: readonly Placement[] | undefined,
  fallback: { partner: string; reseller: string },
): SessionPart[] {
  const peak = participantsPeak(edges);
  const whole = { part: 0, parts: 0, sinceMs: 0, untilMs: endlessMs, edges, peak };
  if (!placements || placements.length < 2) return [{ ...whole, ...pathOf(placements?.[0] ?? fallback) }];
  const split = splitEdges(
    edges,
    placements.slice(1).map((placement) => placement.sinceMs),
  );
  const found = placements.flatMap((placement, index): Omit<SessionPart, "part">[] => {
    const own = split[index] ?? [];
    if (own.length === 0) return [];
    const sinceMs = index === 0 ? 0 : placement.sinceMs;
    const untilMs = placements[index + 1]?.sinceMs ?? endlessMs;
    return [{ parts: 0, sinceMs, untilMs, ...pathOf(placement), edges: own, peak: participantsPeak(own) }];
  });
  const [only] = found;
  if (!only) return [{ ...whole, partner: "", reseller: "" }];
  if (found.length === 1 && orphans === 0 && invertedAt.length === 0) return [{ ...whole, ...pathOf(only) }];
  return [
    { ...whole, parts: found.length, partner: "", reseller: "", edges: [] },
    ...found.map((part, index) => ({ ...part, part: index + 1 })),
  ];
}

type Stay = Pick<SessionPart, "sinceMs" | "untilMs">;

/** Whether it has all time. */
export const isWhole = ({ sinceMs, untilMs }: Stay): boolean => sinceMs === 0 && untilMs === endlessMs;

/** What was sent for the instant at which a part ends belongs to the next. */
export const isWithin =
  ({ sinceMs, untilMs }: Stay) =>
  (atMs: number): boolean =>
    atMs >= sinceMs && atMs < untilMs;

/** How many intervals have a sign within the part that waits for its start. */
export const orphansWithin = (intervals: readonly IntervalRecord[], part: Stay): number =>
  intervals.reduce((count, one) => count + Number(strayTimes(one).some(isWithin(part))), 0);

/** The room of a session as far as the intervals say that were known of before an instant, and gave signs or were open since another. */
export function roomWithin(
  { room, rooms, intervals }: Pick<SessionIntervals, "room" | "rooms" | "intervals">,
  { sinceMs, untilMs }: Stay,
): string {
  if (!rooms) return room;
  return intervals.reduce((found, { startedMs, endedMs, seenMs, startTimes, aliveTimes, endTimes }, index) => {
    const signs = [startedMs, endedMs, seenMs, startTimes[0], aliveTimes[0], endTimes[0]];
    const firstMs = signs.reduce<number>((first, atMs) => Math.min(first, atMs ?? first), Number.POSITIVE_INFINITY);
    const isOpen = endedMs === undefined || endedMs < (startTimes.at(-1) ?? 0);
    return firstMs < untilMs && (seenMs >= sinceMs || isOpen) ? larger(found, rooms[index] ?? "") : found;
  }, "");
}

/** The intervals clipped to a part. */
export function spansWithin(spans: readonly Span[], part: Stay): readonly Span[] {
  if (isWhole(part)) return spans;
  const { sinceMs, untilMs } = part;
  return spans.flatMap((span) => {
    const endMs = span.endMs ?? endlessMs;
    const isHere = span.startMs < untilMs && (endMs > sinceMs || span.startMs >= sinceMs);
    if (!isHere) return [];
    const isEndCut = endMs > untilMs || span.endMs === undefined;
    return [
      {
        ...span,
        startMs: Math.max(span.startMs, sinceMs),
        endMs: untilMs === endlessMs ? span.endMs : isEndCut ? untilMs : endMs,
      },
    ];
  });
}

/**
 * Cuts levels at `bounds`, ascending: an interval that runs at a bound ends there in one list and goes on in the next, which
 * does not count as a start. The lists add up to the same levels. Ordered as `edges` are: by level, then time.
 */
export function splitEdges(edges: readonly Edge[], bounds: readonly number[]): Edge[][] {
  const lists = Array.from({ length: bounds.length + 1 }, (): Edge[] => []);
  let level: string | undefined;
  let running = 0;
  let index = 0;
  const moveOn = (until: number) => {
    for (; level !== undefined && index < bounds.length && (bounds[index] as number) <= until; index++) {
      if (running === 0) continue;
      const atMs = bounds[index] as number;
      lists[index]?.push({ level, atMs, delta: -running, starts: 0 });
      lists[index + 1]?.push({ level, atMs, delta: running, starts: 0 });
    }
  };
  for (const edge of edges) {
    if (edge.level !== level) {
      moveOn(Number.POSITIVE_INFINITY);
      level = edge.level;
      running = 0;
      index = 0;
    }
    moveOn(edge.atMs);
    const list = lists[index] as Edge[];
    const last = list.at(-1);
    if (last?.level === level && last.atMs === edge.atMs) {
      list.pop();
      const delta = last.delta + edge.delta;
      if (delta !== 0 || edge.starts !== 0) list.push({ ...edge, delta });
    } else list.push(edge);
    running += edge.delta;
  }
  moveOn(Number.POSITIVE_INFINITY);
  return lists;
}

const pathOf = ({ partner, reseller }: { partner: string; reseller: string }) => ({ partner, reseller });
const participantsPeak = (edges: readonly Edge[]) => peakOf(edges.filter((edge) => edge.level === "participants"));
