/** Sessions as storage has them: what events said about their intervals, and what was derived from that before. */
import { z } from "zod";
import { defaultAliveWithinMs } from "../catalog/levels.ts";
import { type ClickHouse, StatementTooHeavyError } from "../clickhouse/client.ts";
import { defineColumnsQuery, defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { inSlices } from "../fairness/pace.ts";
import { signLimits } from "./interval-signs.ts";
import { type NodePath, pathOf } from "./minute-changes.ts";
import type { Edge } from "./resolve-session.ts";
import { groupIntervals, intervalColumns, type SessionIntervals, sessionKey } from "./session-intervals.ts";
import type { SessionName, SetAside } from "./set-aside.ts";

const dirtyParams = z.object({ batches: z.array(z.number()), organizations: z.array(z.string()) });
/** Parameters of statements about some of the dirty sessions. */
export const dirtyShare = dirtyParams.extend({
  share: z.number(),
  shares: z.number(),
  aside_organizations: z.array(z.string()),
  aside_sessions: z.array(z.string()),
});
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
/** Their sessions are among what the batch made dirty. */
export const markSessions = defineStatement("mark_sessions", listed.extend({ batch: z.number() }));
const sessionIntervals = defineColumnsQuery("session_intervals", dirtyShare.extend(signParams), intervalColumns);
const unassignedIntervals = defineColumnsQuery("unassigned_intervals", dirtyShare.extend(signParams), intervalColumns);
const sessionName = z.object({ organization: z.string(), session: z.string() });
const sessionsOfShare = defineQuery("sessions_of_share", dirtyShare, sessionName);
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
/** Beyond it a share is halved no more. */
const mostShares = 2 ** 30;
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

/** What is left out, and what is to be. */
export interface Leaving {
  aside: Pick<SetAside, "asParams" | "has">;
  /** Told of a session that takes more than a derivation may read: it is left out, so that it holds up no other. It may throw `error`. */
  onTooLarge: (name: SessionName, error: StatementTooHeavyError) => void;
}

/**
 * The sessions that the batches made dirty, of the organizations that are named or of all, in pieces. Of unassigned intervals the
 * session that other events assign them to, and the one that they had until then, are marked as well. With every piece come all
 * organizations among them that have unassigned intervals.
 */
export async function* dirtyStoredSessions(
  clickhouse: ClickHouse,
  marks: DirtyMarks,
  leaving: Leaving,
): AsyncGenerator<{ share: DirtyShare; sessions: Map<string, StoredSession>; withUnassigned: readonly string[] }> {
  const [batch] = marks.batches;
  let [counts] = await dirtySessions(clickhouse, marks);
  if (batch === undefined || !counts || counts.sessions + counts.unassigned === 0) return;
  if (counts.unassigned > 0) await markSessionsOfUnassigned(clickhouse, { ...marks, batch });
  const placed = await markPlaceholderSessions(clickhouse, { ...marks, batch });
  const withUnassigned = (await dirtyWithUnassigned(clickhouse, marks)).map(({ organization }) => organization);
  if (counts.unassigned > 0 || placed.writtenRows > 0) [counts] = await dirtySessions(clickhouse, marks);
  const shares = Math.max(1, Math.ceil((counts?.sessions ?? 0) / sessionsPerShare));
  for (let number = 0; number < shares; number++) {
    const share = { ...marks, share: number, shares, ...leaving.aside.asParams() };
    for await (const read of readShare(clickhouse, share, withUnassigned.length > 0, leaving))
      yield { ...read, withUnassigned };
  }
}

/** In halves, and halves of those, where it takes more than a derivation may read. */
async function* readShare(
  clickhouse: ClickHouse,
  share: DirtyShare,
  hasUnassigned: boolean,
  leaving: Leaving,
): AsyncGenerator<{ share: DirtyShare; sessions: Map<string, StoredSession> }> {
  const read = await orTooHeavy(
    Promise.all([
      sessionIntervals(clickhouse, { ...share, ...signs }),
      hasUnassigned ? unassignedIntervals(clickhouse, { ...share, ...signs }) : undefined,
      derivedSessions(clickhouse, share),
    ]),
  );
  if (!(read instanceof StatementTooHeavyError)) {
    const [intervals, unassigned, derived] = read;
    const known = await inSlices(groupIntervals(intervals, unassigned));
    yield { share, sessions: joined(known, asDerived(derived)) };
    return;
  }
  const names = await sessionsOfShare(clickhouse, share);
  if (names.length <= 1 || share.shares >= mostShares) for (const name of names) leaving.onTooLarge(name, read);
  else
    for (const half of [share.share, share.share + share.shares])
      yield* readShare(clickhouse, { ...share, share: half, shares: 2 * share.shares }, hasUnassigned, leaving);
}

async function orTooHeavy<Result>(reading: Promise<Result>): Promise<Result | StatementTooHeavyError> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof StatementTooHeavyError) return error;
    throw error;
  }
}

/** The same of sessions by name; their organizations have no unassigned intervals. */
export async function* storedSessionsByName(
  clickhouse: ClickHouse,
  names: readonly SessionName[],
  leaving: Leaving,
): AsyncGenerator<Map<string, StoredSession>> {
  const wanted = names.filter((name) => !leaving.aside.has(name));
  for (let start = 0; start < wanted.length; start += sessionsPerList)
    yield* readList(clickhouse, wanted.slice(start, start + sessionsPerList), leaving);
}

/** In halves, and halves of those, where they take more than a derivation may read. */
async function* readList(
  clickhouse: ClickHouse,
  names: readonly SessionName[],
  leaving: Leaving,
): AsyncGenerator<Map<string, StoredSession>> {
  const list = {
    organizations: names.map(({ organization }) => organization),
    sessions: names.map(({ session }) => session),
  };
  const read = await orTooHeavy(
    Promise.all([intervalsOfSessions(clickhouse, { ...list, ...signs }), derivationsOfSessions(clickhouse, list)]),
  );
  if (!(read instanceof StatementTooHeavyError)) {
    const [intervals, derived] = read;
    yield joined(await inSlices(groupIntervals(intervals)), asDerived(derived));
    return;
  }
  const half = Math.ceil(names.length / 2);
  if (names.length === 1) for (const name of names) leaving.onTooLarge(name, read);
  else for (const some of [names.slice(0, half), names.slice(half)]) yield* readList(clickhouse, some, leaving);
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
