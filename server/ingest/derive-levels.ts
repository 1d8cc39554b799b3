/**
 * After a batch is stored: the sessions it touched are resolved again from their intervals, the minutes in which their
 * edges changed are written, and the slots of those minutes computed for every node above. `sessions` is written last,
 * so that a crash anywhere in between is healed by doing it again.
 *
 * One derivation runs at a time: two at once could each see the other's session half written.
 */
import { z } from "zod";
import { defaultAliveWithinMs } from "../catalog/catalog.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineInsert, defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { type Edge, type Member, peakOf, type ResolvedSession, resolveSession } from "../metrics/resolve-session.ts";
import { presenceDays } from "./presence-days.ts";

const batches = z.object({ batches: z.array(z.number()) });
const share = batches.extend({ share: z.number(), shares: z.number() });
const millis = z.coerce.number();

const memberRow = z.object({
  organization: z.string(),
  session: z.string(),
  level: z.string(),
  interval: z.string(),
  member: z.string(),
  started_ms: millis,
  ended_ms: millis,
  seen_ms: millis,
  alive_within_ms: millis,
  start_times: z.array(millis),
  alive_times: z.array(millis),
  end_times: z.array(millis),
  user: z.string(),
  room: z.string(),
  agent: z.string(),
  partner: z.string(),
  reseller: z.string(),
  dims: z.string(),
  dims_at: z.array(z.tuple([millis, z.string()])),
});
type MemberRow = z.output<typeof memberRow>;

const derivedRow = z.object({
  organization: z.string(),
  session: z.string(),
  partner: z.string(),
  reseller: z.string(),
  edge_level: z.array(z.string()),
  edge_ms: z.array(millis),
  edge_delta: z.array(millis),
  edge_starts: z.array(millis),
  days: z.array(millis),
});

const touchedSessions = defineQuery("touched_sessions", batches, z.object({ sessions: millis, nameless: millis }));
const hasStrays = defineQuery("has_strays", batches, z.object({ found: millis }));
const touchSessionsOfNameless = defineStatement("touch_sessions_of_nameless", batches.extend({ batch: z.number() }));
const touchSessionsOfStrays = defineStatement("touch_sessions_of_strays", batches.extend({ batch: z.number() }));
const sessionMembers = defineQuery("session_members", share, memberRow);
const strayMembers = defineQuery("stray_members", share, memberRow);
const derivedSessions = defineQuery("derived_sessions", share, derivedRow);
const noParams = z.object({});
const insertSessions = defineInsert("insert_sessions", noParams);
const insertOpenSessions = defineInsert("insert_open_sessions", noParams);
const insertLevelEdges = defineInsert("insert_level_edges", noParams);
const deriveSlots = defineStatement("derive_slots", z.object({ version: z.number() }));

/** Sessions resolved at once: bounds the memory of one step, whatever a batch or a rebuild touches. */
const sessionsPerShare = 25_000;
/** Larger than every ms since 1970 that an event can have: stands in `started_ms` where no start was seen. */
const neverMs = 8e15;
const minuteMs = 60_000;

export interface Derivation {
  /** Node addresses whose levels may have changed. */
  touchedNodes: Set<string>;
  sessions: number;
  changedMinutes: number;
}

export interface LevelDeriver {
  /** Derives what the batches touched; they must be stored. Idempotent. `nowMs` decides what has timed out. */
  derive(
    batches: readonly number[],
    nowMs: number,
    scope?: DerivationScope,
    /** Runs first, while nothing else is derived. */
    prepare?: () => Promise<void>,
  ): Promise<Derivation>;
}

/** `changes`: minutes whose edges differ from those derived before; `everything`: all of them, to restore lost rows. */
export type DerivationScope = "changes" | "everything";

/** The partner and reseller that the organization stood under at `timeMs`, '' where there is none; undefined: unknown. */
export type PathAt = (organization: string, timeMs: number) => { partner: string; reseller: string } | undefined;

