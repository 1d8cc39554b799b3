/**
 * After a batch is stored: the dirty sessions, those that it has events of, are resolved again from their intervals, the
 * minutes in which their edges changed are written, and the slots of those minutes computed for every node above.
 * `sessions` is written last: what it says is what the next derivation compares with. One that did not end may have written edges that `sessions` does not
 * know, and doing it again with more events need not write the same ones: so it is undone before anything else is derived.
 *
 * One derivation runs at a time: two at once could each see the other's session half written.
 */

import { z } from "zod";
import { defaultAliveWithinMs } from "../catalog/catalog.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineColumnsQuery, defineInsert, defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { nodeAddress } from "../contract/node-address.ts";
import { compareSessions, type SessionDifference } from "./compare-sessions.ts";
import { type DerivationListener, type DerivedChange, derivedChange, edgeChanges } from "./derived-change.ts";
import type { FencingEpoch } from "./fencing-epoch.ts";
import { createMinuteSlots, type MinuteChange, type MinuteEdges, type NodePath } from "./minute-slots.ts";
import { type Edge, type Member, type ResolvedSession, resolveSession } from "./resolve-session.ts";
import { endlessMs, type PlacementsWithin, type SessionPart, sessionParts } from "./session-parts.ts";
import {
  type OpenRow,
  openRow,
  renderEdgeRow,
  renderOpenRow,
  renderSessionRow,
  type SessionPath,
  type SessionRow,
  sessionRow,
} from "./session-rows.ts";

const batches = z.object({ batches: z.array(z.number()) });
const share = batches.extend({ share: z.number(), shares: z.number() });
const millis = z.coerce.number();

const memberColumns = {
  organization: "text",
  session: "text",
  level: "text",
  interval: "text",
  member: "text",
  started_ms: "number",
  ended_ms: "number",
  seen_ms: "number",
  alive_within_ms: "number",
  start_times: "numbers",
  alive_times: "numbers",
  end_times: "numbers",
  user: "text",
  room: "text",
  agent: "text",
  partner: "text",
  reseller: "text",
  dims: "text",
  dims_at: "timedTexts",
} as const;

interface MemberRow extends Member {
  organization: string;
  session: string;
  room: string;
  partner: string;
  reseller: string;
}

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

interface DerivedPart extends NodePath {
  session: string;
  part: number;
  edges: Edge[];
  /** Where the table `presences` may have rows of it. */
  days: number[];
}

const dirtySessions = defineQuery("dirty_sessions", batches, z.object({ sessions: millis, unassigned: millis }));
const hasUnassignedIntervals = defineQuery("has_unassigned_intervals", batches, z.object({ found: millis }));
const markSessionsOfUnassigned = defineStatement("mark_sessions_of_unassigned", batches.extend({ batch: z.number() }));
const markPlaceholderSessions = defineStatement("mark_placeholder_sessions", batches.extend({ batch: z.number() }));
const sessionMembers = defineColumnsQuery("session_members", share, memberColumns);
const unassignedMembers = defineColumnsQuery("unassigned_members", share, memberColumns);
const derivedSessions = defineColumnsQuery("derived_sessions", share, derivedColumns);
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
const epochParam = z.object({ epoch: z.number() });
const insertSessions = defineInsert("insert_sessions", epochParam);
const insertOpenSessions = defineInsert("insert_open_sessions", epochParam);
const insertLevelEdges = defineInsert("insert_level_edges", epochParam);
const deriveSlots = defineStatement(
  "derive_slots",
  epochParam.extend({
    version: z.number(),
    before: z.number(),
    former_kinds: z.array(z.string()),
    former_nodes: z.array(z.string()),
  }),
);

/** Minutes younger than this are still changing: their slots are computed from memory. */
const changingMs = 15 * 60 * 1000;
/** Sessions resolved at once: bounds the memory of one step, whatever a batch or a rebuild touches. */
const sessionsPerShare = 8_000;
/** Larger than every ms since 1970 that an event can have: stands in `started_ms` where no start was seen. */
const noStartMs = 8e15;
const minuteMs = 60_000;
/** After every minute that an event can have, seconds since 1970. */
const endOfTime = 4_294_967_280;

export interface Derivation {
  /** Node addresses whose levels may have changed. */
  touchedNodes: Set<string>;
  sessions: number;
  changedMinutes: number;
  /** Of a comparison: the sessions that are stored otherwise than they would be derived now. */
  differences: SessionDifference[];
}

