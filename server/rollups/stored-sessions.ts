/** Sessions as storage has them: what events said about their intervals, and what was derived from that before. */
import { z } from "zod";
import { defaultAliveWithinMs } from "../catalog/levels.ts";
import { type ClickHouse, StatementTooHeavyError } from "../clickhouse/client.ts";
import { defineColumnsQuery, defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { inSlices } from "../fairness/pace.ts";
import { groupIntervals, intervalColumns } from "./group-intervals.ts";
import { signLimits } from "./interval-signs.ts";
import type { IntervalName } from "./known-sessions.ts";
import { type NodePath, pathOf } from "./minute-changes.ts";
import type { Edge } from "./resolve-session.ts";
import { type SessionIntervals, sessionKey } from "./session-intervals.ts";
import type { SessionName, SetAside } from "./set-aside.ts";

const dirtyParams = z.object({ batches: z.array(z.number()), organizations: z.array(z.string()) });
/** Parameters of statements about some of the dirty sessions. */
export const dirtyShare = dirtyParams.extend({
  after_organization: z.string(),
  after_session: z.string(),
  until_organization: z.string(),
  until_session: z.string(),
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
const sessionName = z.object({ organization: z.string(), session: z.string() });
const shareBounds = defineQuery("share_bounds", dirtyParams.extend({ sessions: z.number() }), sessionName);
const dirtyScattered = defineQuery(
  "dirty_organizations_with_scattered_intervals",
  dirtyShare,
  z.object({ organization: z.string(), is_split: numberColumn }),
);
const batchToMark = { batch: z.number() };
const markSessionsOfUnassigned = defineStatement("mark_sessions_of_unassigned", dirtyParams.extend(batchToMark));
const markSessionsOfIntervals = defineStatement("mark_sessions_of_intervals", dirtyShare.extend(batchToMark));
/** Their sessions are among what the batch made dirty. */
export const markSessions = defineStatement("mark_sessions", listed.extend({ batch: z.number() }));
const sessionIntervals = defineColumnsQuery("session_intervals", dirtyShare.extend(signParams), intervalColumns);
const unassignedIntervals = defineColumnsQuery("unassigned_intervals", dirtyShare.extend(signParams), intervalColumns);
const splitIntervals = defineColumnsQuery("split_intervals", dirtyShare.extend(signParams), intervalColumns);
const sessionsOfShare = defineQuery("sessions_of_share", dirtyShare, sessionName);
const sessionSize = defineQuery(
  "session_size",
  sessionName.extend({ most: z.number() }),
  z.object({ rows: numberColumn, bytes: numberColumn }),
);
const sessionsSetAside = defineQuery("sessions_set_aside", z.object({ most: z.number() }), sessionName);
const derivedSessions = defineColumnsQuery("derived_sessions", dirtyShare, derivedColumns);
const intervalsOfSessions = defineColumnsQuery("intervals_of_sessions", listed.extend(signParams), {
  ...intervalColumns,
  is_split: "number",
});
const derivationsOfSessions = defineColumnsQuery("derivations_of_sessions", listed, derivedColumns);
const organizationsOfSplit = defineQuery(
  "organizations_of_split_intervals",
  z.object({ organizations: z.array(z.string()), levels: z.array(z.string()), intervals: z.array(z.string()) }),
  z.object({ organization: z.string() }),
);
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
/** A session is large, and may be what a statement is too heavy by, from so many rows or bytes on. */
const largeSession = { rows: 50_000, bytes: 64 * 1024 * 1024 };
/** Before all that are given. */
const asideBatch = 0;
const mostRemembered = 1_000;
/** Sessions that one statement names. */
const sessionsPerList = 500;
/** Intervals that one statement names. */
const intervalsPerList = 2_000;

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
/** Some of it: sessions that follow each other in order of (organization, session). */
export type DirtyRange = Omit<z.input<typeof dirtyShare>, "aside_organizations" | "aside_sessions">;
export type DirtyShare = z.input<typeof dirtyShare>;

/** What is left out, and what is to be. */
export interface Leaving {
  aside: Pick<SetAside, "asParams" | "has">;
  /** Told of a session that takes more than a derivation may read: it is left out, so that it holds up no other. */
  onTooLarge: (name: SessionName) => Promise<void>;
}

/**
 * The sessions that the batches made dirty, of the organizations that are named or of all, in ranges of so many that one is derived in a
 * step. What events of them said of an interval that others speak of as well may change those: their sessions are marked as well.
 */
export async function dirtyRanges(clickhouse: ClickHouse, marks: DirtyMarks, leaving: Leaving): Promise<DirtyRange[]> {
  const [batch] = marks.batches;
  const [counts] = await dirtySessions(clickhouse, marks);
  if (batch === undefined || !counts || counts.sessions + counts.unassigned === 0) return [];
  let most = counts.sessions;
  if (counts.unassigned > 0) most += (await markSessionsOfUnassigned(clickhouse, { ...marks, batch })).writtenRows;
  const ranges = await cutMarks(clickhouse, marks, most);
  let placed = 0;
  const place = (share: DirtyShare) => markSessionsOfIntervals(clickhouse, { ...share, batch });
  for (const range of ranges)
    for await (const { found } of inParts(clickhouse, range, leaving, place)) placed += found.writtenRows;
  return placed > 0 ? await cutMarks(clickhouse, marks, most + placed) : ranges;
}

/** `most`: that they are no more sessions than this. */
async function cutMarks(clickhouse: ClickHouse, marks: DirtyMarks, most: number): Promise<DirtyRange[]> {
  const bounds = most > sessionsPerShare ? await shareBounds(clickhouse, { ...marks, sessions: sessionsPerShare }) : [];
  return [beforeAll, ...bounds].map((after, place) => ({ ...marks, ...between(after, bounds[place] ?? beforeAll) }));
}

/** As `until`: to the last. */
const beforeAll: SessionName = { organization: "", session: "" };

const between = (after: SessionName, until: SessionName) => ({
  after_organization: after.organization,
  after_session: after.session,
  until_organization: until.organization,
  until_session: until.session,
});

/** What `ask` finds of a range: in halves, and halves of those, where it takes more than a derivation may. */
async function* inParts<Found>(
  clickhouse: ClickHouse,
  range: DirtyRange,
  leaving: Leaving,
  ask: (share: DirtyShare) => Promise<Found>,
): AsyncGenerator<{ share: DirtyShare; found: Found }> {
  const share = { ...range, ...leaving.aside.asParams() };
  const found = await orTooHeavy(ask(share));
  if (!(found instanceof StatementTooHeavyError)) {
    yield { share, found };
    return;
  }
  const names = await sessionsOfShare(clickhouse, share);
  if (names.length <= 1) for (const name of names) await leaveOut(clickhouse, name, leaving, found);
  else {
    const { organization, session } = names[Math.floor(names.length / 2) - 1] as SessionName;
    const first = { ...range, until_organization: organization, until_session: session };
    const second = { ...range, after_organization: organization, after_session: session };
    for (const half of [first, second]) yield* inParts(clickhouse, half, leaving, ask);
  }
}

/** What storage has of the dirty sessions of a range, in pieces, each with the organizations among them that have scattered intervals. */
export async function* dirtyStoredSessions(
  clickhouse: ClickHouse,
  range: DirtyRange,
  leaving: Leaving,
): AsyncGenerator<{ share: DirtyShare; sessions: Map<string, StoredSession>; scattered: readonly string[] }> {
  const read = async (share: DirtyShare) => {
    const asked = { ...share, ...signs };
    const scattered = await dirtyScattered(clickhouse, share);
    const has = (isSplit: number) => scattered.some((one) => one.is_split === isSplit);
    const [assigned, unassigned, split, derived] = await Promise.all([
      sessionIntervals(clickhouse, asked),
      has(0) ? unassignedIntervals(clickhouse, asked) : undefined,
      has(1) ? splitIntervals(clickhouse, asked) : undefined,
      derivedSessions(clickhouse, share),
    ]);
    return { scattered, intervals: { assigned, unassigned, split }, derived };
  };
  for await (const { share, found } of inParts(clickhouse, range, leaving, read)) {
    const known = await inSlices(groupIntervals(found.intervals));
    const scattered = found.scattered.map(({ organization }) => organization);
    yield { share, sessions: joined(known, asDerived(found.derived)), scattered };
  }
}

/** Where the session is not large it is the store that has no room now: then all of it is tried again, as after any outage. */
async function leaveOut(
  clickhouse: ClickHouse,
  name: SessionName,
  leaving: Leaving,
  error: StatementTooHeavyError,
): Promise<void> {
  if (!error.isBeyondOwnBounds) {
    const [size] = await sessionSize(clickhouse, { ...name, most: largeSession.rows });
    if (!size || (size.rows < largeSession.rows && size.bytes < largeSession.bytes)) throw error;
  }
  await leaving.onTooLarge(name);
}

/** That the sessions were set aside, for a process that comes after this one. It is forgotten after two days. */
export async function rememberAside(clickhouse: ClickHouse, { organization, session }: SessionName): Promise<void> {
  await markSessions(clickhouse, { batch: asideBatch, organizations: [organization], sessions: [session] });
}

/** Those that earlier processes set aside; some may be derived since. */
export const rememberedAside = (clickhouse: ClickHouse): Promise<SessionName[]> =>
  sessionsSetAside(clickhouse, { most: mostRemembered });

async function orTooHeavy<Result>(reading: Promise<Result>): Promise<Result | StatementTooHeavyError> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof StatementTooHeavyError) return error;
    throw error;
  }
}

