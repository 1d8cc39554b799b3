/**
 * Moves the log into ClickHouse. In order, and what a crash after each step leaves:
 *   1. seal    a piece of the log becomes a batch, its manifest on disk      -> the next start stores it
 *   2. store   rows and views, under the batch's id                          -> the next start stores the same again
 *   3. derive  the sessions that the batch has events of, their edges, the slots above -> the next start derives them again
 *      what memory can tell of them is reported while they are stored, and nothing is written before that
 *   4. settle  progress on disk, manifest and segments removed               -> the next start does the rest of it
 *   5. announce that these nodes have changed; a lost announcement is repaired by the next snapshot
 * Batches are sealed and stored while those before them are derived, and where a full one waits, two are stored at once:
 * one INSERT keeps one core busy. They are derived and settled in order; while what one changed is written, the next are worked on.
 */
import type { Logger } from "pino";
import type { ClickHouse } from "../../clickhouse/client.ts";
import type { LevelMaterializer } from "../../rollups/derive-levels.ts";
import type { ExclusiveResult, ExclusiveStorage } from "../../rollups/exclusive-storage.ts";
import type { Sequence } from "../log/sequence.ts";
import { comparePositions, type LogPosition, type LogRecord, type WriteAheadLog } from "../log/write-ahead-log.ts";
import { BatchDerivations, type StoringBatch } from "./derive-batches.ts";
import { createExclusiveTurns } from "./exclusive-turns.ts";
import { createGathering, SettlingTime } from "./gathering.ts";
import { bytesBetween, fillsBatch, isAllRead, readNextPiece, readPiece } from "./log-pieces.ts";
import {
  type BatchFiles,
  type FindStored,
  type Manifest,
  readBatch,
  type SealedBatch,
  sealBatch,
} from "./seal-batch.ts";
import { createSignal } from "./signal.ts";
import { type StoreContext, storeBatch } from "./store-batch.ts";
import { createPendingGroups, createSettledWaiters } from "./unsettled.ts";
import { untilDone } from "./until-done.ts";

/** So many bytes of records are few: some two hundred events. */
const fewBytes = 64 * 1024;
/** Full batches in ClickHouse at once. A third gains nothing on two cores and costs its rows' memory. */
const maxStoringBatches = 2;

/** Observes how long batches spend in each stage, retries included, and what was in them. */
export interface FlushObserver {
  flushStageEnded(stage: "seal" | "store" | "derive" | "settle", seconds: number): void;
  batchSealed(batch: { events: number; duplicates: number; conflicts: number; quarantined: number }): void;
  /** Everything of a batch can be queried now; `receipts` say when its events were received. */
  batchSettled(receipts: readonly { atMs: number; events: number }[], nowMs: number): void;
}

export interface FlushOptions {
  log: WriteAheadLog;
  clickhouse: ClickHouse;
  materializer: LevelMaterializer;
  files: BatchFiles;
  sequence: Sequence;
  findStored: FindStored;
  /** Called after each settled batch, with addresses of nodes of which something changed. */
  announce: (organizations: ReadonlySet<string>, levels: ReadonlySet<string>) => void;
  /** Called with the position up to which everything is settled. */
  onSettled: (position: LogPosition) => void;
  logger: Logger;
  /** Batches up to it were settled by earlier processes. */
  settledBatchBefore: number;
  /** When the oldest record that an earlier process left unsettled was received; undefined: it left none. */
  leftSinceMs: number | undefined;
  observer?: FlushObserver | undefined;
  /** Whether somebody looks at what events change; default: always. Where nobody does, and nobody waits for an event, they gather. */
  isWatched?: (() => boolean) | undefined;
  now?: () => number;
}

export interface FlushLoop extends ExclusiveStorage {
  /** Resolves when the record that ends at `position` can be queried. */
  whenStored(position: LogPosition): Promise<void>;
  /** What is not settled yet, for the health page: the age of the oldest in ms, 0 when nothing waits. */
  lagMs(): number;
  /** Whether what waits is left to become more: it is stored at once when somebody waits for it. */
  isGathering(): boolean;
  /** Whether somebody else has the turn to store, under numbers that are given now and not settled yet. */
  readonly isExclusive: boolean;
  /** Flushes what is in the log, for at most `graceMs`, then stops. What is left is stored at the next start. */
  stop(graceMs: number): Promise<void>;
}

/** Goes on from `settledBefore`, up to which an earlier process settled the log, with the sealed batches that it `left`. */
export function startFlushLoop(
  options: FlushOptions,
  settledBefore: LogPosition | null,
  left: readonly Manifest[],
): FlushLoop {
  return new RunningFlushLoop(options, settledBefore, left);
}