export interface LevelMaterializer {
  /** Derives what the batches made dirty; they must be stored. Idempotent. `nowMs` decides what has timed out. */
  derive(
    batches: readonly number[],
    nowMs: number,
    scope?: DerivationScope,
    /** Runs first, while nothing else is derived. */
    prepare?: () => Promise<void>,
  ): Promise<Derivation>;
  /** Runs `work` while nothing else is derived; within it, only `derive` may derive. */
  alone<Result>(work: (derive: Derive) => Promise<Result>): Promise<Result>;
  /** The version from which on written edges may be of a derivation that has not ended; undefined: all have. */
  unfinishedSince(): number | undefined;
}

export type Derive = (batches: readonly number[], nowMs: number, scope: DerivationScope) => Promise<Derivation>;

/** `changes`: what differs from what was derived before is written; `comparison`: nothing is, the differences are told. */
export type DerivationScope = "changes" | "comparison";

/**
 * `nextVersion` gives numbers that only grow, also over restarts; of two rows of one key the larger wins. `currentEpoch` is
 * this materializer's (see fencing-epoch.ts); it throws while there is none. `listener` hears of what it wrote.
 */
export function createLevelMaterializer(
  clickhouse: ClickHouse,
  nextVersion: () => number,
  currentEpoch: () => FencingEpoch,
  placementsWithin: PlacementsWithin = () => undefined,
  listener?: DerivationListener,
): LevelMaterializer {
  let running: Promise<unknown> = Promise.resolve();
  let unfinishedSince: number | undefined;
  const minuteSlots = createMinuteSlots(clickhouse);
  /** Of what memory holds: in another epoch others may have written what it does not have. */
  let epoch = 0;

  async function deriveAlone(batches: readonly number[], nowMs: number, scope: DerivationScope): Promise<Derivation> {
    const derivation: Derivation = { touchedNodes: new Set(), sessions: 0, changedMinutes: 0, differences: [] };
    const dirty = { batches: [...batches] };
    let [counts] = await dirtySessions(clickhouse, dirty);
    if (!counts || counts.sessions + counts.unassigned === 0) return derivation;
    const [batch] = batches;
    if (batch === undefined) return derivation;
    if (counts.unassigned > 0) await markSessionsOfUnassigned(clickhouse, { ...dirty, batch });
    const hasUnassigned = (await hasUnassignedIntervals(clickhouse, dirty)).length > 0;
    if (hasUnassigned) {
      await markPlaceholderSessions(clickhouse, { ...dirty, batch });
      [counts] = await dirtySessions(clickhouse, dirty);
    }
    const shares = Math.max(1, Math.ceil((counts?.sessions ?? 0) / sessionsPerShare));
    for (let share = 0; share < shares; share++)
      await deriveShare({ ...dirty, share, shares }, hasUnassigned, nowMs, scope, derivation);
    return derivation;
  }

  async function deriveShare(
    share: { batches: number[]; share: number; shares: number },
    hasUnassigned: boolean,
    nowMs: number,
    scope: DerivationScope,
    derivation: Derivation,
  ): Promise<void> {
    const version = nextVersion();
    const [members, unassigned, before] = await Promise.all([
      sessionMembers(clickhouse, share).then(asMembers),
      hasUnassigned ? unassignedMembers(clickhouse, share).then(asMembers) : [],
      derivedSessions(clickhouse, share).then(asDerived),
    ]);
    const earlier = partsBySession(before);
    const sessions = groupMembers(members, unassigned);
    // A session that has lost its last interval to another one is resolved too, to nothing.
    for (const row of before)
      if (!sessions.has(sessionKey(row)))
        sessions.set(sessionKey(row), { ...pathOf(row), session: row.session, room: "", rows: [] });

    const edgeRows: string[] = [];
    const changes: MinuteChange[] = [];
    const sessionRows: SessionRow[] = [];
    const openRows: OpenRow[] = [];
    const told: DerivedChange[] = [];
    for (const [key, session] of sessions) {
      const resolved = resolveSession(session.rows, nowMs, defaultAliveWithinMs);
      const { organization, session: id } = session;
      for (const [part, before] of withEarlier(partsOf(session, resolved, nowMs), earlier.get(key) ?? [])) {
        const changed = changedMinutes(before, { organization, ...part }, part.edges);
        for (const change of changed) {
          const { minute, level, pathAfter, after = withoutEdges } = change;
          edgeRows.push(renderEdgeRow({ ...pathAfter, session: id, part: part.part }, minute, level, after, version));
          changes.push(change);
          for (const path of [change.pathBefore, pathAfter])
            for (const node of nodesAbove(path)) derivation.touchedNodes.add(node);
        }
        derivation.changedMinutes += changed.length;
        const row = sessionRow(session, resolved, part, before?.days ?? [], version);
        sessionRows.push(row);
        told.push(derivedChange(row, edgeChanges(changed)));
      }
      openRows.push(openRow(session, resolved, version, nowMs));
    }
    derivation.sessions += sessions.size;
    if (scope === "comparison") {
      derivation.differences.push(...(await compareSessions(clickhouse, share, sessionRows, openRows)));
      return;
    }
    if (edgeRows.length > 0) {
      await insertLevelEdges(clickhouse, asBody(edgeRows), { epoch });
      await writeSlots(changes, version, nowMs);
    }
    if (openRows.length > 0) await insertOpenSessions(clickhouse, asBody(openRows.map(renderOpenRow)), { epoch });
    if (sessionRows.length > 0) await insertSessions(clickhouse, asBody(sessionRows.map(renderSessionRow)), { epoch });
    listener?.onSessionsDerived(told);
  }

  function enterEpoch(): void {
    const current = currentEpoch();
    if (current.number === epoch) return;
    loseTrack();
    unfinishedSince = current.leftSince;
    epoch = current.number;
  }

  function partsOf(session: DirtySession, resolved: ResolvedSession, nowMs: number): SessionPart[] {
    const beganMs = resolved.spans[0]?.startMs;
    const lastMs = resolved.spans.reduce((last, span) => Math.max(last, span.endMs ?? nowMs, span.startMs), 0);
    const placements = beganMs === undefined ? undefined : placementsWithin(session.organization, beganMs, lastMs);
    return sessionParts(resolved, placements, session);
  }

  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = running.then(async () => {
      enterEpoch();
      if (unfinishedSince !== undefined) await undoFrom(unfinishedSince);
      unfinishedSince = nextVersion();
      const result = await work();
      unfinishedSince = undefined;
      return result;
    });
    running = next.catch(loseTrack);
    return next;
  }

  function loseTrack(): void {
    minuteSlots.forget();
    listener?.onTrackLost();
  }

  /** Puts the edges written under `since` and later versions back to what `sessions` says, and the slots of their minutes. */
  async function undoFrom(since: number): Promise<void> {
    const { rows, columns } = await unfinishedEdges(clickhouse, { since });
    if (rows === 0) return;
    const parts = new Map(
      asDerived(await unfinishedSessions(clickhouse, { since })).map((row) => [
        `${sessionKey(row)}\0${row.part}`,
        { pathAfter: pathOf(row), edges: edgesByMinute(row.edges) },
      ]),
    );
    const version = nextVersion();
    const edgeRows: string[] = [];
    const moved: Pick<MinuteChange, "pathBefore" | "pathAfter">[] = [];
    for (let row = 0; row < rows; row++) {
      const at = <Value>(column: readonly Value[]) => column[row] as Value;
      const [minute, level, session] = [at(columns.minute), at(columns.level), at(columns.session)];
      const part = at(columns.part);
      const pathBefore = {
        organization: at(columns.organization),
        partner: at(columns.partner),
        reseller: at(columns.reseller),
      };
      const { pathAfter, edges } = parts.get(`${sessionKey({ ...pathBefore, session })}\0${part}`) ?? {
        pathAfter: pathBefore,
      };
      const after = edges?.get(minuteKey(minute, level));
      edgeRows.push(renderEdgeRow({ ...pathAfter, session, part }, minute, level, after ?? withoutEdges, version));
      moved.push({ pathBefore, pathAfter });
    }
    await insertLevelEdges(clickhouse, asBody(edgeRows), { epoch });
    await deriveSlots(clickhouse, { epoch, version, before: endOfTime, ...formerNodes(moved) });
    minuteSlots.forget();
  }

  async function writeSlots(changes: readonly MinuteChange[], version: number, nowMs: number): Promise<void> {
    const before = Math.floor((nowMs - changingMs) / minuteMs) * (minuteMs / 1000);
    const older = changes.filter(({ minute }) => minute < before);
    if (older.length > 0) await deriveSlots(clickhouse, { epoch, version, before, ...formerNodes(older) });
    const fromMemory = changes.filter(({ minute }) => minute >= before);
    if (fromMemory.length > 0) await minuteSlots.write(fromMemory, version, epoch);
    minuteSlots.forgetBefore(before);
  }

  return {
    derive: (batches, nowMs, scope = "changes", prepare = async () => undefined) =>
      inTurn(async () => {
        await prepare();
        return await deriveAlone(batches, nowMs, scope);
      }),
    alone: (work) =>
      // It may write edges of its own, which memory does not have.
      inTurn(() => work(deriveAlone).finally(loseTrack)),
    unfinishedSince: () => unfinishedSince,
  };
}

