/**
 * While a batch is being stored: the sessions that it has events of are resolved again from their intervals, and once it is stored the
 * minutes in which their edges changed are written, and the slots of those minutes computed for every node above. A derivation that did not end may have
 * written edges that `sessions` does not know, and doing it again with more events need not write the same ones: so it is
 * undone before anything else is derived.
 *
 * Sessions that run are held (in memory), and the events of a batch fold into them; storage is read for those that are not held, and for
 * those that are not plain: in parts, moved, of an organization some of whose intervals are scattered over sessions (known-sessions.ts). What
 * was changed in storage in another way than by events (corrections, moves, repairs) is marked dirty there: it is let go, and derived
 * from what storage has.
 *
 * One derivation works at a time (derivation-turns.ts); while what events changed is being written, the next events are worked on.
 */
import type { ClickHouse } from "../clickhouse/client.ts";
import { createPace, inSlices } from "../fairness/pace.ts";
import { compareSessions, type SessionDifference } from "./compare-sessions.ts";
import { DerivationTurns, type OverlappingTurn } from "./derivation-turns.ts";
import { deriveRunning, deriveStored, pathOfRunning, runningAgain } from "./derive-session.ts";
import type { DerivationListener } from "./derived-change.ts";
import type { FencingEpoch } from "./fencing-epoch.ts";
import { foldInto, type SessionEvents, sortBySession, type Unsure } from "./fold-events.ts";
import { GatheredRows } from "./gathered-rows.ts";
import { createKnownSessions, type KnownSessions } from "./known-sessions.ts";
import { LevelLines } from "./level-events.ts";
import type { NodePath } from "./minute-changes.ts";
import { createMinuteSlots, type MinuteSlots } from "./minute-slots.ts";
import type { RunningSession } from "./running-session.ts";
import { type HeldSizes, RunningSessions } from "./running-sessions.ts";
import { sessionKey } from "./session-intervals.ts";
import type { PlacementsWithin } from "./session-parts.ts";
import { type SessionName, SetAside } from "./set-aside.ts";
import {
  type DirtyMarks,
  type DirtyRange,
  dirtyRanges,
  dirtyStoredSessions,
  type Leaving,
  markSessions,
  organizationsWithSplit,
  rememberAside,
  rememberedAside,
  type StoredSession,
  storedSessionsByName,
} from "./stored-sessions.ts";
import { DerivedRows, undoDerivations } from "./write-derivation.ts";

/** Answered by one comparison. */
const mostDifferences = 1_000;

export interface Derivation {
  /** Node addresses whose levels may have changed. */
  changedNodes: Set<string>;
  sessions: number;
  changedMinutes: number;
  /** Filled by a comparison: sessions whose stored rows differ from what would be derived now, a thousand at most. */
  differences: SessionDifference[];
}

/** The event lines of batches on their way into storage. */
export interface SealedLines {
  lines: readonly Buffer[];
  /** Resolves with their numbers when they are stored; rejects where not all of the lines are. */
  stored: Promise<readonly number[]>;
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
  /**
   * Derives what the events of batches change. The same as `derive`, and cheaper: what memory can tell is reported while they are
   * being stored. `onWorked` may be called before what was derived is written: what other events change may be derived from then on,
   * and is written after it.
   */
  deriveEvents(sealed: SealedLines, nowMs: number, onWorked?: () => void): Promise<Derivation>;
  /** Runs `work` while nothing else is derived; within it, only `derive` may derive. */
  alone<Result>(work: (derive: Derive) => Promise<Result>): Promise<Result>;
  /** The version from which on written edges may be of a derivation that has not ended; undefined: all have. */
  unfinishedSince(): number | undefined;
  /** What memory holds now. */
  held(): HeldSizes;
}

export type Derive = (batches: readonly number[], nowMs: number, scope: DerivationScope) => Promise<Derivation>;

/** `changes`: what differs from what was derived before is written; `comparison`: nothing is, the differences are answered. */
export type DerivationScope = "changes" | "comparison";

