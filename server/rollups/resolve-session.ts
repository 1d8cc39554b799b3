/**
 * From what the events said about a session's intervals to the intervals that count, and to the edges of its levels.
 * Pure: the same members at the same `now` give the same session, in whatever order and however often events arrived.
 * All times are ms since 1970, UTC; intervals are half-open, [start, end).
 */

/** The level whose members are the closings of the session (`session.ended`), not intervals. */
export const closingLevel = "session";

/** What is known of one named interval, or of all that one user did in a session without naming intervals. */
export interface Member {
  level: string;
  /** '' when the emitter named no interval: then `member` is the user whose starts and ends are paired. */
  interval: string;
  member: string;
  /** undefined: no start and no started_at was seen. */
  startedMs: number | undefined;
  /** undefined: no end was seen. */
  endedMs: number | undefined;
  /** The last sign of life of any kind. */
  seenMs: number;
  /** How long it may stay silent; undefined: the level's default. */
  aliveWithinMs: number | undefined;
  startTimes: readonly number[];
  aliveTimes: readonly number[];
  endTimes: readonly number[];
  user: string;
  agent: string;
  /** Canonical JSON of its dimensions, '' for none. */
  dims: string;
  /** For paired members: (ms, dims) of every sign that named some. */
  dimsAt: readonly (readonly [number, string])[];
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
  /** Ends and signs of life that wait for their start; counted nowhere. */
  orphans: number;
  /** Intervals whose end lies before their start; counted as zero. */
  inverted: number;
}

/**
 * A named interval runs from its earliest start (or `started_at`) to its latest end. Without a name,
 * a user's starts and ends in the session are paired in order of time. What has no end is ended by the session's end,
 * or once `now` is more than the timeout past the last sign of life, at that last sign of life; else it is open.
 */
export function resolveSession(
  members: readonly Member[],
  nowMs: number,
  defaultAliveWithinMs: number,
): ResolvedSession {
  const closedAt = closingsOf(members);
  const spans: Span[] = [];
  let orphans = 0;
  let inverted = 0;
  for (const member of members) {
    if (member.level === closingLevel) continue;
    const resolved = resolveMember(member, closedAt, nowMs, defaultAliveWithinMs);
    if (resolved.isOrphan) orphans++;
    inverted += resolved.inverted;
    for (const span of resolved.spans) spans.push(span);
  }
  spans.sort(compareSpans);
  return { spans, edges: edgesOf(spans), orphans, inverted };
}

/** When the session was ended, ascending. */
export function closingsOf(members: Iterable<Member>): number[] {
  const closedAt = new Set<number>();
  for (const { level, endTimes } of members)
    if (level === closingLevel) for (const atMs of endTimes) closedAt.add(atMs);
  return [...closedAt].sort((a, b) => a - b);
}

/** What one member comes to. `closedAt`: when its session was ended, ascending. */
export interface ResolvedMember {
  /** Those that count. */
  spans: Span[];
  /** It waits for a start. */
  isOrphan: boolean;
  /** How many of its intervals end before their start. */
  inverted: number;
}

export function resolveMember(
  member: Member,
  closedAt: readonly number[],
  nowMs: number,
  defaultAliveWithinMs: number,
): ResolvedMember {
  const timeoutMs = member.aliveWithinMs ?? defaultAliveWithinMs;
  const found =
    member.interval === ""
      ? pairedSpans(member, closedAt, nowMs, timeoutMs)
      : namedSpan(member, closedAt, nowMs, timeoutMs);
  const spans = found.filter((span) => span.endMs === undefined || span.endMs >= span.startMs);
  return { spans, isOrphan: found.length === 0, inverted: found.length - spans.length };
}

/** The order of a session's intervals. */
export function compareSpans(a: Span, b: Span): number {
  return a.startMs - b.startMs || compareText(a.level, b.level) || compareText(spanKey(a), spanKey(b));
}

function namedSpan(member: Member, closedAt: readonly number[], nowMs: number, timeoutMs: number): Span[] {
  const { startedMs, seenMs } = member;
  if (startedMs === undefined) return [];
  const span = (endMs: number | undefined, timedOut = false): Span[] => [
    {
      level: member.level,
      interval: member.interval,
      user: member.user,
      agent: member.agent,
      dims: member.dims,
      startMs: startedMs,
      endMs,
      timedOut,
      deadlineMs: endMs === undefined ? seenMs + timeoutMs : undefined,
    },
  ];
  if (member.endedMs !== undefined) return span(member.endedMs);
  const closed = closedAt.find((atMs) => atMs > startedMs);
  // The interval timed out before this closing of the session, which finds nothing open.
  if (closed !== undefined && closed <= seenMs + timeoutMs) return span(closed);
  if (nowMs > seenMs + timeoutMs) return span(seenMs, true);
  return span(undefined);
}