class RunningFlushLoop implements FlushLoop {
  readonly #options: FlushOptions;
  readonly #now: () => number;
  readonly #store: StoreContext;
  readonly #pending: ReturnType<typeof createPendingGroups>;
  readonly #waiters = createSettledWaiters();
  readonly #turns = createExclusiveTurns();
  readonly #abort = new AbortController();
  readonly #wakeUp = createSignal();
  readonly #hurry = createSignal();
  readonly #stopListening: () => void;
  readonly #finished: Promise<void>;
  #settled: LogPosition | null;
  #settledBatch: number;
  #isGathering = false;
  #isExclusive = false;
  #isStopping = false;
  readonly #inFlight = new Set<Promise<void>>();
  /** Ends when every batch of `#inFlight` is stored and handed on; rejects when one cannot be. */
  #storing: Promise<void> = Promise.resolve();
  readonly #derivations: BatchDerivations;
  readonly #settling = new SettlingTime();

  constructor(options: FlushOptions, settledBefore: LogPosition | null, left: readonly Manifest[]) {
    const { log, clickhouse, files, sequence, logger, now = Date.now } = options;
    this.#options = options;
    this.#now = now;
    this.#store = { clickhouse, files, sequence, log: logger, signal: this.#abort.signal };
    this.#derivations = new BatchDerivations({
      materializer: options.materializer,
      now,
      untilDone: (derive) => this.#timed("derive", untilDone(this.#store, "deriving levels", derive)),
      settle: (group, touched) => this.#timed("settle", this.#settle(group, touched)),
    });
    this.#settled = settledBefore;
    this.#settledBatch = options.settledBatchBefore;
    this.#pending = createPendingGroups(log, options.leftSinceMs, now);
    this.#stopListening = log.onSynced(this.#wakeUp.set);
    this.#abort.signal.addEventListener("abort", this.#wakeUp.set);
    this.#abort.signal.addEventListener("abort", this.#hurry.set);
    this.#finished = this.#run(left).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) logger.fatal({ err: error }, "the flush loop ended");
    });
  }

  async #run(left: readonly Manifest[]): Promise<void> {
    let cursor = await this.#storeLeft(left);
    const { log, isWatched = () => true } = this.#options;
    const isAwaited = () => this.#isStopping || !this.#waiters.isEmpty() || !this.#turns.isEmpty();
    const isUrgent = () => isWatched() || isAwaited() || fillsBatch(cursor, log.syncedEnd);
    const areFew = () => bytesBetween(cursor, log.syncedEnd) <= fewBytes;
    const settlingMs = () => this.#settling.ms;
    const gathering = createGathering({ isUrgent, areFew, settlingMs, hurry: this.#hurry, abort: this.#abort.signal });
    while (!this.#abort.signal.aborted) {
      this.#wakeUp.clear();
      await this.#runExclusive();
      if (await isAllRead(log, cursor)) {
        await this.#storing;
        if (this.#isStopping) return;
        await this.#wakeUp.next();
        continue;
      }
      this.#isGathering = !this.#isStopping;
      if (this.#isGathering) await gathering.whenDue();
      this.#isGathering = false;
      // Only what fills a batch is stored beside another one: less would make more parts, not more speed.
      if (!fillsBatch(cursor, log.syncedEnd)) await this.#storing;
      const { records, isFull } = await readNextPiece(log, cursor);
      gathering.begun(isFull);
      const begunAtMs = performance.now();
      const sealed = await this.#timed("seal", this.#seal(records, cursor));
      this.#settling.begun(sealed.manifest.batch, begunAtMs);
      cursor = sealed.manifest.to;
      await this.#storeSoon(sealed, false);
    }
  }

  /** Stores what an earlier process sealed. Answers the position where sealing goes on. */
  async #storeLeft(left: readonly Manifest[]): Promise<LogPosition | null> {
    const { log, files, logger } = this.#options;
    let cursor = this.#settled;
    for (const manifest of left) {
      if (this.#settled && comparePositions(manifest.to, this.#settled) <= 0) {
        await files.removeManifest(manifest.batch);
        continue;
      }
      const sealed = readBatch(await readPiece(log, manifest.from, manifest.to), manifest);
      const about = { batch: manifest.batch, events: sealed.rows.length };
      logger.info(about, "storing a batch that an earlier process sealed");
      await this.#storeSoon(sealed, true);
      cursor = manifest.to;
    }
    return cursor;
  }

  async #seal(records: LogRecord[], from: LogPosition | null): Promise<SealedBatch> {
    const { files, sequence, observer } = this.#options;
    const findStored: FindStored = async (events) => {
      // What is being stored cannot be found yet.
      await this.#storing;
      return await this.#options.findStored(events);
    };
    const sealed = await untilDone(this.#store, "sealing", () => sealBatch(records, from, sequence.next(), findStored));
    await untilDone(this.#store, "sealing", () => files.writeManifest(sealed.manifest));
    observer?.batchSealed({
      events: sealed.rows.length,
      duplicates: sealed.manifest.duplicates.length,
      conflicts: sealed.manifest.conflicts.length,
      quarantined: sealed.quarantined.length,
    });
    return sealed;
  }

  async #storeSoon(sealed: SealedBatch, isInDoubt: boolean): Promise<void> {
    while (this.#inFlight.size >= maxStoringBatches) await Promise.race(this.#inFlight);
    const stored = this.#timed("store", storeBatch(this.#store, sealed, isInDoubt));
    stored.catch(() => undefined);
    const handedOn = this.#derivations.handOn(sealed, stored);
    const inOrder: Promise<void> = Promise.all([this.#storing, stored, handedOn])
      .then(() => undefined)
      .finally(() => this.#inFlight.delete(inOrder));
    this.#inFlight.add(inOrder);
    this.#storing = inOrder;
    // Who awaits it next sees the rejection; the loop must look for it even when nothing new arrives.
    inOrder.catch(this.#wakeUp.set);
  }

  /** What was derived together is settled together, in the order of the log. */
  async #settle(group: readonly StoringBatch[], touched: ReadonlySet<string>): Promise<void> {
    const last = group.at(-1);
    if (!last) return;
    const { log, files, materializer, observer } = this.#options;
    const { to } = last.manifest;
    await untilDone(this.#store, "settling", () => {
      const sequence = this.#options.sequence.next();
      return files.writeProgress({
        settled: to,
        sequence,
        unfinishedSince: materializer.unfinishedSince() ?? sequence,
      });
    });
    for (const { manifest, receipts } of group) {
      await this.#removeManifest(manifest.batch);
      this.#settling.settled(manifest.batch);
      this.#settledBatch = Math.max(manifest.batch, ...manifest.parts.map((part) => part.batch));
      observer?.batchSettled(receipts, this.#now());
    }
    this.#settled = to;
    this.#pending.settledThrough(to);
    this.#options.onSettled(to);
    await log.removeBefore(to);
    this.#waiters.settledThrough(to);
    this.#options.announce(new Set(group.flatMap(({ organizations }) => [...organizations])), touched);
  }

  async #removeManifest(batch: number): Promise<void> {
    await this.#options.files.removeManifest(batch).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") this.#options.logger.warn({ err: error }, "a settled manifest could not be removed");
    });
  }

  async #timed<Result>(stage: Parameters<FlushObserver["flushStageEnded"]>[0], work: Promise<Result>) {
    const startedAtMs = performance.now();
    const result = await work;
    this.#options.observer?.flushStageEnded(stage, (performance.now() - startedAtMs) / 1000);
    return result;
  }

  async #runExclusive(): Promise<void> {
    while (!this.#turns.isEmpty() && !this.#abort.signal.aborted) {
      await this.#storing;
      await this.#derivations.settled();
      await this.#turns.runNext();
    }
  }

  exclusive(work: () => Promise<ExclusiveResult>): Promise<void> {
    if (this.#isStopping) return Promise.reject(stoppingError());
    const done = this.#turns.add(async () => {
      this.#isExclusive = true;
      try {
        const { batch, organizations, levels } = await work();
        this.#settledBatch = Math.max(this.#settledBatch, batch);
        this.#options.announce(organizations, levels);
      } finally {
        this.#isExclusive = false;
      }
    });
    this.#hurry.set();
    this.#wakeUp.set();
    return done;
  }

  whenStored(position: LogPosition): Promise<void> {
    if (this.#settled && comparePositions(position, this.#settled) <= 0) return Promise.resolve();
    const stored = this.#waiters.wait(position);
    this.#hurry.set();
    return stored;
  }

  watermark(): Date {
    const oldestAtMs = this.#pending.oldestAtMs();
    return new Date(oldestAtMs === undefined ? this.#now() : oldestAtMs - 1);
  }

  lagMs(): number {
    return Math.max(0, this.#now() - (this.#pending.oldestAtMs() ?? this.#now()));
  }

  isGathering(): boolean {
    return this.#isGathering;
  }

  get isExclusive(): boolean {
    return this.#isExclusive;
  }

  get settledBatch(): number {
    return this.#settledBatch;
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#hurry.set();
    this.#wakeUp.set();
    const timer = setTimeout(() => this.#abort.abort(), graceMs);
    await this.#finished;
    await this.#derivations.settled().catch(() => undefined);
    clearTimeout(timer);
    this.#abort.abort();
    this.#stopListening();
    this.#pending.close();
    this.#turns.rejectAll(stoppingError());
    this.#waiters.rejectAll(stoppingError());
  }
}

const stoppingError = () => new Error("the service is stopping");
