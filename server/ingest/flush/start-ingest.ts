/**
 * Puts the way of an event together: the log, the identities it and storage hold, the flush loop behind it. What an
 * earlier process left in the log is known before the first request is taken, and stored without being asked for.
 */
import { mkdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { z } from "zod";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { defineQuery } from "../../clickhouse/define-query.ts";
import { numberColumn } from "../../clickhouse/number-column.ts";
import { createLevelMaterializer, type LevelMaterializer } from "../../rollups/derive-levels.ts";
import type { DerivationListener } from "../../rollups/derived-change.ts";
import { beginEpoch, type FencingEpoch, laterEpochs } from "../../rollups/fencing-epoch.ts";
import type { PlacementsWithin } from "../../rollups/session-parts.ts";
import { Admission } from "../accept/backpressure.ts";
import { findStoredEvents, storedIdentityHashes } from "../accept/known-events.ts";
import { KnownIds } from "../accept/known-ids.ts";
import { parseRequestRecord } from "../accept/request-record.ts";
import { createSequence, perMs, type Sequence } from "../log/sequence.ts";
import { comparePositions, type LogRecord, openWriteAheadLog, type WriteAheadLog } from "../log/write-ahead-log.ts";
import { type FlushLoop, type FlushObserver, type FlushOptions, startFlushLoop } from "./flush-loop.ts";
import { longestPauseMs } from "./gathering.ts";
import { createQueryDemand } from "./query-demand.ts";
import { createFreshnessSampler } from "./sample-freshness.ts";
import { batchFiles } from "./seal-batch.ts";
import { untilDone } from "./until-done.ts";

const newestVersion = defineQuery("newest_version", z.object({}), z.object({ version: numberColumn }));

/** What a verdict may wait for storage to find repeats; beyond it the sealer finds them, and the verdict says accepted. */
const lookupTimeoutMs = 1_000;
/** What derives is behind by no more than this; later it is asked whether it still may. */
const askTermAfterMs = longestPauseMs + 2_000;
/** With some ten million events the filter is complete within this; with more the first requests pay for look-ups. */
const filterPatienceMs = 1_500;

export interface IngestOptions {
  dataDir: string;
  walMaxBytes: number;
  eventsPerSecond: number;
  clickhouse: ClickHouse;
  /** Where an organization stood; absent: sessions stand where their events did. */
  placementsWithin?: PlacementsWithin;
  /** Called after each settled batch: the organizations with new events, the nodes whose levels may have changed. */
  announce: (organizations: ReadonlySet<string>, levels: ReadonlySet<string>) => void;
  /** The log cannot be written any more: the process must end, its acknowledgements would mean nothing. */
  onFatal: (error: Error) => void;
  logger: Logger;
  observer?: FlushObserver | undefined;
  /** How many watch; absent where others may watch that this process does not know of. */
  watchers?: (() => number) | undefined;
  /** Notified of what derivations of this process change. */
  listener?: DerivationListener | undefined;
  /** Members of running sessions that memory holds at most; absent: as many as a process of the usual size may take. */
  maxHeldIntervals?: number | undefined;
  /** Where other processes store in the same ClickHouse. */
  shared?: SharedIngest | undefined;
}

/** What an ingest has to know of others that store what they take in the same ClickHouse. */
export interface SharedIngest {
  /** See `createSequence`: no two have the same. */
  nodeNumber: number;
  /** No number was given yet, by any of them, that is larger. */
  numbersBefore: number;
  /** The epoch in which this process derives. Throws while another does. */
  epoch: () => FencingEpoch;
  /** The same, undefined while another does. */
  currentEpoch: () => FencingEpoch | undefined;
  /** What the flush loop derives by: here where this process is the one that does, else where that is. */
  materializer: (here: LevelMaterializer) => LevelMaterializer;
}

export interface Ingest {
  log: WriteAheadLog;
  knownIds: KnownIds;
  admission: Admission;
  flush: FlushLoop;
  materializer: LevelMaterializer;
  sequence: Sequence;
  /** The number of the epoch in which this process derives; undefined: another one does. */
  epoch(): number | undefined;
  /** The version from which on derivations of an earlier process may not have ended. */
  leftSince: number | undefined;
  /** For a process that runs alone: takes back the right to derive where another, which must not be there, has taken it. */
  keepEpoch(): Promise<void>;
  /** See `Attention`. */
  asked(): Promise<void>;
  /** Identities that others stored count here from now on. */
  gained(): void;
  /** Stores what is in the log, for at most `graceMs`; what is left is stored at the next start. */
  stop(graceMs: number): Promise<void>;
}

export async function startIngest(options: IngestOptions): Promise<Ingest> {
  const { dataDir, clickhouse, logger, shared } = options;
  const logFolder = join(dataDir, "log");
  const left = await openLeft(options, logFolder, join(dataDir, "batches"));
  const { log, progress, manifests } = left;
  const lastGiven = await lastGivenNumber(options, left);
  const sequence = createSequence(lastGiven, Date.now, shared?.nodeNumber);
  // Before the first progress there is nothing older than the first batch.
  const leftSince = progress.unfinishedSince ?? (progress.sequence || manifests[0]?.batch);
  const alone = shared ? undefined : await soleEpoch(clickhouse, leftSince);
  const localMaterializer = createLevelMaterializer({
    clickhouse,
    nextVersion: () => sequence.next(),
    currentEpoch: () => (shared ?? (alone as SoleEpoch)).epoch(),
    placementsWithin: options.placementsWithin,
    listener: options.listener,
    onSetAside: (name) =>
      logger.error(
        name,
        "a session takes more than a derivation may read: it stays as it was, and is tried again later",
      ),
    maxHeldIntervals: options.maxHeldIntervals,
  });
  const materializer = shared ? shared.materializer(localMaterializer) : localMaterializer;
  const known = await startKnownIds(clickhouse, logger, log.read(progress.settled));
  const { flush, asked, closeSampler } = await startFlush(options, left, {
    materializer,
    sequence,
    settledBatchBefore: manifests[0] ? manifests[0].batch - 1 : lastGiven,
    onSettled: (position) => known.ids.settledThrough(position),
  });
  const admission = new Admission({
    log,
    eventsPerSecond: options.eventsPerSecond,
    burstEvents: options.eventsPerSecond * 2,
    freeDiskBytes: async () => {
      const { bavail, bsize } = await statfs(logFolder);
      return bavail * bsize;
    },
  });
  return {
    log,
    knownIds: known.ids,
    admission,
    flush,
    materializer,
    sequence,
    leftSince,
    asked,
    epoch: () => (shared ? shared.currentEpoch() : alone?.epoch())?.number,
    async keepEpoch() {
      if (!alone || flush.lagMs() < askTermAfterMs) return;
      if (await alone.takeBack(localMaterializer.unfinishedSince()))
        logger.warn("another process had begun to derive levels from these events; taken back");
    },
    gained: known.gained,
    async stop(graceMs) {
      known.abort();
      await flush.stop(graceMs);
      await known.filled();
      await closeSampler();
      await log.close();
    },
  };
}

type Left = Awaited<ReturnType<typeof openLeft>>;

/** The log and what an earlier process left in the data folder; from here on the log holds nothing but what is unsettled. */
async function openLeft({ walMaxBytes, onFatal }: IngestOptions, logFolder: string, batchFolder: string) {
  await Promise.all([mkdir(logFolder, { recursive: true }), mkdir(batchFolder, { recursive: true })]);
  const log = await openWriteAheadLog({ directory: logFolder, maxBytes: walMaxBytes, onFatal });
  const files = batchFiles(batchFolder);
  const [progress, manifests] = await Promise.all([files.readProgress(), files.readManifests()]);
  if (progress.settled && comparePositions(progress.settled, log.syncedEnd) <= 0)
    await log.removeBefore(progress.settled);
  return { log, files, progress, manifests };
}

/** The largest number that may have been given before. */
async function lastGivenNumber({ clickhouse, shared }: IngestOptions, { progress, manifests }: Left): Promise<number> {
  // A data folder without progress may belong to a ClickHouse that has rows already.
  const [newest] = progress.sequence === 0 ? await newestVersion(clickhouse, {}) : [];
  const given = manifests.flatMap((manifest) => [manifest.batch, ...manifest.parts.map((part) => part.batch)]);
  return Math.max(progress.sequence, newest?.version ?? 0, shared?.numbersBefore ?? 0, ...given);
}

/** The identities of `unsettled` and of what is stored. */
async function startKnownIds(clickhouse: ClickHouse, log: Logger, unsettled: AsyncIterable<LogRecord>) {
  const ids = new KnownIds({
    lookupStored: (identities) => findStoredEvents(clickhouse, identities, Date.now()),
    lookupTimeoutMs,
  });
  await ids.fillFromLog(unsettled);
  const filling = new AbortController();
  // Until the filter is complete, identities that memory does not hold are looked up: slower, never wrong.
  const fill = () =>
    untilDone({ log, signal: filling.signal }, "filling the filter of known ids", () =>
      ids.fillFromStorage(storedIdentityHashes(clickhouse)),
    ).catch(() => undefined);
  let filled = fill();
  await Promise.race([filled, delay(filterPatienceMs, undefined, { ref: false })]);
  return {
    ids,
    gained() {
      ids.hasGained();
      filled = filled.then(fill);
    },
    abort: () => filling.abort(),
    filled: () => filled,
  };
}

async function startFlush(
  options: IngestOptions,
  { log, files, progress, manifests }: Left,
  parts: Pick<FlushOptions, "materializer" | "sequence" | "settledBatchBefore" | "onSettled">,
) {
  const { clickhouse, logger, observer } = options;
  const demand = createQueryDemand({
    watchers: options.watchers,
    lagMs: () => flush.lagMs(),
    isGathering: () => flush.isGathering(),
    allStored: () => flush.whenStored(log.syncedEnd),
  });
  const sampler = createFreshnessSampler(clickhouse, logger);
  const flush: FlushLoop = startFlushLoop(
    {
      log,
      clickhouse,
      files,
      logger,
      ...parts,
      findStored: (events) => findStoredEvents(clickhouse, events, Date.now()),
      announce: options.announce,
      isWatched: demand.isWatched,
      observer: {
        flushStageEnded: (stage, seconds) => observer?.flushStageEnded(stage, seconds),
        batchSealed: (batch) => observer?.batchSealed(batch),
        batchSettled(receipts, nowMs) {
          observer?.batchSettled(receipts, nowMs);
          sampler.batchSettled(receipts, nowMs);
        },
      },
      leftSinceMs: await receivedAtMsOfFirst(log.read(progress.settled)),
    },
    progress.settled,
    manifests,
  );
  return { flush, asked: demand.asked, closeSampler: () => sampler.close() };
}

interface SoleEpoch {
  epoch(): FencingEpoch;
  /** Begins an epoch anew where another process has begun a later one; true when one had. */
  takeBack(unfinishedSince: number | undefined): Promise<boolean>;
}

/** For a process that runs alone: fences off what a killed one before it may still be writing. */
async function soleEpoch(clickhouse: ClickHouse, leftSince: number | undefined): Promise<SoleEpoch> {
  let current: FencingEpoch = { number: (await laterEpochs(clickhouse, 0)).newest + 1, leftSince };
  await beginEpoch(clickhouse, current.number);
  return {
    epoch: () => current,
    async takeBack(unfinishedSince) {
      const { newest, sinceMs } = await laterEpochs(clickhouse, current.number);
      if (newest === 0) return false;
      await beginEpoch(clickhouse, newest + 1);
      current = {
        number: newest + 1,
        leftSince: Math.min(sinceMs * perMs, unfinishedSince ?? Number.POSITIVE_INFINITY),
      };
      return true;
    },
  };
}

async function receivedAtMsOfFirst(records: AsyncIterable<LogRecord>): Promise<number | undefined> {
  for await (const { payload } of records) return parseRequestRecord(payload).receivedAtMs;
  return undefined;
}
