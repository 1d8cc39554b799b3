/**
 * What one ingest node is to the others: it takes events with them, stores what it owns, derives levels where it is the one
 * that does, and knows how far queries see into what all of them accepted.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { AcceptDeps } from "../ingest/accept/accept-request.ts";
import type { FlushLoop } from "../ingest/flush/flush-loop.ts";
import type { Ingest, SharedIngest } from "../ingest/flush/start-ingest.ts";
import { perMs } from "../ingest/log/sequence.ts";
import type { Visibility } from "../live/shared-watermark.ts";
import type { Postgres } from "../postgres/client.ts";
import type { LevelMaterializer } from "../rollups/derive-levels.ts";
import type { ExclusiveResult } from "../rollups/exclusive-storage.ts";
import { beginEpoch, type FencingEpoch, laterEpochs } from "../rollups/fencing-epoch.ts";
import { notAllStored, proofOfSecret } from "./claim-stores.ts";
import { type HintedHandoff, openHintedHandoff } from "./hinted-handoff.ts";
import type { IngestProcess } from "./judge-claim.ts";
import { joinCluster, type Membership } from "./membership.ts";
import { createPeers, type Peers } from "./peers.ts";
import { deliver, type RouteDeps, routeEvents } from "./route-events.ts";

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
  run(ingest: Ingest, accepting: Pick<AcceptDeps, "tree" | "eventType">): Promise<RunningCluster>;
}

export interface RunningCluster extends Visibility {
  readonly membership: Membership;
  readonly peers: Peers;
  readonly ingest: Ingest;
  readonly taking: RouteDeps;
  readonly take: NonNullable<AcceptDeps["take"]>;
  /** In front of the node's own: nothing is stored by any node while `exclusive` runs, and batches are those of all. */
  readonly flush: Pick<FlushLoop, "exclusive" | "settledBatch">;
  /** Whether jobs that change what is derived run here. */
  isMaterializer(): boolean;
  /** Asks the node that derives to run one of its jobs now. */
  runThere(job: string): Promise<void>;
  /** Call it when requests are served. */
  served(): void;
  /** Holds this node's storing for another node, until `release` or for as long as a hold lasts. */
  hold(token: string): Promise<void>;
  release(token: string): void;
  /** What keeps this node from its work, in words; undefined: nothing does. */
  trouble(): string | undefined;
  /** Ends taking and handing over; call it before the ingest stops. */
  stopTaking(): Promise<void>;
  /** Leaves the others; call it when the ingest has stopped. */
  leave(): Promise<void>;
}

export const derivedSchema = z.object({ touchedNodes: z.array(z.string()) });
export const deriveBodySchema = z.object({ batches: z.array(z.number()) });
export const tokenBodySchema = z.object({ token: z.string() });
export const selfSchema = z.object({ name: z.string(), process: z.string() });
const doneSchema = z.object({});

const deriveWithinMs = 60_000;
/** While another node takes over; then the flush loop tries again by itself. */
const materializerPatienceMs = 10_000;
const holdWithinMs = 30_000;
/** A hold ends by itself when the node that asked for it does not renew it. */
const holdLastsMs = 15_000;
const settlePatienceMs = 5_000;
/** What a node may have given since its last heartbeat: as many as fit into a lease, and into clocks that differ. */
const unpublishedNumbers = 5_000 * perMs;
/** For what waits for other nodes, when this one stops. */
const handoffGraceMs = 2_000;
const jobWithinMs = 20_000;
const askSelfWithinMs = 2_000;
const askSelfAgainMs = 1_000;
const askSelfEveryMs = 30_000;

