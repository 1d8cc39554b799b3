/**
 * After a batch is stored: the sessions that it has events of are resolved again from their intervals, the minutes in which their
 * edges changed are written, and the slots of those minutes computed for every node above. One that did not end may have
 * written edges that `sessions` does not know, and doing it again with more events need not write the same ones: so it is
 * undone before anything else is derived.
 *
 * Sessions that run are held in memory, and the events of a batch fold into them; storage is read for those that are not held, and for
 * those that are not plain: in parts, with unassigned intervals, moved. What was changed in storage in another way than
 * by events (corrections, moves, repairs) is marked dirty there: it is let go, and derived from what storage has.
 *
 * One derivation runs at a time: two at once could each see the other's session half written.
 */
import { defaultAliveWithinMs } from "../catalog/levels.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { createPace } from "../fairness/pace.ts";
import { compareSessions, type SessionDifference } from "./compare-sessions.ts";
import { agentSpansOf, type DerivationListener } from "./derived-change.ts";
import type { FencingEpoch } from "./fencing-epoch.ts";
import { createKnownSessions } from "./known-sessions.ts";
import { forEachLevelEvent, type LevelEvent } from "./level-events.ts";
import { changedMinutes, type NodePath } from "./minute-changes.ts";
import { createMinuteSlots } from "./minute-slots.ts";
import { type ResolvedSession, resolveSession } from "./resolve-session.ts";
import { RunningSession } from "./running-session.ts";
import { type HeldSizes, RunningSessions } from "./running-sessions.ts";
import { type SessionMembers, sessionKey } from "./session-members.ts";
import { endlessMs, type PlacementsWithin, type SessionPart, sessionParts } from "./session-parts.ts";
import { type OpenRow, openRow, type SessionHead, sessionRow } from "./session-rows.ts";
import { summarize } from "./span-summary.ts";
import {
  type DerivedPart,
  type DirtyMarks,
  dirtyStoredSessions,
  type StoredSession,
  storedSessionsByName,
} from "./stored-sessions.ts";
import { DerivedRows, undoDerivations } from "./write-derivation.ts";

/** Bounds the memory of one step, whatever a batch has. */
const sessionsPerWrite = 8_000;

export interface Derivation {
  /** Node addresses whose levels may have changed. */
  touchedNodes: Set<string>;
  sessions: number;
  changedMinutes: number;
  /** Filled by a comparison: the sessions whose stored rows differ from what would be derived now. */
  differences: SessionDifference[];
}

/** A batch that is stored, and its event lines as they were stored. */
export interface StoredLines {
  batches: readonly number[];
  lines: readonly Buffer[];
}

export interface LevelMaterializer {
  /** Derives what the batches made dirty, from storage; they must be stored. Idempotent. `nowMs` decides what has timed out. */
  derive(
    batches: readonly number[],
    nowMs: number,
    scope?: DerivationScope,
    /** Runs first, while nothing else is derived. */
    prepare?: () => Promise<void>,
  ): Promise<Derivation>;
  /** Derives what the events of stored batches change. The same as `derive`, and cheaper. */
  deriveEvents(stored: StoredLines, nowMs: number): Promise<Derivation>;
  /** Runs `work` while nothing else is derived; within it, only `derive` may derive. */
  alone<Result>(work: (derive: Derive) => Promise<Result>): Promise<Result>;
  /** The version from which on written edges may be of a derivation that has not ended; undefined: all have. */
  unfinishedSince(): number | undefined;
  /** What memory holds now. */
  held(): HeldSizes;
}

export type Derive = (batches: readonly number[], nowMs: number, scope: DerivationScope) => Promise<Derivation>;

/** `changes`: what differs from what was derived before is written; `comparison`: nothing is, the differences are told. */
export type DerivationScope = "changes" | "comparison";

export interface MaterializerOptions {
  clickhouse: ClickHouse;
  /** Gives numbers that only grow, also over restarts; of two rows of one key the larger wins. */
  nextVersion: () => number;
  /** This materializer's (see fencing-epoch.ts); it throws while there is none. */
  currentEpoch: () => FencingEpoch;
  placementsWithin?: PlacementsWithin | undefined;
  /** Hears of what was written. */
  listener?: DerivationListener | undefined;
  /** Members of sessions that memory holds at most; one with many intervals or signs of life counts as several. */
  mostHeldMembers?: number | undefined;
}

