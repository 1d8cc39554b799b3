/** Sessions as storage has them: what events said about their intervals, and what was derived from that before. */
import { z } from "zod";
import { defaultAliveWithinMs } from "../catalog/levels.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineColumnsQuery, defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { inSlices } from "../fairness/pace.ts";
import { signLimits } from "./interval-signs.ts";
import { type NodePath, pathOf } from "./minute-changes.ts";
import type { Edge } from "./resolve-session.ts";
import { groupIntervals, intervalColumns, type SessionIntervals, sessionKey } from "./session-intervals.ts";

const dirtyParams = z.object({ batches: z.array(z.number()), organizations: z.array(z.string()) });
/** Parameters of statements about some of the dirty sessions. */
export const dirtyShare = dirtyParams.extend({ share: z.number(), shares: z.number() });
const listed = z.object({ organizations: z.array(z.string()), sessions: z.array(z.string()) });
/** Which signs of intervals are read: fragments/what_is_known.sql. */
const signParams = { max_signs: z.number(), plain_alives: z.number(), usual_silence_ms: z.number() };
const signs = {
  max_signs: signLimits.most,
  plain_alives: signLimits.plainAlives,
  usual_silence_ms: defaultAliveWithinMs,
};

const derivedColumns = {
  organization: "text",
  session: "text",
  part: "number",
  partner: "text",
  reseller: "text",
  edge_level: "texts",
  edge_ms: "numbers",
  edge_delta: "numbers",
  edge_starts: "numbers",
  days: "numbers",
} as const;

const dirtySessions = defineQuery(
  "dirty_sessions",
  dirtyParams,
  z.object({ sessions: numberColumn, unassigned: numberColumn }),
);
const dirtyWithUnassigned = defineQuery(
  "dirty_organizations_with_unassigned_intervals",
  dirtyParams,
  z.object({ organization: z.string() }),
);
const marking = dirtyParams.extend({ batch: z.number() });
const markSessionsOfUnassigned = defineStatement("mark_sessions_of_unassigned", marking);
const markPlaceholderSessions = defineStatement("mark_placeholder_sessions", marking);
const sessionIntervals = defineColumnsQuery("session_intervals", dirtyShare.extend(signParams), intervalColumns);
const unassignedIntervals = defineColumnsQuery("unassigned_intervals", dirtyShare.extend(signParams), intervalColumns);
const derivedSessions = defineColumnsQuery("derived_sessions", dirtyShare, derivedColumns);
const intervalsOfSessions = defineColumnsQuery("intervals_of_sessions", listed.extend(signParams), intervalColumns);
const derivationsOfSessions = defineColumnsQuery("derivations_of_sessions", listed, derivedColumns);
const since = z.object({ since: z.number() });
const unfinishedEdges = defineColumnsQuery("unfinished_edges", since, {
  organization: "text",
  session: "text",
  minute: "number",
  level: "text",
  part: "number",
  partner: "text",
  reseller: "text",
  edge_ms: "numbers",
  edge_delta: "numbers",
  edge_starts: "numbers",
});
const unfinishedSessions = defineColumnsQuery("unfinished_sessions", since, derivedColumns);

/** Sessions resolved at once: bounds the memory of one step, whatever a batch or a rebuild makes dirty. */
const sessionsPerShare = 8_000;
/** Sessions that one statement names. */
const sessionsPerList = 500;

/** A session, or a part of one, as it was derived the last time. */
export interface DerivedPart extends NodePath {
  session: string;
  part: number;
  edges: Edge[];
  /** Where the table `presences` may have rows of it. */
  days: number[];
}

export interface StoredSession {
  known: SessionIntervals;
  earlier: DerivedPart[];
}

/** What some batches made dirty. */
export type DirtyMarks = z.input<typeof dirtyParams>;
export type DirtyShare = z.input<typeof dirtyShare>;

/**
 * The sessions that the batches made dirty, of the organizations that are named or of all, in pieces. Of unassigned intervals the
 * session that other events assign them to, and the one that they had until then, are marked as well. With every piece come all
 * organizations among them that have unassigned intervals.
 */