export interface MaterializerOptions {
  clickhouse: ClickHouse;
  /** Gives numbers that only grow, also over restarts; of two rows of one key the larger wins. */
  nextVersion: () => number;
  /** This materializer's (see fencing-epoch.ts); it throws while there is none. */
  currentEpoch: () => FencingEpoch;
  placementsWithin?: PlacementsWithin | undefined;
  /** Notified of what was written. */
  listener?: DerivationListener | undefined;
  /** Told of a session that takes more than a derivation may read, so that it stays as it was for a while and holds up no other. */
  onSetAside?: ((name: SessionName) => void) | undefined;
  /** Intervals of sessions that memory holds at most; one with many intervals or signs of life counts as several. */
  maxHeldIntervals?: number | undefined;
}

export function createLevelMaterializer(options: MaterializerOptions): LevelMaterializer {
  return new LocalMaterializer(options);
}

class LocalMaterializer implements LevelMaterializer {
  readonly #clickhouse: ClickHouse;
  readonly #nextVersion: () => number;
  readonly #listener: DerivationListener | undefined;
  readonly #placementsWithin: PlacementsWithin;
  readonly #minuteSlots: MinuteSlots;
  readonly #held: RunningSessions;
  readonly #known: KnownSessions;
  readonly #turns: DerivationTurns;
  readonly #aside = new SetAside();
  #isAsideRecalled = false;
  readonly #onSetAside: MaterializerOptions["onSetAside"];