/** `nextVersion` gives numbers that only grow, also over restarts; of two rows of one key the larger wins. */
export function createLevelDeriver(
  clickhouse: ClickHouse,
  nextVersion: () => number,
  pathAt: PathAt = () => undefined,
): LevelDeriver {
  let running: Promise<unknown> = Promise.resolve();

  async function deriveAlone(batches: readonly number[], nowMs: number, scope: DerivationScope): Promise<Derivation> {
    const derivation: Derivation = { touchedNodes: new Set(), sessions: 0, changedMinutes: 0 };
    const touching = { batches: [...batches] };
    let [touched] = await touchedSessions(clickhouse, touching);
    if (!touched || touched.sessions + touched.nameless === 0) return derivation;
    const [batch] = batches;
    if (batch === undefined) return derivation;
    if (touched.nameless > 0) await touchSessionsOfNameless(clickhouse, { ...touching, batch });
    const strays = (await hasStrays(clickhouse, touching)).length > 0;
    if (strays) {
      await touchSessionsOfStrays(clickhouse, { ...touching, batch });
      [touched] = await touchedSessions(clickhouse, touching);
    }
    const shares = Math.max(1, Math.ceil((touched?.sessions ?? 0) / sessionsPerShare));
    for (let share = 0; share < shares; share++)
      await deriveShare({ ...touching, share, shares }, strays, nowMs, scope, derivation);
    return derivation;
  }

  async function deriveShare(
    share: { batches: number[]; share: number; shares: number },
    strays: boolean,
    nowMs: number,
    scope: DerivationScope,
    derivation: Derivation,
  ): Promise<void> {
    const version = nextVersion();
    const [members, stray, before] = await Promise.all([
      sessionMembers(clickhouse, share),
      strays ? strayMembers(clickhouse, share) : [],
      derivedSessions(clickhouse, share),
    ]);
    const earlier = new Map(before.map((row) => [sessionKey(row), row]));
    const sessions = groupMembers(members, stray);
    // A session that has lost its last interval to another one is resolved too, to nothing.
    for (const row of before)
      if (!sessions.has(sessionKey(row))) sessions.set(sessionKey(row), { ...row, room: "", rows: [] });

    const edgeRows: string[] = [];
    const sessionRows: string[] = [];
    const openRows: string[] = [];
    for (const [key, session] of sessions) {
      const resolved = resolveSession(session.rows.map(toMember), nowMs, defaultAliveWithinMs);
      // A session that runs while its organization moves stays whole with the parent it began under.
      const beganMs = resolved.spans[0]?.startMs;
      if (beganMs !== undefined) Object.assign(session, pathAt(session.organization, beganMs));
      const changed = changedMinutes(earlier.get(key), resolved.edges, scope);
      for (const minute of changed) edgeRows.push(JSON.stringify({ ...placeOf(session), ...minute, version }));
      derivation.changedMinutes += changed.length;
      if (changed.length > 0) for (const node of nodesAbove(session)) derivation.touchedNodes.add(node);
      sessionRows.push(JSON.stringify(sessionRow(session, resolved, earlier.get(key)?.days ?? [], version)));
      openRows.push(JSON.stringify(openRow(session, resolved, version, nowMs)));
    }
    if (edgeRows.length > 0) {
      await insertLevelEdges(clickhouse, asBody(edgeRows), {});
      await deriveSlots(clickhouse, { version });
    }
    if (openRows.length > 0) await insertOpenSessions(clickhouse, asBody(openRows), {});
    if (sessionRows.length > 0) await insertSessions(clickhouse, asBody(sessionRows), {});
    derivation.sessions += sessions.size;
  }

  return {
    derive(batches, nowMs, scope = "changes", prepare = async () => undefined) {
      const next = running.then(prepare).then(() => deriveAlone(batches, nowMs, scope));
      running = next.catch(() => undefined);
      return next;
    },
  };
}

interface TouchedSession {
  organization: string;
  session: string;
  partner: string;
  reseller: string;
  room: string;
  rows: MemberRow[];
}

function groupMembers(members: readonly MemberRow[], strays: readonly MemberRow[]): Map<string, TouchedSession> {
  const sessions = new Map<string, TouchedSession>();
  for (const row of [...members, ...strays]) {
    const key = sessionKey(row);
    const session = sessions.get(key);
    if (!session) {
      const { organization, session: id, partner, reseller, room } = row;
      sessions.set(key, { organization, session: id, partner, reseller, room, rows: [row] });
      continue;
    }
    const twin = strays.length === 0 ? undefined : session.rows.findIndex((other) => isSameMember(other, row));
    if (twin === undefined || twin < 0) session.rows.push(row);
    else session.rows[twin] = mergeMembers(session.rows[twin] as MemberRow, row);
    session.partner = larger(session.partner, row.partner);
    session.reseller = larger(session.reseller, row.reseller);
    session.room = larger(session.room, row.room);
  }
  return sessions;
}

const isSameMember = (a: MemberRow, b: MemberRow) =>
  a.interval !== "" && a.level === b.level && a.interval === b.interval && a.member === b.member;

/** The same minima, maxima and sets by which the table `intervals` folds its rows. */
function mergeMembers(a: MemberRow, b: MemberRow): MemberRow {
  return {
    ...a,
    started_ms: Math.min(a.started_ms, b.started_ms),
    ended_ms: Math.max(a.ended_ms, b.ended_ms),
    seen_ms: Math.max(a.seen_ms, b.seen_ms),
    alive_within_ms:
      a.seen_ms >= b.seen_ms ? a.alive_within_ms || b.alive_within_ms : b.alive_within_ms || a.alive_within_ms,
    user: larger(a.user, b.user),
    agent: larger(a.agent, b.agent),
    dims: larger(a.dims, b.dims),
  };
}

function toMember(row: MemberRow): Member {
  return {
    level: row.level,
    interval: row.interval,
    member: row.member,
    startedMs: row.started_ms > neverMs ? undefined : row.started_ms,
    endedMs: row.ended_ms === 0 ? undefined : row.ended_ms,
    seenMs: row.seen_ms,
    aliveWithinMs: row.alive_within_ms === 0 ? undefined : row.alive_within_ms,
    startTimes: row.start_times,
    aliveTimes: row.alive_times,
    endTimes: row.end_times,
    user: row.user,
    agent: row.agent,
    dims: row.dims,
    dimsAt: row.dims_at,
  };
}

