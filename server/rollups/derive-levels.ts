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
import type { ClickHouse } from "../clickhouse/client.ts";
import { createPace, inSlices } from "../fairness/pace.ts";
import { compareSessions, type SessionDifference } from "./compare-sessions.ts";
import { deriveRunning, deriveStored, pathOfRunning, runningAgain } from "./derive-session.ts";
import type { DerivationListener } from "./derived-change.ts";
import type { FencingEpoch } from "./fencing-epoch.ts";
import { foldInto, sortBySession } from "./fold-events.ts";
import { createKnownSessions, type KnownSessions } from "./known-sessions.ts";
import { LevelLines } from "./level-events.ts";
import { createMinuteSlots, type MinuteSlots } from "./minute-slots.ts";
import { type HeldSizes, RunningSessions } from "./running-sessions.ts";
import type { PlacementsWithin } from "./session-parts.ts";
import { type DirtyMarks, dirtyStoredSessions, storedSessionsByName } from "./stored-sessions.ts";
import { DerivedRows, undoDerivations } from "./write-derivation.ts";

/** Bounds the memory of one step, whatever a batch has. */
const sessionsPerWrite = 8_000;
/** What so many sessions changed is told, and then kept by who was told alone. */
const sessionsPerTelling = 200;

export interface Derivation {
  /** Node addresses whose levels may have changed. */
  changedNodes: Set<string>;
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
  /** Intervals of sessions that memory holds at most; one with many intervals or signs of life counts as several. */
  maxHeldIntervals?: number | undefined;
}

export function createLevelMaterializer(options: MaterializerOptions): LevelMaterializer {
  return new LocalMaterializer(options);
}

class LocalMaterializer implements LevelMaterializer {
  readonly #clickhouse: ClickHouse;
  readonly #nextVersion: () => number;
  readonly #currentEpoch: () => FencingEpoch;
  readonly #listener: DerivationListener | undefined;
  readonly #placementsWithin: PlacementsWithin;
  readonly #minuteSlots: MinuteSlots;
  readonly #held: RunningSessions;
  readonly #known: KnownSessions;
  #running: Promise<unknown> = Promise.resolve();
  #unfinishedSince: number | undefined;
  /** The epoch of what memory holds: in another one, others may have written what it does not have. */
  #epoch = 0;

  constructor(options: MaterializerOptions) {
    this.#clickhouse = options.clickhouse;
    this.#nextVersion = options.nextVersion;
    this.#currentEpoch = options.currentEpoch;
    this.#listener = options.listener;
    this.#placementsWithin = options.placementsWithin ?? (() => undefined);
    this.#minuteSlots = createMinuteSlots(options.clickhouse);
    this.#held = new RunningSessions(options.maxHeldIntervals);
    this.#known = createKnownSessions(options.clickhouse);
  }

