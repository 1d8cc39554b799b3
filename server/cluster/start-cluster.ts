/**
 * What one ingest node is to the others: it takes events with them, stores what it owns, derives levels where it is the one
 * that does, and knows how far queries see into what all of them accepted.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { Ingest, SharedIngest } from "../ingest/flush/start-ingest.ts";
import type { Postgres } from "../postgres/client.ts";
import type { LevelMaterializer } from "../rollups/derive-levels.ts";
import type { FencingEpoch } from "../rollups/fencing-epoch.ts";
import { proofOfSecret } from "./claim-stores.ts";
import type { IngestProcess } from "./evaluate-claim.ts";
import { joinCluster, type Membership } from "./membership.ts";
import { asBody, createPeers, type Peers } from "./peers.ts";
import { type Accepting, type RunningCluster, runNode } from "./run-node.ts";

export interface ClusterOptions {
  process: IngestProcess;
  url: string;
  secret: string;
  dataDir: string;
  walMaxBytes: number;
  postgres: Postgres;
  clickhouse: ClickHouse;
  onFatal: (error: Error) => void;
  /** Another process has taken this node's place. */
  onLost: (error: Error) => void;
  log: Logger;
}

export interface Cluster {
  readonly membership: Membership;
  readonly peers: Peers;
  /** For `startIngest`. */
  readonly shared: SharedIngest;
  /** Begins to own, take and hand over; call it when the ingest runs and before the first request is served. */
  run(ingest: Ingest, accepting: Accepting): Promise<RunningCluster>;
}

const derivedSchema = z.object({ touchedNodes: z.array(z.string()) });
export const deriveBodySchema = z.object({ batches: z.array(z.number()) });
export const tokenBodySchema = z.object({ token: z.string() });

const deriveWithinMs = 60_000;
/** While another node takes over; then the flush loop tries again by itself. */
const materializerPatienceMs = 10_000;

/** Registers this node. Throws ClaimRefusedError. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { postgres, url, secret, log } = options;
  const membership = await joinCluster({
    ...options.process,
    postgres,
    url,
    log,
    secretProof: proofOfSecret(secret),
    onLost: options.onLost,
  });
  const peers = createPeers(secret, Date.now, url);
  let here: LevelMaterializer | undefined;
  const epoch = (): FencingEpoch => {
    const current = membership.epoch();
    if (!current) throw new Error("another node derives levels now");
    return current;
  };
  const shared: SharedIngest = {
    nodeNumber: membership.nodeNumber,
    numbersBefore: Math.max(0, ...membership.nodes().map(({ lastNumber }) => lastNumber)),
    epoch,
    currentEpoch: () => membership.epoch(),
    materializer(local) {
      here = local;
      return sharedMaterializer(local, membership, peers);
    },
  };
  const node = { ...options, membership, peers, epoch, materializerHere: () => here };
  return { membership, peers, shared, run: (ingest, accepting) => runNode(node, ingest, accepting) };
}

/** Derives here where this node is the one that does, else asks the node that is. */
function sharedMaterializer(local: LevelMaterializer, membership: Membership, peers: Peers): LevelMaterializer {
  const derive: LevelMaterializer["derive"] = async (batches, nowMs, scope = "changes", prepare) => {
    for (const untilMs = Date.now() + materializerPatienceMs; ; ) {
      if (membership.epoch()) return await local.derive(batches, nowMs, scope, prepare);
      const node = membership.materializer();
      if (scope !== "changes" || prepare) throw new Error("another node derives levels now");
      if (node && node.name !== membership.name) {
        const body = asBody({ batches });
        const { touchedNodes } = await peers.ask(node, "/cluster/derive", body, derivedSchema, deriveWithinMs);
        return { changedNodes: new Set(touchedNodes), sessions: 0, changedMinutes: 0, differences: [] };
      }
      if (Date.now() > untilMs) throw new Error("no node derives levels now");
      await delay(100);
    }
  };
  return {
    derive,
    deriveEvents: async (sealed, nowMs, onWorked) =>
      membership.epoch() ? await local.deriveEvents(sealed, nowMs, onWorked) : await derive(await sealed.stored, nowMs),
    alone: (work) => local.alone(work),
    unfinishedSince: () => local.unfinishedSince(),
    held: () => local.held(),
  };
}