interface DirtySession extends SessionPath {
  rows: MemberRow[];
}

function groupMembers(members: readonly MemberRow[], unassigned: readonly MemberRow[]): Map<string, DirtySession> {
  const sessions = new Map<string, DirtySession>();
  for (const row of [...members, ...unassigned]) {
    const key = sessionKey(row);
    const session = sessions.get(key);
    if (!session) {
      const { organization, session: id, partner, reseller, room } = row;
      sessions.set(key, { organization, session: id, partner, reseller, room, rows: [row] });
      continue;
    }
    const twin = unassigned.length === 0 ? undefined : session.rows.findIndex((other) => isSameMember(other, row));
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
    startedMs: ofKnown(a.startedMs, b.startedMs, Math.min),
    endedMs: ofKnown(a.endedMs, b.endedMs, Math.max),
    seenMs: Math.max(a.seenMs, b.seenMs),
    aliveWithinMs: a.seenMs >= b.seenMs ? (a.aliveWithinMs ?? b.aliveWithinMs) : (b.aliveWithinMs ?? a.aliveWithinMs),
    user: larger(a.user, b.user),
    agent: larger(a.agent, b.agent),
    dims: larger(a.dims, b.dims),
  };
}

/** The one that is known, or what `choose` makes of both. */
function ofKnown(a: number | undefined, b: number | undefined, choose: (a: number, b: number) => number) {
  return a === undefined || b === undefined ? (a ?? b) : choose(a, b);
}