interface NamedSessions {
  sessions: Map<string, StoredSession>;
  split: ReadonlySet<string>;
}

/**
 * The same of sessions by name. With every piece come the organizations among them that turned out to have split intervals, which nobody knew
 * of: what is read of these is not all that is known. None of them has unassigned intervals.
 */
export async function* storedSessionsByName(
  clickhouse: ClickHouse,
  names: readonly SessionName[],
  leaving: Leaving,
): AsyncGenerator<NamedSessions> {
  const wanted = names.filter((name) => !leaving.aside.has(name));
  for (let start = 0; start < wanted.length; start += sessionsPerList)
    yield* readList(clickhouse, wanted.slice(start, start + sessionsPerList), leaving);
}

/** In halves, and halves of those, where they take more than a derivation may read. */
async function* readList(
  clickhouse: ClickHouse,
  names: readonly SessionName[],
  leaving: Leaving,
): AsyncGenerator<NamedSessions> {
  const list = {
    organizations: names.map(({ organization }) => organization),
    sessions: names.map(({ session }) => session),
  };
  const read = await orTooHeavy(
    Promise.all([intervalsOfSessions(clickhouse, { ...list, ...signs }), derivationsOfSessions(clickhouse, list)]),
  );
  if (!(read instanceof StatementTooHeavyError)) {
    const [assigned, derived] = read;
    const { organization, is_split: isSplit } = assigned.columns;
    const split = new Set(organization.filter((_, row) => isSplit[row] === 1));
    yield { sessions: joined(await inSlices(groupIntervals({ assigned })), asDerived(derived)), split };
    return;
  }
  const half = Math.ceil(names.length / 2);
  if (names.length === 1) for (const name of names) await leaveOut(clickhouse, name, leaving, read);
  else for (const some of [names.slice(0, half), names.slice(half)]) yield* readList(clickhouse, some, leaving);
}

/** The organizations of those among the intervals that events of several sessions name. */
export async function organizationsWithSplit(
  clickhouse: ClickHouse,
  intervals: readonly IntervalName[],
): Promise<Set<string>> {
  const found = new Set<string>();
  for (let start = 0; start < intervals.length; start += intervalsPerList) {
    const some = intervals.slice(start, start + intervalsPerList);
    const asked = {
      organizations: some.map(({ organization }) => organization),
      levels: some.map(({ level }) => level),
      intervals: some.map(({ interval }) => interval),
    };
    for (const { organization } of await organizationsOfSplit(clickhouse, asked)) found.add(organization);
  }
  return found;
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