/** Registers this node. Throws ClaimRefusedError. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { postgres, clickhouse, dataDir, url, secret, log } = options;
  const membership = await joinCluster({
    ...options.process,
    ...{ postgres, url, log, secretProof: proofOfSecret(secret), onLost: options.onLost },
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

  return {
    membership,
    peers,
    shared,
    async run(ingest, { tree, eventType }) {
      const others = () => membership.nodes().filter(({ name }) => name !== membership.name);
      let taking: RouteDeps | undefined;
      const handoff: HintedHandoff = await openHintedHandoff({
        directory: join(dataDir, "hand-over"),
        maxBytes: options.walMaxBytes,
        onFatal: options.onFatal,
        // Nothing is delivered before this node knows what it owns.
        deliver: async (sent) => {
          if (!taking) throw new Error("the node is starting");
          await deliver(taking, sent);
        },
        storedByOthersUntilMs: () => Math.min(...others().map(({ storedUntilMs }) => storedUntilMs)),
        log,
      });
      const { knownIds, log: ingestLog, flush, sequence } = ingest;
      taking = { log: ingestLog, knownIds, tree, eventType, now: Date.now, membership, peers, handoff };
      const takingDeps = taking;
      const own = () => {
        const waitingMs = handoff.oldestAtMs();
        const storedUntilMs = flush.watermark().getTime();
        const watermarkMs = Math.min(storedUntilMs, (waitingMs ?? Number.POSITIVE_INFINITY) - 1);
        // With nothing in the log, what comes will be stored under later numbers than all that were given.
        const settledBatch = ingestLog.backlogBytes === 0 ? sequence.next() : flush.settledBatch;
        return { watermarkMs, storedUntilMs, settledBatch, lastNumber: sequence.last };
      };
      let sent = own();
      membership.run({
        heartbeat() {
          sent = own();
          // Later than what others gave: a correction must be stored under a later number than what it corrects.
          sequence.advance(Math.max(0, ...membership.nodes().map(({ lastNumber }) => lastNumber)));
          return sent;
        },
        isBehind: () => flush.lagMs() > settlePatienceMs / 2,
        async whenSettled() {
          await ingestLog.whenSynced();
          const late = delay(settlePatienceMs, undefined, { ref: false }).then(() => {
            throw new Error("what was accepted could not be stored in time");
          });
          await Promise.race([ingestLog.backlogBytes === 0 ? undefined : flush.whenStored(ingestLog.syncedEnd), late]);
        },
        gained: () => ingest.gained(),
        leftSince: ingest.leftSince,
        laterEpochs: (epoch) => laterEpochs(clickhouse, epoch),
        unfinishedSince: () => here?.unfinishedSince() ?? sequence.next(),
        async begin(number) {
          await membership.refresh();
          sequence.advance(Math.max(0, ...membership.nodes().map(({ lastNumber }) => lastNumber)) + unpublishedNumbers);
          await beginEpoch(clickhouse, number);
        },
      });

      // Others reach this node where TIDEMARK_NODE_URL says: whether that leads here is asked until it does.
      const elsewhere = "the other ingest nodes do not reach this one at TIDEMARK_NODE_URL";
      let selfTrouble: string | undefined;
      let selfTimer: NodeJS.Timeout | undefined;
      async function askSelf(): Promise<void> {
        selfTrouble = await peers.ask({ url }, "/cluster/self", asBody({}), selfSchema, askSelfWithinMs).then(
          ({ process }) => (process === membership.process ? undefined : elsewhere),
          () => elsewhere,
        );
        selfTimer = setTimeout(() => void askSelf(), selfTrouble ? askSelfAgainMs : askSelfEveryMs);
        selfTimer.unref();
      }
      function trouble(): string | undefined {
        if (selfTrouble) return selfTrouble;
        const silent = others().filter(({ isAlive }) => !isAlive);
        if (silent.length === 0) return undefined;
        return `not heard of: ${silent.map(({ name }) => name).join(", ")}; what is theirs waits until they are back`;
      }

      const holds = new Map<string, { end: () => void; timer: NodeJS.Timeout; begun: Promise<void> }>();
      let exclusives: Promise<unknown> = Promise.resolve();
      return {
        membership,
        peers,
        ingest,
        taking: takingDeps,
        take: (events, sender) => routeEvents(takingDeps, events, sender),
        watermark: () => new Date(Math.min(own().watermarkMs, ...others().map(({ watermarkMs }) => watermarkMs))),
        settledBatch,
        flush: {
          exclusive(work) {
            const next = exclusives.then(() => alone(work));
            exclusives = next.catch(() => undefined);
            return next;
          },
          get settledBatch() {
            return settledBatch();
          },
        },
        isMaterializer: () => membership.epoch() !== undefined,
        async runThere(job) {
          const node = membership.materializer();
          if (!node || node.name === membership.name) return;
          await peers.ask(node, "/cluster/jobs", asBody({ token: job }), doneSchema, jobWithinMs);
        },
        served: () => void askSelf(),
        async hold(token) {
          const known = holds.get(token);
          if (known) {
            known.timer.refresh();
            return await known.begun;
          }
          let end: () => void = () => undefined;
          const held = new Promise<void>((resolve) => {
            end = resolve;
          });
          const timer = setTimeout(() => end(), holdLastsMs);
          const begun = new Promise<void>((resolve, reject) => {
            flush
              .exclusive(async () => {
                resolve();
                await held;
                return { batch: 0, organizations: new Set(), levels: new Set() };
              })
              .catch(reject)
              .finally(() => {
                clearTimeout(timer);
                holds.delete(token);
              });
          });
          holds.set(token, { end, timer, begun });
          await begun;
        },
        release: (token) => holds.get(token)?.end(),
        trouble,
        async stopTaking() {
          clearTimeout(selfTimer);
          for (const { end } of holds.values()) end();
          await handoff.stop(handoffGraceMs);
        },
        async leave() {
          const isEmpty = ingestLog.backlogBytes === 0 && handoff.isEmpty;
          if (!isEmpty) log.error(notAllStored);
          await membership.leave(isEmpty);
        },
      };

      function settledBatch(): number {
        return Math.min(sent.settledBatch, ...others().map((node) => node.settledBatch));
      }

      /** Every other node holds still first, so what runs here sees nothing half stored and nobody's batch in between. */
      async function alone(work: () => Promise<ExclusiveResult>): Promise<void> {
        epoch();
        const token = randomUUID();
        const asked = others();
        const ask = (path: string) =>
          Promise.all(asked.map((node) => peers.ask(node, path, asBody({ token }), doneSchema, holdWithinMs)));
        const keep = setInterval(() => void ask("/cluster/hold").catch(() => undefined), holdLastsMs / 3);
        try {
          await ask("/cluster/hold");
          await flush.exclusive(work);
        } finally {
          clearInterval(keep);
          await ask("/cluster/release").catch(() => undefined);
        }
      }
    },
  };
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
        return { touchedNodes: new Set(touchedNodes), sessions: 0, changedMinutes: 0, differences: [] };
      }
      if (Date.now() > untilMs) throw new Error("no node derives levels now");
      await delay(100);
    }
  };
  return {
    derive,
    deriveEvents: (stored, nowMs) =>
      membership.epoch() ? local.deriveEvents(stored, nowMs) : derive(stored.batches, nowMs),
    alone: (work) => local.alone(work),
    unfinishedSince: () => local.unfinishedSince(),
    held: () => local.held(),
  };
}

const asBody = (value: unknown) => Buffer.from(JSON.stringify(value));
