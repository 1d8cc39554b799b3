/**
 * Moves the log into ClickHouse. In order, and what a crash after each step leaves:
 *   1. seal    a piece of the log becomes a batch, its manifest on disk      -> the next start stores it
 *   2. store   rows and views, under the batch's id                          -> the next start stores the same again
 *   3. derive  the dirty sessions, their edges, the slots above            -> the next start derives them again
 *   4. settle  progress on disk, manifest and segments removed               -> the next start does the rest of it
 *   5. announce that these nodes have changed; a lost announcement is repaired by the next snapshot
 * Batches are sealed and stored while those before them are derived, and where a full one waits, two are stored at once:
 * one INSERT keeps one core busy. They are derived and settled in order.
 */
import type { Logger } from "pino";
import type { ClickHouse } from "../../clickhouse/client.ts";
import type { LevelMaterializer } from "../../rollups/derive-levels.ts";
import type { ExclusiveStorage } from "../../rollups/exclusive-storage.ts";
import type { Sequence } from "../log/sequence.ts";
import { comparePositions, type LogPosition, type LogRecord, type WriteAheadLog } from "../log/write-ahead-log.ts";
import { createGathering } from "./gathering.ts";
import {
  type BatchFiles,
  type FindStored,
  type Manifest,
  readBatch,
  type SealedBatch,
  sealBatch,
} from "./seal-batch.ts";
import { createSignal } from "./signal.ts";
import { storeBatch, untilDone } from "./store-batch.ts";

/** A batch is closed at this many bytes of records, which bounds the memory of a flush and stays one block of ClickHouse. */
const maxBatchBytes = 12 * 1024 * 1024;
/** So many bytes of records are few: some two hundred events. */
const fewBytes = 64 * 1024;
/** Full batches in ClickHouse at once. A third gains nothing on two cores and costs its rows' memory. */
const maxStoringBatches = 2;
/** How far storing may run ahead of deriving, in batches and in bytes of their lines. */
const maxDerivableBatches = 16;
const maxDerivableBytes = 2 * maxBatchBytes;

/** A batch once it is stored. */
interface StoredBatch {
  manifest: Manifest;
  organizations: ReadonlySet<string>;
  /** One for each stored event. */
  lines: readonly Buffer[];
  bytes: number;
  events: number;
  receipts: SealedBatch["receipts"];
}

/** Told how long batches spend in each stage, retries included, and what was in them. */
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
  /** Settled and total counts since the start. */
  readonly storedEvents: number;
  /** Flushes what is in the log, for at most `graceMs`, then stops. What is left is stored at the next start. */
  stop(graceMs: number): Promise<void>;
}