type SignKind = "end" | "closed" | "start" | "alive";
const signOrder: Record<SignKind, number> = { end: 0, alive: 1, closed: 2, start: 3 };
/** What cannot belong to an interval that was silent for longer than its timeout; an own end or sign of life says that it went on. */
const newBeginnings: ReadonlySet<SignKind> = new Set(["closed", "start"]);

/**
 * Walks one user's signs in order of time, an end before a start at one instant. A start while one is open and an end
 * while none is open change nothing. A start or the session's end after a silence longer than the timeout finds the open one
 * ended at the sign before it; without either, as with a name, only what comes last tells whether it timed out.
 */
function pairedSpans(member: Member, closedAt: readonly number[], nowMs: number, timeoutMs: number): Span[] {
  const signs: { atMs: number; kind: SignKind }[] = [
    ...member.endTimes.map((atMs) => ({ atMs, kind: "end" as const })),
    ...closedAt.map((atMs) => ({ atMs, kind: "closed" as const })),
    ...member.startTimes.map((atMs) => ({ atMs, kind: "start" as const })),
    ...member.aliveTimes.map((atMs) => ({ atMs, kind: "alive" as const })),
  ].sort((a, b) => a.atMs - b.atMs || signOrder[a.kind] - signOrder[b.kind]);
  const spans: Span[] = [];
  let startMs: number | undefined;
  let lastSignMs = 0;
  const close = (endMs: number | undefined, timedOut: boolean) => {
    if (startMs === undefined) return;
    spans.push({
      level: member.level,
      interval: "",
      user: member.member,
      agent: member.agent,
      dims: dimsWithin(member, startMs, endMs),
      startMs,
      endMs,
      timedOut,
      deadlineMs: endMs === undefined ? lastSignMs + timeoutMs : undefined,
    });
    startMs = undefined;
  };
  for (const { atMs, kind } of signs) {
    if (newBeginnings.has(kind) && atMs > lastSignMs + timeoutMs) close(lastSignMs, true);
    if (kind === "end" || kind === "closed") close(atMs, false);
    else if (kind === "start") startMs ??= atMs;
    lastSignMs = atMs;
  }
  if (nowMs > lastSignMs + timeoutMs) close(lastSignMs, true);
  else close(undefined, false);
  return spans;
}

/** The dimensions that the first sign of a paired interval gave; the largest where one instant gave several. */
function dimsWithin({ dimsAt }: Member, startMs: number, endMs: number | undefined): string {
  let first: readonly [number, string] | undefined;
  for (const sign of dimsAt) {
    const [atMs, dims] = sign;
    if (atMs < startMs || (endMs !== undefined && atMs > endMs)) continue;
    if (!first || atMs < first[0] || (atMs === first[0] && dims > first[1])) first = sign;
  }
  return first?.[1] ?? "";
}

/**
 * The edges of the levels that one session's intervals make up, `sessions` included. Ordered by level, then time.
 */
export function edgesOf(spans: readonly Pick<Span, "level" | "startMs" | "endMs">[]): Edge[] {
  const byLevel = new Map<string, Map<number, Edge>>();
  const at = (level: string, atMs: number): Edge => {
    const edges = byLevel.get(level) ?? new Map<number, Edge>();
    byLevel.set(level, edges);
    const edge = edges.get(atMs) ?? { level, atMs, delta: 0, starts: 0 };
    edges.set(atMs, edge);
    return edge;
  };
  for (const { level, startMs, endMs } of spans) {
    at(level, startMs).starts++;
    if (endMs === startMs) continue;
    at(level, startMs).delta++;
    if (endMs !== undefined) at(level, endMs).delta--;
  }
  const edges: Edge[] = [];
  for (const [level, byTime] of [...byLevel].sort(([a], [b]) => compareText(a, b))) {
    const ordered = [...byTime.values()].sort((a, b) => a.atMs - b.atMs);
    edges.push(...ordered.filter((edge) => edge.delta !== 0 || edge.starts !== 0));
    if (level === "participants") edges.push(...sessionEdges(ordered));
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

const spanKey = (span: Span) => `${span.interval}\0${span.user}`;
const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