  readonly derive: LevelMaterializer["derive"] = (batches, nowMs, scope = "changes", prepare = async () => undefined) =>
    this.#inTurn(async () => {
      await prepare();
      return await this.#deriveBatches(batches, nowMs, scope);
    });

  readonly deriveEvents: LevelMaterializer["deriveEvents"] = (stored, nowMs) =>
    this.#inTurn(() => this.#deriveLines(stored, nowMs));

  readonly alone: LevelMaterializer["alone"] = (work) =>
    // It may write edges and intervals of its own, of sessions that memory never met as well.
    this.#inTurn(() =>
      work(this.#deriveBatches).finally(() => {
        this.#invalidate();
        this.#known.forget();
      }),
    );

  readonly unfinishedSince = () => this.#unfinishedSince;
  readonly held = () => this.#held.sizes;

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = this.#running.then(async () => {
      this.#enterEpoch();
      if (this.#unfinishedSince !== undefined) {
        await undoDerivations(this.#clickhouse, this.#epoch, this.#nextVersion(), this.#unfinishedSince);
        this.#minuteSlots.forget();
      }
      this.#unfinishedSince = this.#nextVersion();
      const result = await work();
      this.#unfinishedSince = undefined;
      return result;
    });
    this.#running = next.catch(() => this.#invalidate());
    return next;
  }

  #enterEpoch(): void {
    const current = this.#currentEpoch();
    if (current.number === this.#epoch) return;
    this.#invalidate();
    this.#known.forget();
    this.#unfinishedSince = current.leftSince;
    this.#epoch = current.number;
  }

  /** What memory holds may be what was not written, or not have what was. */
  #invalidate(): void {
    this.#minuteSlots.forget();
    this.#held.evictAll();
    this.#listener?.onInvalidated();
  }

  readonly #deriveBatches: Derive = async (batches, nowMs, scope) => {
    const derivation = nothingDerived();
    await this.#deriveMarked({ batches: [...batches], organizations: [] }, nowMs, scope, derivation);
    return derivation;
  };

  async #deriveMarked(marks: DirtyMarks, nowMs: number, scope: DerivationScope, derivation: Derivation): Promise<void> {
    const pace = createPace();
    for await (const { share, sessions, withUnassigned } of dirtyStoredSessions(this.#clickhouse, marks)) {
      for (const organization of withUnassigned) this.#known.addUnassigned(organization);
      const rows = new DerivedRows(this.#nextVersion(), scope);
      for (const [key, stored] of sessions) {
        if (scope === "comparison") {
          const difference = this.#held.get(key)?.differenceTo(stored.known);
          if (difference) derivation.differences.push(difference);
        } else this.#held.evict(key);
        this.#known.meet(stored.known.organization, stored.known.session);
        await deriveStored(stored, this.#placementsWithin, nowMs, rows, pace);
      }
      derivation.sessions += sessions.size;
      if (scope === "changes") await this.#write(rows, nowMs, derivation);
      else
        derivation.differences.push(
          ...(await compareSessions(this.#clickhouse, share, rows.compared.sessions, rows.compared.open)),
        );
    }
  }

  async #deriveLines({ batches, lines }: StoredLines, nowMs: number): Promise<Derivation> {
    const derivation = nothingDerived();
    const pace = createPace();
    const eventLines = new LevelLines(lines);
    const { organizations, sessions } = await sortBySession(eventLines, this.#held, this.#known, pace);
    const marks = { batches: [...batches], organizations };
    if (organizations.length > 0) await this.#deriveMarked(marks, nowMs, "changes", derivation);
    /** To be read from storage. */
    const uncached: { organization: string; session: string }[] = [];
    let rows = new DerivedRows(this.#nextVersion());
    const step = async () => {
      derivation.sessions++;
      if (rows.sessions >= sessionsPerWrite) {
        await this.#write(rows, nowMs, derivation);
        rows = new DerivedRows(this.#nextVersion());
      } else if (derivation.sessions % sessionsPerTelling === 0) this.#tell(rows);
      await pace.rest();
    };
    for (const [key, events] of sessions) {
      sessions.delete(key);
      const session = await foldInto(events, eventLines, this.#known, pace);
      if (session) await inSlices(session.resolveSteps(nowMs), pace);
      const path = session && pathOfRunning(session, this.#placementsWithin, nowMs);
      this.#held.evict(key);
      if (!session || !path) uncached.push({ organization: events.organization, session: events.session });
      else {
        deriveRunning(session, path, nowMs, rows);
        if (session.isRunning(nowMs)) this.#held.hold(session);
        await step();
      }
    }
    // Who watches what is held does not wait for what has to be read.
    if (uncached.length > 0) this.#tell(rows);
    for await (const sessions of storedSessionsByName(this.#clickhouse, uncached))
      for (const stored of sessions.values()) {
        const { row, open } = await deriveStored(stored, this.#placementsWithin, nowMs, rows, pace);
        const session = row && (await runningAgain(stored.known, row, open, nowMs, pace));
        if (session) this.#held.hold(session);
        await step();
      }
    await this.#write(rows, nowMs, derivation);
    return derivation;
  }

  /** Who watches sees it before it is written; what cannot be written is taken back with all that memory holds. */
  #tell(rows: DerivedRows): void {
    this.#listener?.onSessionsDerived(rows.takeChanges());
  }

  async #write(rows: DerivedRows, nowMs: number, derivation: Derivation): Promise<void> {
    this.#tell(rows);
    await rows.write(this.#clickhouse, this.#epoch, this.#minuteSlots, nowMs);
    derivation.changedMinutes += rows.minutes.length;
    for (const node of rows.changedNodes()) derivation.changedNodes.add(node);
  }
}

const nothingDerived = (): Derivation => ({ changedNodes: new Set(), sessions: 0, changedMinutes: 0, differences: [] });