/** Starts with what an earlier process left. `progress` is what `files` remembered of it. */
export function startFlushLoop(
  options: FlushOptions,
  settledBefore: LogPosition | null,
  left: readonly Manifest[],
): FlushLoop {
  const { log, files, logger, observer } = options;
  const { now = Date.now, isWatched = () => true } = options;
  const abort = new AbortController();
  const store = {
    clickhouse: options.clickhouse,
    files,
    sequence: options.sequence,
    log: logger,
    signal: abort.signal,
  };

  let settled = settledBefore;
  let settledBatch = options.settledBatchBefore;
  let storedEvents = 0;
  let isGathering = false;
  let isStopping = false;
  let waiters: { position: LogPosition; resolve: () => void; reject: (error: Error) => void }[] = [];
  const pending = createPendingGroups(log, options.leftSinceMs, now);
  const wakeUp = createSignal();
  const hurry = createSignal();
  const stopListening = log.onSynced(wakeUp.set);
  abort.signal.addEventListener("abort", wakeUp.set);
  abort.signal.addEventListener("abort", hurry.set);

  async function timed<Result>(stage: Parameters<FlushObserver["flushStageEnded"]>[0], work: Promise<Result>) {
    const startedAtMs = performance.now();
    const result = await work;
    observer?.flushStageEnded(stage, (performance.now() - startedAtMs) / 1000);
    return result;
  }

  /** What was derived together is settled together, in the order of the log. */
  async function settle(group: readonly StoredBatch[], touched: ReadonlySet<string>): Promise<void> {
    const last = group.at(-1);
    if (!last) return;
    const { to } = last.manifest;
    await untilDone(store, "settling", () => {
      const sequence = options.sequence.next();
      const unfinishedSince = options.materializer.unfinishedSince() ?? sequence;
      return files.writeProgress({ settled: to, sequence, unfinishedSince });
    });
    for (const { manifest, events, receipts } of group) {
      await files.removeManifest(manifest.batch).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") logger.warn({ err: error }, "a settled manifest could not be removed");
      });
      settledBatch = Math.max(manifest.batch, ...manifest.parts.map((part) => part.batch));
      storedEvents += events;
      observer?.batchSettled(receipts, now());
    }
    settled = to;
    pending.settledThrough(to);
    options.onSettled(to);
    await log.removeBefore(to);
    const due = waiters.filter((waiter) => comparePositions(waiter.position, to) <= 0);
    waiters = waiters.filter((waiter) => comparePositions(waiter.position, to) > 0);
    for (const waiter of due) waiter.resolve();
    options.announce(new Set(group.flatMap(({ organizations }) => [...organizations])), touched);
  }

  /** Batches that wait for their derivation. Far behind, many are derived at once: a session they share is derived once. */
  let derivable: StoredBatch[] = [];
  let deriving: Promise<void> | undefined;
  async function deriveAll(): Promise<void> {
    while (derivable.length > 0) {
      const group = derivable;
      derivable = [];
      const batches = group.flatMap(({ manifest }) => manifest.parts.map((part) => part.batch));
      const derive = () =>
        options.materializer.deriveEvents({ batches, lines: group.flatMap(({ lines }) => lines) }, now());
      const touched =
        batches.length > 0
          ? (await timed("derive", untilDone(store, "deriving levels", derive))).touchedNodes
          : new Set<string>();
      await timed("settle", settle(group, touched));
    }
  }
  async function deriveSoon({ manifest, organizations, rows, receipts }: SealedBatch): Promise<void> {
    const isFull = () => derivable.length >= maxDerivableBatches || bytesOf(derivable) >= maxDerivableBytes;
    while (deriving && isFull()) await deriving;
    const lines = manifest.parts.flatMap((part) => rows.bytes(part.from, part.to));
    const bytes = lines.reduce((sum, { length }) => sum + length, 0);
    derivable.push({ manifest, organizations, lines, bytes, events: rows.length, receipts });
    deriving ??= deriveAll().finally(() => {
      deriving = undefined;
    });
    deriving.catch(() => undefined);
  }

  const inFlight = new Set<Promise<void>>();
  /** Ends when every batch of `inFlight` is stored and handed on; rejects when one cannot be. */
  let storing: Promise<void> = Promise.resolve();
  async function storeSoon(sealed: SealedBatch, isInDoubt: boolean): Promise<void> {
    while (inFlight.size >= maxStoringBatches) await Promise.race(inFlight);
    const stored = timed("store", storeBatch(store, sealed, isInDoubt));
    const inOrder: Promise<void> = Promise.all([storing, stored])
      .then(() => deriveSoon(sealed))
      .finally(() => inFlight.delete(inOrder));
    inFlight.add(inOrder);
    storing = inOrder;
    // Who awaits it next sees the rejection; the loop must look for it even when nothing new arrives.
    inOrder.catch(wakeUp.set);
  }

  async function seal(records: LogRecord[], from: LogPosition | null): Promise<SealedBatch> {
    const findStored: FindStored = async (events) => {
      // What is being stored cannot be found yet.
      await storing;
      return await options.findStored(events);
    };
    const sealed = await untilDone(store, "sealing", () =>
      sealBatch(records, from, options.sequence.next(), findStored),
    );
    await untilDone(store, "sealing", () => files.writeManifest(sealed.manifest));
    observer?.batchSealed({
      events: sealed.rows.length,
      duplicates: sealed.manifest.duplicates.length,
      conflicts: sealed.manifest.conflicts.length,
      quarantined: sealed.quarantined.length,
    });
    return sealed;
  }

  let works: { run: () => Promise<void>; abandon: () => void }[] = [];
  async function runExclusive(): Promise<void> {
    while (works.length > 0 && !abort.signal.aborted) {
      await storing;
      await deriving;
      await works.shift()?.run();
    }
  }

  async function run(): Promise<void> {
    let cursor = settled;
    for (const manifest of left) {
      if (settled && comparePositions(manifest.to, settled) <= 0) {
        await files.removeManifest(manifest.batch);
        continue;
      }
      const records = await readRecords(log, manifest.from, manifest.to);
      const sealed = readBatch(records, manifest);
      logger.info(
        { batch: manifest.batch, events: sealed.rows.length },
        "storing a batch that an earlier process sealed",
      );
      await storeSoon(sealed, true);
      cursor = manifest.to;
    }
    const isUrgent = () =>
      isWatched() || isStopping || waiters.length > 0 || works.length > 0 || fillsBatch(cursor, log.syncedEnd);
    const areFew = () => bytesBetween(cursor, log.syncedEnd) <= fewBytes;
    const gathering = createGathering({ isUrgent, areFew, hurry, abort: abort.signal });
    while (!abort.signal.aborted) {
      wakeUp.clear();
      await runExclusive();
      if (await isAllRead(log, cursor)) {
        await storing;
        if (isStopping) return;
        await wakeUp.next();
        continue;
      }
      isGathering = !isStopping;
      if (isGathering) await gathering.whenDue();
      isGathering = false;
      // Only what fills a batch is stored beside another one: less would make more parts, not more speed.
      if (!fillsBatch(cursor, log.syncedEnd)) await storing;
      const { records, isFull } = await nextRecords(log, cursor);
      gathering.begun(isFull);
      const sealed = await timed("seal", seal(records, cursor));
      cursor = sealed.manifest.to;
      await storeSoon(sealed, false);
    }
  }

  const finished = run().catch((error: unknown) => {
    if (!abort.signal.aborted) logger.fatal({ err: error }, "the flush loop ended");
  });

  return {
    whenStored(position) {
      if (settled && comparePositions(position, settled) <= 0) return Promise.resolve();
      return new Promise((resolve, reject) => {
        waiters.push({ position, resolve, reject });
        hurry.set();
      });
    },
    watermark: () => new Date(pending.oldestAtMs() === undefined ? now() : (pending.oldestAtMs() as number) - 1),
    lagMs: () => Math.max(0, now() - (pending.oldestAtMs() ?? now())),
    isGathering: () => isGathering,
    get storedEvents() {
      return storedEvents;
    },
    get settledBatch() {
      return settledBatch;
    },
    exclusive(work) {
      if (isStopping) return Promise.reject(new Error("the service is stopping"));
      return new Promise((resolve, reject) => {
        const run = () =>
          work().then(({ batch, organizations, levels }) => {
            settledBatch = Math.max(settledBatch, batch);
            options.announce(organizations, levels);
            resolve();
          }, reject);
        works.push({ run, abandon: () => reject(new Error("the service is stopping")) });
        hurry.set();
        wakeUp.set();
      });
    },
    async stop(graceMs) {
      isStopping = true;
      hurry.set();
      wakeUp.set();
      const timer = setTimeout(() => abort.abort(), graceMs);
      await finished;
      await deriving?.catch(() => undefined);
      clearTimeout(timer);
      abort.abort();
      stopListening();
      pending.close();
      for (const { abandon } of works) abandon();
      works = [];
      for (const waiter of waiters) waiter.reject(new Error("the service is stopping"));
    },
  };
}