export function createLevelMaterializer(options: MaterializerOptions): LevelMaterializer {
  const { clickhouse, nextVersion, currentEpoch, listener, placementsWithin = () => undefined } = options;
  let running: Promise<unknown> = Promise.resolve();
  let unfinishedSince: number | undefined;
  const minuteSlots = createMinuteSlots(clickhouse);
  const held = new RunningSessions(options.mostHeldMembers);
  const known = createKnownSessions(clickhouse);
  /** The epoch of what memory holds: in another one, others may have written what it does not have. */
  let epoch = 0;

  async function deriveMarked(
    marks: DirtyMarks,
    nowMs: number,
    scope: DerivationScope,
    derivation: Derivation,
  ): Promise<void> {
    for await (const { share, sessions, withUnassigned } of dirtyStoredSessions(clickhouse, marks)) {
      for (const organization of withUnassigned) known.addUnassigned(organization);
      const rows = new DerivedRows(nextVersion(), scope);
      for (const [key, stored] of sessions) {
        if (scope === "comparison") {
          const difference = held.get(key)?.differenceTo(stored.members);
          if (difference) derivation.differences.push(difference);
        } else held.letGo(key);
        known.meet(stored.members.organization, stored.members.session);
        deriveStored(stored, nowMs, rows);
      }
      derivation.sessions += sessions.size;
      if (scope === "changes") await write(rows, nowMs, derivation);
      else
        derivation.differences.push(
          ...(await compareSessions(clickhouse, share, rows.compared.sessions, rows.compared.open)),
        );
    }
  }

  /** From all that storage has of it. Answers its row, where it is in one part, and whether it is open. */
  function deriveStored({ members: session, earlier }: StoredSession, nowMs: number, rows: DerivedRows) {
    const resolved = resolveSession(session.members, nowMs, defaultAliveWithinMs);
    const { organization } = session;
    const agentSpans = agentSpansOf(resolved.spans);
    const parts = withEarlier(partsOf(session, resolved, nowMs), earlier).map(([part, before]) => {
      const minutes = changedMinutes(before, { organization, ...part }, part.edges);
      const row = sessionRow(session, resolved, part, before?.days ?? [], rows.version);
      rows.add(row, agentSpans, minutes);
      return row;
    });
    const open = openRow(session, summarize(resolved.spans), rows.version, nowMs);
    rows.addOpen(open);
    return { row: parts.length === 1 ? parts[0] : undefined, open };
  }

  function partsOf(session: SessionMembers, resolved: ResolvedSession, nowMs: number): SessionPart[] {
    const beganMs = resolved.spans[0]?.startMs;
    const lastMs = resolved.spans.reduce((last, span) => Math.max(last, span.endMs ?? nowMs, span.startMs), 0);
    const placements = beganMs === undefined ? undefined : placementsWithin(session.organization, beganMs, lastMs);
    return sessionParts(resolved, placements, session);
  }

  async function deriveLines({ batches, lines }: StoredLines, nowMs: number, derivation: Derivation): Promise<void> {
    const pace = createPace();
    const folding = foldInto(held, known);
    for (const some of lines) {
      forEachLevelEvent([some], folding.take);
      await pace.rest();
    }
    const { organizations, unheld, dirty } = folding.end();
    const marks = { batches: [...batches], organizations };
    if (organizations.length > 0) await deriveMarked(marks, nowMs, "changes", derivation);
    let rows = new DerivedRows(nextVersion());
    const step = async () => {
      derivation.sessions++;
      if (rows.sessions >= sessionsPerWrite) {
        await write(rows, nowMs, derivation);
        rows = new DerivedRows(nextVersion());
      }
      await pace.rest();
    };
    for (const [key, session] of dirty) {
      dirty.delete(key);
      session.resolve(nowMs);
      const path = pathOfRunning(session, nowMs);
      held.letGo(key);
      if (!path) unheld.set(key, session.named);
      else {
        deriveRunning(session, path, nowMs, rows);
        if (session.isRunning(nowMs)) held.hold(session);
        await step();
      }
    }
    // Who watches what is held does not wait for what has to be read.
    if (unheld.size > 0) listener?.onSessionsDerived(rows.takeChanges());
    for await (const sessions of storedSessionsByName(clickhouse, [...unheld.values()]))
      for (const stored of sessions.values()) {
        const { row, open } = deriveStored(stored, nowMs, rows);
        const session = row && heldAgain(stored.members, row, open, nowMs);
        if (session) held.hold(session);
        await step();
      }
    await write(rows, nowMs, derivation);
  }

  /** Where it stands; undefined where it is in parts, or stands elsewhere than it was written. */
  function pathOfRunning(session: RunningSession, nowMs: number): NodePath | undefined {
    const { organization } = session.named;
    const within = session.within(nowMs);
    const placements = within && placementsWithin(organization, within.fromMs, within.toMs);
    if (placements && placements.length > 1) return undefined;
    const { partner, reseller } = placements?.[0] ?? session.named;
    const path = { organization, partner, reseller };
    const { derivedAt = path } = session;
    return derivedAt.partner === path.partner && derivedAt.reseller === path.reseller ? path : undefined;
  }

  function deriveRunning(session: RunningSession, path: NodePath, nowMs: number, rows: DerivedRows): void {
    const minutes = session.takeChanges().map(({ level, minute, edges, difference }) => {
      return { level, minute, pathBefore: path, removed: undefined, pathAfter: path, added: difference, edges };
    });
    const { head, lists, agentSpans, summary } = session.row(path, rows.version);
    rows.addRendered(head, lists, agentSpans, minutes);
    const open = openRow(session.named, summary, rows.version, nowMs);
    const listedUntilMs = open.is_deleted === 1 ? 0 : open.deadline_ms;
    if (listedUntilMs !== session.listedUntilMs) rows.addOpen(open);
    Object.assign(session, { derivedAt: path, days: head.days, listedUntilMs });
  }

  /** As it was derived from storage just now; undefined where nothing more is expected of it. */
  function heldAgain(members: SessionMembers, row: SessionHead, open: OpenRow, nowMs: number) {
    const session = RunningSession.of(members);
    session.resolve(nowMs);
    if (!session.isRunning(nowMs)) return undefined;
    session.takeChanges();
    const { organization, partner, reseller, days } = row;
    return Object.assign(session, {
      derivedAt: { organization, partner, reseller },
      days,
      listedUntilMs: open.is_deleted === 1 ? 0 : open.deadline_ms,
    });
  }

  async function write(rows: DerivedRows, nowMs: number, derivation: Derivation): Promise<void> {
    // Who watches sees it while it is written; what cannot be written is taken back with all that memory holds.
    listener?.onSessionsDerived(rows.takeChanges());
    await rows.write(clickhouse, epoch, minuteSlots, nowMs);
    derivation.changedMinutes += rows.minutes.length;
    for (const node of rows.touchedNodes()) derivation.touchedNodes.add(node);
  }

  function enterEpoch(): void {
    const current = currentEpoch();
    if (current.number === epoch) return;
    loseTrack();
    known.forget();
    unfinishedSince = current.leftSince;
    epoch = current.number;
  }

  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = running.then(async () => {
      enterEpoch();
      if (unfinishedSince !== undefined) {
        await undoDerivations(clickhouse, epoch, nextVersion(), unfinishedSince);
        minuteSlots.forget();
      }
      unfinishedSince = nextVersion();
      const result = await work();
      unfinishedSince = undefined;
      return result;
    });
    running = next.catch(loseTrack);
    return next;
  }

  /** What memory holds may be what was not written, or not have what was. */
  function loseTrack(): void {
    minuteSlots.forget();
    held.letAllGo();
    listener?.onTrackLost();
  }

  async function derivation(work: (derivation: Derivation) => Promise<void>): Promise<Derivation> {
    const derivation: Derivation = { touchedNodes: new Set(), sessions: 0, changedMinutes: 0, differences: [] };
    await work(derivation);
    return derivation;
  }
  const deriveBatches: Derive = (batches, nowMs, scope) =>
    derivation((found) => deriveMarked({ batches: [...batches], organizations: [] }, nowMs, scope, found));

  return {
    derive: (batches, nowMs, scope = "changes", prepare = async () => undefined) =>
      inTurn(async () => {
        await prepare();
        return await deriveBatches(batches, nowMs, scope);
      }),
    deriveEvents: (stored, nowMs) => inTurn(() => derivation((found) => deriveLines(stored, nowMs, found))),
    alone: (work) =>
      // It may write edges and intervals of its own, of sessions that memory never met as well.
      inTurn(() =>
        work(deriveBatches).finally(() => {
          loseTrack();
          known.forget();
        }),
      ),
    unfinishedSince: () => unfinishedSince,
    held: () => held.sizes,
  };
}