type MembersFound = Awaited<ReturnType<typeof sessionMembers>>;

function asMembers({ rows, columns }: MembersFound): MemberRow[] {
  const at = <Value>(column: readonly Value[], row: number) => column[row] as Value;
  return Array.from({ length: rows }, (_, row) => {
    const startedMs = at(columns.started_ms, row);
    return {
      organization: at(columns.organization, row),
      session: at(columns.session, row),
      room: at(columns.room, row),
      partner: at(columns.partner, row),
      reseller: at(columns.reseller, row),
      level: at(columns.level, row),
      interval: at(columns.interval, row),
      member: at(columns.member, row),
      startedMs: startedMs > noStartMs ? undefined : startedMs,
      endedMs: at(columns.ended_ms, row) || undefined,
      seenMs: at(columns.seen_ms, row),
      aliveWithinMs: at(columns.alive_within_ms, row) || undefined,
      startTimes: at(columns.start_times, row),
      aliveTimes: at(columns.alive_times, row),
      endTimes: at(columns.end_times, row),
      user: at(columns.user, row),
      agent: at(columns.agent, row),
      dims: at(columns.dims, row),
      dimsAt: at(columns.dims_at, row),
    };
  });
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

function partsBySession(parts: readonly DerivedPart[]): Map<string, DerivedPart[]> {
  const bySession = new Map<string, DerivedPart[]>();
  for (const part of parts) {
    const key = sessionKey(part);
    const own = bySession.get(key);
    if (own) own.push(part);
    else bySession.set(key, [part]);
  }
  return bySession;
}

/** Each part beside what it was before; one that is no more is emptied where it stood. */
function withEarlier(
  parts: readonly SessionPart[],
  earlier: readonly DerivedPart[],
): [SessionPart, DerivedPart | undefined][] {
  const gone = earlier.filter(({ part }) => part >= parts.length);
  return [
    ...parts.map((part): [SessionPart, DerivedPart | undefined] => [
      part,
      earlier.find((one) => one.part === part.part),
    ]),
    ...gone.map((before): [SessionPart, DerivedPart] => {
      const { part, partner, reseller } = before;
      // It lies after all time, and so has nothing of the session.
      const empty = { parts: 0, sinceMs: endlessMs, untilMs: endlessMs, edges: [], peak: { value: 0, atMs: 0 } };
      return [{ part, partner, reseller, ...empty }, before];
    }),
  ];
}

const withoutEdges = { edge_ms: [], edge_delta: [], edge_starts: [] };

/** What changed against the edges written before, by minute and level: all of it where the part now stands elsewhere. */
function changedMinutes(before: DerivedPart | undefined, path: NodePath, edges: readonly Edge[]): MinuteChange[] {
  const minutesAfter = edgesByMinute(edges);
  const minutesBefore = edgesByMinute(before?.edges ?? []);
  const paths = { pathBefore: pathOf(before ?? path), pathAfter: pathOf(path) };
  const isElsewhere = hasMoved(paths);
  const changed: MinuteChange[] = [];
  for (const [key, after] of minutesAfter) {
    const { minute, level } = after;
    const earlier = minutesBefore.get(key);
    if (isElsewhere || !earlier || !isSame(earlier, after))
      changed.push({ minute, level, ...paths, before: earlier, after });
  }
  for (const [key, earlier] of minutesBefore) {
    const { minute, level } = earlier;
    // Where edges only go, it is above their former path that slots change.
    const { pathBefore } = paths;
    if (!minutesAfter.has(key))
      changed.push({ minute, level, pathBefore, pathAfter: pathBefore, before: earlier, after: undefined });
  }
  return changed;
}

/** What now stands elsewhere changes the slots above its former path too. */
function formerNodes(changes: readonly Pick<MinuteChange, "pathBefore" | "pathAfter">[]): {
  former_kinds: string[];
  former_nodes: string[];
} {
  const moved = changes.filter(hasMoved).map(({ pathBefore }) => pathBefore);
  const resellers = [...new Set(moved.map(({ reseller }) => reseller))].filter((id) => id !== "");
  const partners = [...new Set(moved.map(({ partner }) => partner))].filter((id) => id !== "");
  return {
    former_kinds: [...resellers.map(() => "reseller"), ...partners.map(() => "partner")],
    former_nodes: [...resellers, ...partners],
  };
}

const hasMoved = ({ pathBefore, pathAfter }: Pick<MinuteChange, "pathBefore" | "pathAfter">) =>
  pathBefore.partner !== pathAfter.partner || pathBefore.reseller !== pathAfter.reseller;

const isSame = (a: MinuteEdges, b: MinuteEdges) =>
  a.edge_ms.length === b.edge_ms.length &&
  a.edge_ms.every(
    (atMs, index) =>
      atMs === b.edge_ms[index] &&
      a.edge_delta[index] === b.edge_delta[index] &&
      a.edge_starts[index] === b.edge_starts[index],
  );

function edgesByMinute(edges: readonly Edge[]): Map<string, MinuteEdges> {
  const minutes = new Map<string, MinuteEdges>();
  for (const { level, atMs, delta, starts } of edges) {
    const minute = Math.floor(atMs / minuteMs) * (minuteMs / 1000);
    const key = minuteKey(minute, level);
    const row = minutes.get(key) ?? { minute, level, edge_ms: [], edge_delta: [], edge_starts: [] };
    minutes.set(key, row);
    row.edge_ms.push(atMs);
    row.edge_delta.push(delta);
    row.edge_starts.push(starts);
  }
  return minutes;
}

const minuteKey = (minute: number, level: string) => `${minute} ${level}`;

function pathOf({ organization, partner, reseller }: NodePath): NodePath {
  return { organization, partner, reseller };
}

function nodesAbove({ organization, partner, reseller }: NodePath): string[] {
  return [
    nodeAddress("organization", organization),
    ...(reseller ? [nodeAddress("reseller", reseller)] : []),
    ...(partner ? [nodeAddress("partner", partner)] : []),
    "all",
  ];
}

const sessionKey = ({ organization, session }: { organization: string; session: string }) =>
  `${organization}\0${session}`;
const larger = (a: string, b: string) => (a > b ? a : b);
const asBody = (rows: readonly string[]) => [Buffer.from(rows.join(""))];