const bytesOf = (batches: readonly StoredBatch[]) => batches.reduce((sum, { bytes }) => sum + bytes, 0);

/** Whether a whole batch waits between two positions; between segments it does, or soon will. */
function fillsBatch(from: LogPosition | null, to: LogPosition): boolean {
  return bytesBetween(from, to) >= maxBatchBytes;
}

/** Infinite where a segment ends between them. */
function bytesBetween(from: LogPosition | null, to: LogPosition): number {
  return from?.segment === to.segment ? to.offset - from.offset : Number.POSITIVE_INFINITY;
}

async function readRecords(log: WriteAheadLog, from: LogPosition | null, to: LogPosition): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of log.read(from)) {
    if (comparePositions(record.end, to) > 0) break;
    records.push(record);
  }
  return records;
}

async function isAllRead(log: WriteAheadLog, from: LogPosition | null): Promise<boolean> {
  for await (const _ of log.read(from)) return false;
  return true;
}

async function nextRecords(log: WriteAheadLog, from: LogPosition | null) {
  const records: LogRecord[] = [];
  let bytes = 0;
  for await (const record of log.read(from)) {
    records.push(record);
    bytes += record.payload.length;
    if (bytes >= maxBatchBytes) break;
  }
  return { records, isFull: bytes >= maxBatchBytes };
}

/**
 * When the groups of the log that are not settled were synced, which is before their requests were answered. Groups
 * within `mergeMs` are remembered as one, so that a backlog of hours stays small.
 */
export function createPendingGroups(log: WriteAheadLog, leftSinceMs: number | undefined, now: () => number) {
  const mergeMs = 20;
  let groups: { end: LogPosition; atMs: number }[] = [];
  if (leftSinceMs !== undefined) groups.push({ end: log.syncedEnd, atMs: leftSinceMs });
  const stop = log.onSynced((end) => {
    const last = groups.at(-1);
    const atMs = now();
    if (last && atMs - last.atMs < mergeMs) last.end = end;
    else groups.push({ end, atMs });
  });
  return {
    oldestAtMs: () => groups[0]?.atMs,
    settledThrough(position: LogPosition) {
      groups = groups.filter((group) => comparePositions(group.end, position) > 0);
    },
    close: stop,
  };
}