/** Sorts the events of some batches by how their sessions are derived. */
function foldInto(held: RunningSessions, known: ReturnType<typeof createKnownSessions>) {
  /** Whose sessions are derived by their marks in storage. */
  const organizations = new Set<string>();
  /** Sessions to be read from storage, which has these events already. */
  const unheld = new Map<string, { organization: string; session: string }>();
  /** Sessions in memory that these events folded into. */
  const dirty = new Map<string, RunningSession>();
  function take(event: LevelEvent): void {
    const { organization, session } = event;
    if (session === "") {
      if (event.interval === "") return;
      // What is held of it is used no more, and goes when it is derived or room is needed.
      known.addUnassigned(organization);
    }
    if (known.mayHaveUnassigned(organization)) return void organizations.add(organization);
    const key = sessionKey(event);
    if (unheld.has(key)) return;
    const found = dirty.get(key) ?? held.get(key);
    const running = found ?? (known.meet(organization, session) ? RunningSession.begun(event) : undefined);
    // How long such an event's interval is, storage computes.
    if (!running || event.action === "span") {
      held.letGo(key);
      dirty.delete(key);
      unheld.set(key, { organization, session });
      return;
    }
    running.fold(event);
    dirty.set(key, running);
  }
  /** What turned out to have unassigned intervals on the way is derived by its marks alone. */
  function end() {
    for (const sessions of [unheld, dirty])
      for (const key of sessions.keys()) if (organizations.has(key.slice(0, key.indexOf("\0")))) sessions.delete(key);
    return { organizations: [...organizations], unheld, dirty };
  }
  return { take, end };
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