  constructor(options: MaterializerOptions) {
    const { clickhouse, nextVersion, currentEpoch, listener } = options;
    this.#clickhouse = clickhouse;
    this.#nextVersion = nextVersion;
    this.#listener = listener;
    this.#onSetAside = options.onSetAside;
    this.#placementsWithin = options.placementsWithin ?? (() => undefined);
    this.#minuteSlots = createMinuteSlots(clickhouse);
    this.#held = new RunningSessions(options.maxHeldIntervals);
    this.#known = createKnownSessions(clickhouse);
    this.#turns = new DerivationTurns({
      nextVersion,
      currentEpoch,
      invalidate: () => this.#invalidate(),
      enterEpoch: () => {
        this.#known.forget();
        this.#isAsideRecalled = false;
      },
      undo: async (epoch, since) => {
        await undoDerivations(clickhouse, epoch, nextVersion(), since);
        this.#minuteSlots.forget();
      },
    });
  }

  /** Between two ranges of what is dirty others have their turn: each is derived from what storage has by then. */
  readonly derive: LevelMaterializer["derive"] = async (batches, nowMs, scope = "changes", prepare) => {
    const derivation = nothingDerived();
    const marks = { batches: [...batches], organizations: [] };
    const leaving = this.#leaving(nowMs);
    const deriveRanges = async (ranges: readonly DirtyRange[], epoch: number) => {
      for (const range of ranges) await this.#deriveRange(range, scope, { nowMs, epoch, derivation }, leaving);
    };
    let ranges = prepare ? undefined : await dirtyRanges(this.#clickhouse, marks, leaving);
    await this.#turns.alone(async (epoch) => {
      await prepare?.();
      ranges ??= await dirtyRanges(this.#clickhouse, marks, leaving);
      await deriveRanges(ranges.slice(0, 1), epoch);
    });
    for (const range of ranges?.slice(1) ?? []) await this.#turns.alone((epoch) => deriveRanges([range], epoch));
    return derivation;
  };

  readonly deriveEvents: LevelMaterializer["deriveEvents"] = (sealed, nowMs, onWorked) =>
    this.#turns.overlapping((turn) => this.#deriveLines(sealed, nowMs, turn), onWorked);

  readonly alone: LevelMaterializer["alone"] = (work) =>
    // It may write edges and intervals of its own, of sessions that memory never met as well.
    this.#turns.alone((epoch) =>
      work((batches, nowMs, scope) => this.#deriveBatches(batches, nowMs, scope, epoch)).finally(() => {
        this.#invalidate();
        this.#known.forget();
      }),
    );

  readonly unfinishedSince = () => this.#turns.unfinishedSince;
  readonly held = () => this.#held.sizes;

  /** What memory holds may be what was not written, or not have what was. */
  #invalidate(): void {
    this.#minuteSlots.forget();
    this.#held.evictAll();
    this.#aside.putBack();
    this.#listener?.onInvalidated();
  }

  async #deriveBatches(batches: readonly number[], nowMs: number, scope: DerivationScope, epoch: number) {
    const derivation = nothingDerived();
    await this.#deriveMarked({ batches: [...batches], organizations: [] }, scope, { nowMs, epoch, derivation });
    return derivation;
  }

  /** To be called when storage has all that was derived before. */
  async #deriveMarked(marks: DirtyMarks, scope: DerivationScope, step: Step): Promise<void> {
    const leaving = this.#leaving(step.nowMs);
    for (const range of await dirtyRanges(this.#clickhouse, marks, leaving))
      await this.#deriveRange(range, scope, step, leaving);
  }

  async #deriveRange(range: DirtyRange, scope: DerivationScope, step: Step, leaving: Leaving): Promise<void> {
    const { nowMs, derivation } = step;
    const pace = createPace();
    for await (const { share, sessions, scattered } of dirtyStoredSessions(this.#clickhouse, range, leaving)) {
      for (const organization of scattered) this.#known.addScattered(organization);
      const rows = new DerivedRows(this.#nextVersion(), scope);
      for (const [key, stored] of sessions) {
        if (scope === "comparison") {
          const difference = this.#held.get(key)?.differenceTo(stored.known);
          if (difference) derivation.differences.push(difference);
        } else this.#held.evict(key);
        await inSlices(this.#meet(stored), pace);
        await deriveStored(stored, this.#placementsWithin, nowMs, rows, pace);
      }
      derivation.sessions += sessions.size;
      if (scope === "changes") {
        this.#tell(rows);
        await this.#write(rows, step);
      } else {
        const { sessions: compared, open } = rows.compared;
        for (const difference of await compareSessions(this.#clickhouse, share, compared, open))
          derivation.differences.push(difference);
      }
      // All are repaired: what more of them there are nobody looks at.
      derivation.differences.splice(mostDifferences);
    }
  }

  async #deriveLines({ lines, stored }: SealedLines, nowMs: number, { epoch, allWritten }: OverlappingTurn) {
    const derivation = nothingDerived();
    const step = { nowMs, epoch, derivation };
    /** Then storage can be read, and what comes of these events be written. */
    const allThere = async () => {
      const batches = await stored;
      await allWritten();
      return batches;
    };
    const pace = createPace();
    const eventLines = new LevelLines(lines);
    if (!this.#isAsideRecalled) this.#aside.recall(await rememberedAside(this.#clickhouse), nowMs);
    this.#isAsideRecalled = true;
    const again = this.#aside.takeDue(nowMs);
    const { organizations, sessions } = await sortBySession(eventLines, this.#held, this.#known, pace);
    const marked = again.filter(({ organization }) => this.#known.mayHaveScattered(organization));
    if (organizations.length > 0 || marked.length > 0) {
      const batches = await allThere();
      await this.#markAgain(marked, batches);
      const concerned = new Set([...organizations, ...marked.map(({ organization }) => organization)]);
      await this.#deriveMarked({ batches: [...batches], organizations: [...concerned] }, "changes", step);
    }
    const gathered = new GatheredRows({
      ...{ nowMs, pace, nextVersion: this.#nextVersion, tell: (rows) => this.#tell(rows) },
      write: async (rows) => {
        await allThere();
        await this.#write(rows, step);
      },
    });
    const unsure: Unsure = { uncached: new Map(), doubted: [] };
    for (const name of again) if (!marked.includes(name)) unsure.uncached.set(sessionKey(name), name);
    await this.#deriveFolded(sessions, eventLines, unsure, gathered);
    // Who watches what is held does not wait for what has to be read.
    gathered.tell();
    if (unsure.uncached.size > 0 || unsure.doubted.length > 0) {
      const batches = await allThere();
      const split = await this.#deriveRead(unsure, gathered);
      if (split.size > 0) {
        // Storage has to have what was derived of these from memory.
        await gathered.write();
        const tried = again.filter(({ organization }) => split.has(organization));
        await this.#markAgain(tried, batches);
        await this.#deriveMarked({ batches: [...batches], organizations: [...split] }, "changes", step);
      }
    }
    derivation.sessions += gathered.sessions;
    gathered.tell();
    const write = async () => {
      await stored;
      await this.#write(gathered.rows, step);
      this.#aside.settle(again);
    };
    return { result: derivation, write };
  }

  /** Derives what memory can tell, and adds to `unsure` what it cannot. */
  async #deriveFolded(
    sessions: Map<string, SessionEvents>,
    lines: LevelLines,
    { uncached, doubted }: Unsure,
    gathered: GatheredRows,
  ): Promise<void> {
    const { nowMs, pace } = gathered;
    for (const [key, events] of sessions) {
      sessions.delete(key);
      const folded = await foldInto(events, lines, this.#known, pace);
      if (folded) await inSlices(folded.session.resolveSteps(nowMs), pace);
      const path = folded && pathOfRunning(folded.session, this.#placementsWithin, nowMs);
      this.#held.evict(key);
      if (!folded || !path) uncached.set(key, { organization: events.organization, session: events.session });
      else {
        uncached.delete(key);
        if (folded.doubtful.length > 0) doubted.push({ ...folded, path });
        else await this.#deriveHeld(folded.session, path, gathered);
      }
    }
  }

  #deriveHeld(session: RunningSession, path: NodePath, gathered: GatheredRows): Promise<void> {
    deriveRunning(session, path, gathered.nowMs, gathered.rows);
    if (session.isRunning(gathered.nowMs)) this.#held.hold(session);
    return gathered.addedSession();
  }

  /**
   * Derives what storage has to be asked about, but for the organizations that turn out to have intervals that events of several sessions
   * name: it answers these, which are to be derived by their marks from now on.
   */
  async #deriveRead({ uncached, doubted }: Unsure, gathered: GatheredRows): Promise<ReadonlySet<string>> {
    const { nowMs, pace } = gathered;
    const split = await organizationsWithSplit(
      this.#clickhouse,
      doubted.flatMap(({ doubtful }) => doubtful),
    );
    for (const { session, path } of doubted)
      if (!split.has(session.named.organization)) await this.#deriveHeld(session, path, gathered);
    const wanted = [...uncached.values()].filter(({ organization }) => !split.has(organization));
    for await (const read of storedSessionsByName(this.#clickhouse, wanted, this.#leaving(nowMs))) {
      for (const organization of read.split) split.add(organization);
      for (const stored of read.sessions.values()) {
        await inSlices(this.#meet(stored), pace);
        if (split.has(stored.known.organization)) continue;
        const { row, open } = await deriveStored(stored, this.#placementsWithin, nowMs, gathered.rows, pace);
        const mayBeHeld = row && this.#held.mayHold(stored.known.intervals.length);
        const session = mayBeHeld && (await runningAgain(stored.known, row, open, nowMs, pace));
        if (session) this.#held.hold(session);
        await gathered.addedSession();
      }
    }
    for (const organization of split) this.#known.addScattered(organization);
    return split;
  }

  /** Storage has events of all of it: nobody takes it for new. */
  *#meet({ known: { organization, session, intervals } }: StoredSession): Generator<undefined, void> {
    this.#known.meet(organization, session);
    for (const { level, interval } of intervals) {
      if (interval !== "") this.#known.meetInterval({ organization, level, interval });
      yield;
    }
  }

  /** Those that are set aside are read no more: what events change of them waits for its time as well. */
  #leaving(nowMs: number): Leaving {
    return {
      aside: this.#aside,
      onTooLarge: async (name) => {
        this.#held.evict(sessionKey(name));
        this.#known.meet(name.organization, name.session);
        this.#aside.add(name, nowMs);
        this.#onSetAside?.(name);
        await rememberAside(this.#clickhouse, name);
      },
    };
  }

  /** They are derived with what the batches made dirty. */
  async #markAgain(names: readonly SessionName[], [batch]: readonly number[]): Promise<void> {
    if (names.length === 0 || batch === undefined) return;
    const organizations = names.map(({ organization }) => organization);
    await markSessions(this.#clickhouse, { batch, organizations, sessions: names.map(({ session }) => session) });
  }

  /** Who watches sees it before it is written; what cannot be written is taken back with all that memory holds. */
  #tell(rows: DerivedRows): void {
    this.#listener?.onSessionsDerived(rows.takeChanges());
  }

  async #write(rows: DerivedRows, { nowMs, epoch, derivation }: Step): Promise<void> {
    await rows.write(this.#clickhouse, epoch, this.#minuteSlots, nowMs);
    derivation.changedMinutes += rows.minutes.length;
    for (const node of rows.changedNodes()) derivation.changedNodes.add(node);
  }
}

/** What is the same for all that one derivation writes. */
interface Step {
  nowMs: number;
  epoch: number;
  derivation: Derivation;
}

const nothingDerived = (): Derivation => ({ changedNodes: new Set(), sessions: 0, changedMinutes: 0, differences: [] });