export async function* dirtyStoredSessions(
  clickhouse: ClickHouse,
  marks: DirtyMarks,
): AsyncGenerator<{ share: DirtyShare; sessions: Map<string, StoredSession>; withUnassigned: readonly string[] }> {
  const [batch] = marks.batches;
  let [counts] = await dirtySessions(clickhouse, marks);
  if (batch === undefined || !counts || counts.sessions + counts.unassigned === 0) return;
  if (counts.unassigned > 0) await markSessionsOfUnassigned(clickhouse, { ...marks, batch });
  const withUnassigned = (await dirtyWithUnassigned(clickhouse, marks)).map(({ organization }) => organization);
  if (withUnassigned.length > 0) {
    await markPlaceholderSessions(clickhouse, { ...marks, batch });
    [counts] = await dirtySessions(clickhouse, marks);
  }
  const shares = Math.max(1, Math.ceil((counts?.sessions ?? 0) / sessionsPerShare));
  for (let number = 0; number < shares; number++) {
    const share = { ...marks, share: number, shares };
    const [intervals, unassigned, derived] = await Promise.all([
      sessionIntervals(clickhouse, { ...share, ...signs }),
      withUnassigned.length > 0 ? unassignedIntervals(clickhouse, { ...share, ...signs }) : undefined,
      derivedSessions(clickhouse, share),
    ]);
    const known = await inSlices(groupIntervals(intervals, unassigned));
    yield { share, sessions: joined(known, asDerived(derived)), withUnassigned };
  }
}

/** The same of sessions by name; their organizations have no unassigned intervals. */
export async function* storedSessionsByName(
  clickhouse: ClickHouse,
  names: readonly { organization: string; session: string }[],
): AsyncGenerator<Map<string, StoredSession>> {
  for (let start = 0; start < names.length; start += sessionsPerList) {
    const some = names.slice(start, start + sessionsPerList);
    const list = {
      organizations: some.map(({ organization }) => organization),
      sessions: some.map(({ session }) => session),
    };
    const [intervals, derived] = await Promise.all([
      intervalsOfSessions(clickhouse, { ...list, ...signs }),
      derivationsOfSessions(clickhouse, list),
    ]);
    yield joined(await inSlices(groupIntervals(intervals)), asDerived(derived));
  }
}

/** A session that has lost its last interval to another one is among them, without intervals. */
function joined(known: Map<string, SessionIntervals>, derived: readonly DerivedPart[]): Map<string, StoredSession> {
  const sessions = new Map<string, StoredSession>();
  for (const [key, found] of known) sessions.set(key, { known: found, earlier: [] });
  for (const part of derived) {
    const key = sessionKey(part);
    const session = sessions.get(key);
    if (session) session.earlier.push(part);
    else
      sessions.set(key, {
        known: { ...pathOf(part), session: part.session, room: "", intervals: [] },
        earlier: [part],
      });
  }
  return sessions;
}

function asDerived({ rows, columns }: Awaited<ReturnType<typeof derivedSessions>>): DerivedPart[] {
  const at = <Value>(column: readonly Value[], row: number) => column[row] as Value;
  return Array.from({ length: rows }, (_, row) => ({
    organization: at(columns.organization, row),
    session: at(columns.session, row),
    part: at(columns.part, row),
    partner: at(columns.partner, row),
    reseller: at(columns.reseller, row),
    edges: at(columns.edge_ms, row).map((atMs, edge) => ({
      level: at(at(columns.edge_level, row), edge),
      atMs,
      delta: at(at(columns.edge_delta, row), edge),
      starts: at(at(columns.edge_starts, row), edge),
    })),
    days: at(columns.days, row),
  }));
}

/** The minutes of a session, or a part of one, of which a derivation that may not have ended wrote the edges. */
export interface UnfinishedMinute extends NodePath {
  session: string;
  part: number;
  minute: number;
  level: string;
}

/** `derived` is what was derived of their sessions before, by `partKey`. */
export async function readUnfinished(
  clickhouse: ClickHouse,
  since: number,
): Promise<{ minutes: UnfinishedMinute[]; derived: Map<string, DerivedPart> }> {
  const { rows, columns } = await unfinishedEdges(clickhouse, { since });
  if (rows === 0) return { minutes: [], derived: new Map() };
  const derived = asDerived(await unfinishedSessions(clickhouse, { since }));
  const at = <Value>(column: readonly Value[], row: number) => column[row] as Value;
  const minutes = Array.from({ length: rows }, (_, row) => ({
    organization: at(columns.organization, row),
    partner: at(columns.partner, row),
    reseller: at(columns.reseller, row),
    session: at(columns.session, row),
    part: at(columns.part, row),
    minute: at(columns.minute, row),
    level: at(columns.level, row),
  }));
  return { minutes, derived: new Map(derived.map((part) => [partKey(part), part])) };
}

export const partKey = (part: { organization: string; session: string; part: number }) =>
  `${sessionKey(part)}\0${part.part}`;
