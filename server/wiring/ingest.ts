/** The way of an event: the log, the flush, the cluster that shares them, and what is visible of it. */
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { claimAlone } from "../cluster/claim-stores.ts";
import { identifyIngest } from "../cluster/ingest-process.ts";
import type { RunningCluster } from "../cluster/run-node.ts";
import { startCluster } from "../cluster/start-cluster.ts";
import { nodeAddress } from "../contract/node-address.ts";
import { createCorrections } from "../corrections/corrections.ts";
import { type Ingest, startIngest } from "../ingest/flush/start-ingest.ts";
import type { ChangingStore } from "../jobs/all-jobs.ts";
import { FollowedLevels } from "../live/followed-levels.ts";
import { publishVisibility, subscribeToVisibility, type Visibility } from "../live/shared-watermark.ts";
import { nodesAround } from "../tree/changed-nodes.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import type { Boot, Viewers } from "./boot.ts";
import type { Directory, Stores } from "./stores.ts";

/** How long what is in the log may still be stored when the service stops; the rest is stored at the next start. */
const flushGraceMs = 4_000;

export type StartedIngest = Awaited<ReturnType<typeof startIngesting>>;

/** In a process without the role `ingest` there is nothing but what others say is visible. */
export async function startIngesting(boot: Boot, stores: Stores, directory: Directory, viewers: Viewers) {
  const { log, started } = boot;
  const { clickhouse, postgres } = stores;
  const { tree, redis, customMeters } = directory;
  const { claimant, cluster } = await joinOthers(boot, stores);
  const alone = claimant && !cluster ? await claimAlone(postgres, claimant, log) : undefined;
  let running: RunningCluster | undefined;
  let isAllStored = false;
  started.push(async () => {
    await running?.leave();
    await alone?.release(isAllStored);
  });
  const followed = new FollowedLevels({
    clickhouse,
    log,
    onChanged: (nodes) => viewers.announce(nodes),
    tenantOf: (organization) => tenantOf(nodeAddress("organization", organization), tree),
  });
  started.push(async () => followed.close());
  const ingest = claimant
    ? await startIngest({
        ...ingestOptions(boot, stores, tree, viewers),
        listener: followed,
        // Other processes have viewers of their own.
        watchers: redis || cluster ? undefined : () => viewers.count(),
        shared: cluster?.shared,
      })
    : undefined;
  if (ingest) {
    started.push(async () => {
      await ingest.stop(flushGraceMs);
      isAllStored = ingest.log.backlogBytes === 0;
    });
    alone?.run({
      watermark: () => ingest.flush.watermark(),
      backlogShare: () => ingest.log.backlogBytes / ingest.log.maxBytes,
      whileHeld: () => ingest.keepEpoch(),
      onLost: boot.onFatal,
    });
    running = await cluster?.run(ingest, { tree, eventType: (type) => customMeters.typeOf(type) });
  }
  started.push(async () => await running?.stopTaking());
  const { watermark, settledBatch } = visibilityOf(ingest, running, redis, log, started);
  const changing = changingStore(ingest, running);
  const corrections = createCorrections({
    postgres,
    clickhouse,
    tree,
    ingest: changing,
    log,
    isCarriedOnFor: (type, nodes) => customMeters.isCarriedOnFor(type, nodes),
    others: running && {
      isHere: running.isMaterializer,
      watermark,
      applyThere: () => running?.runThere("corrections-apply") ?? Promise.resolve(),
    },
  });
  return { ingest, running, followed, watermark, settledBatch, changing, corrections };
}

async function joinOthers({ config, log, onFatal }: Boot, { postgres, clickhouse }: Stores) {
  const claimant = config.roles.has("ingest") ? await identifyIngest(config) : undefined;
  const cluster =
    config.cluster && claimant
      ? await startCluster({
          ...config.cluster,
          process: claimant,
          onLost: onFatal,
          dataDir: config.dataDir,
          walMaxBytes: config.walMaxBytes,
          postgres,
          clickhouse,
          onFatal,
          log,
        })
      : undefined;
  return { claimant, cluster };
}

function ingestOptions(
  { config, log, onFatal }: Boot,
  { clickhouse, telemetry }: Stores,
  tree: NodeTree,
  viewers: Viewers,
): Omit<Parameters<typeof startIngest>[0], "listener" | "watchers" | "shared"> {
  const { dataDir, walMaxBytes, eventsPerSecond } = config;
  return {
    dataDir,
    walMaxBytes,
    eventsPerSecond,
    clickhouse,
    onFatal,
    logger: log,
    observer: telemetry,
    placementsWithin: (organization, fromMs, toMs) => tree.placementsWithin(organization, fromMs, toMs),
    announce: (organizations, levels) => viewers.announce(nodesAround(tree, organizations, levels)),
  };
}

/** What jobs and corrections need to change what is stored, without anything being stored meanwhile. */
function changingStore(ingest: Ingest | undefined, cluster: RunningCluster | undefined): ChangingStore | undefined {
  if (!ingest || !cluster) return ingest;
  const { log, materializer, sequence, flush } = ingest;
  return {
    log,
    materializer,
    sequence,
    flush: {
      exclusive: cluster.flush.exclusive,
      whenStored: (position) => flush.whenStored(position),
      watermark: cluster.watermark,
      get settledBatch() {
        return cluster.settledBatch();
      },
    },
  };
}

function visibilityOf(
  ingest: Ingest | undefined,
  cluster: RunningCluster | undefined,
  redis: Redis | undefined,
  log: Logger,
  started: (() => Promise<void>)[],
): Visibility {
  if (cluster) {
    const stop = redis ? publishVisibility(redis, cluster, cluster.isMaterializer) : undefined;
    started.push(async () => stop?.());
    return cluster;
  }
  if (ingest) {
    const visibility = { watermark: () => ingest.flush.watermark(), settledBatch: () => ingest.flush.settledBatch };
    const stop = redis ? publishVisibility(redis, visibility) : undefined;
    started.push(async () => stop?.());
    return visibility;
  }
  if (!redis) throw new Error("a process that does not ingest needs Redis to know the watermark");
  const subscribed = subscribeToVisibility(redis, log);
  started.push(async () => subscribed.stop());
  return subscribed;
}