interface MinuteEdges {
  minute: number;
  level: string;
  edge_ms: number[];
  edge_delta: number[];
  edge_starts: number[];
}

/** The (minute, level) pairs whose edges differ from those written before; without edges where they are gone. */
function changedMinutes(
  before: z.output<typeof derivedRow> | undefined,
  edges: readonly Edge[],
  scope: DerivationScope,
): MinuteEdges[] {
  const after = edgesByMinute(edges);
  const earlier = edgesByMinute(
    (before?.edge_ms ?? []).map((atMs, index) => ({
      level: before?.edge_level[index] ?? "",
      atMs,
      delta: before?.edge_delta[index] ?? 0,
      starts: before?.edge_starts[index] ?? 0,
    })),
  );
  const changed: MinuteEdges[] = [];
  for (const [key, minute] of after)
    if (scope === "everything" || JSON.stringify(earlier.get(key)) !== JSON.stringify(minute)) changed.push(minute);
  for (const [key, { minute, level }] of earlier)
    if (!after.has(key)) changed.push({ minute, level, edge_ms: [], edge_delta: [], edge_starts: [] });
  return changed;
}

function edgesByMinute(edges: readonly Edge[]): Map<string, MinuteEdges> {
  const minutes = new Map<string, MinuteEdges>();
  for (const { level, atMs, delta, starts } of edges) {
    const minute = Math.floor(atMs / minuteMs) * (minuteMs / 1000);
    const key = `${minute} ${level}`;
    const row = minutes.get(key) ?? { minute, level, edge_ms: [], edge_delta: [], edge_starts: [] };
    minutes.set(key, row);
    row.edge_ms.push(atMs);
    row.edge_delta.push(delta);
    row.edge_starts.push(starts);
  }
  return minutes;
}

function sessionRow(
  session: TouchedSession,
  { spans, edges, orphans, inverted }: ResolvedSession,
  earlierDays: readonly number[],
  version: number,
): object {
  const participants = edges.filter((edge) => edge.level === "participants");
  const peak = peakOf(participants);
  const present = spans.filter((span) => span.level === "participants");
  const isOpen = present.some((span) => span.endMs === undefined);
  return {
    ...placeOf(session),
    version,
    room: session.room,
    started_ms: present.reduce((first, span) => Math.min(first, span.startMs), present[0]?.startMs ?? 0),
    ended_ms: isOpen ? 0 : present.reduce((last, span) => Math.max(last, span.endMs ?? 0), 0),
    open_spans: spans.filter((span) => span.endMs === undefined).length,
    deadline_ms: nextDeadline(spans),
    peak_participants: peak.value,
    peak_at_ms: peak.atMs,
    orphans,
    inverted,
    timed_out: spans.filter((span) => span.timedOut).length,
    span_level: spans.map((span) => span.level),
    span_interval: spans.map((span) => span.interval),
    span_user: spans.map((span) => span.user),
    span_agent: spans.map((span) => span.agent),
    span_dims: spans.map((span) => span.dims),
    span_start_ms: spans.map((span) => span.startMs),
    span_end_ms: spans.map((span) => span.endMs ?? 0),
    span_timed_out: spans.map((span) => Number(span.timedOut)),
    edge_level: edges.map((edge) => edge.level),
    edge_ms: edges.map((edge) => edge.atMs),
    edge_delta: edges.map((edge) => edge.delta),
    edge_starts: edges.map((edge) => edge.starts),
    days: presenceDays(spans, earlierDays),
  };
}

/** A session stays listed while an interval is open, or while its last end lies ahead: then it is looked at again. */
function openRow(session: TouchedSession, { spans }: ResolvedSession, version: number, nowMs: number): object {
  const lastEndMs = spans.reduce((last, span) => Math.max(last, span.endMs ?? 0), 0);
  const deadlineMs = nextDeadline(spans) || (lastEndMs > nowMs ? lastEndMs : 0);
  const { organization, session: id } = session;
  return { organization, session: id, version, deadline_ms: deadlineMs, is_deleted: deadlineMs === 0 ? 1 : 0 };
}

function nextDeadline(spans: readonly { deadlineMs: number | undefined }[]): number {
  const deadlines = spans.flatMap((span) => (span.deadlineMs === undefined ? [] : [span.deadlineMs]));
  return deadlines.reduce((first, deadline) => Math.min(first, deadline), deadlines[0] ?? 0);
}

function placeOf({ organization, session, partner, reseller }: TouchedSession) {
  return { organization, session, partner, reseller };
}

function nodesAbove({ organization, partner, reseller }: TouchedSession): string[] {
  return [
    `organization:${organization}`,
    ...(reseller ? [`reseller:${reseller}`] : []),
    ...(partner ? [`partner:${partner}`] : []),
    "all",
  ];
}

const sessionKey = ({ organization, session }: { organization: string; session: string }) =>
  `${organization}\0${session}`;
const larger = (a: string, b: string) => (a > b ? a : b);
const asBody = (rows: readonly string[]) => [Buffer.from(rows.join("\n"))];
