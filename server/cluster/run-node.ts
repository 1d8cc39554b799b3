/** An ingest node that runs: what it publishes of itself, takes for the others and keeps for them, and how it ends. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { AcceptDeps } from "../ingest/accept/accept-request.ts";
import type { FlushLoop } from "../ingest/flush/flush-loop.ts";
import type { Ingest } from "../ingest/flush/start-ingest.ts";
import { perMs } from "../ingest/log/sequence.ts";
import type { Visibility } from "../live/shared-watermark.ts";
import type { LevelMaterializer } from "../rollups/derive-levels.ts";
import { beginEpoch, laterEpochs } from "../rollups/fencing-epoch.ts";
import { notAllStored } from "./claim-stores.ts";
import { exclusiveEverywhere } from "./exclusive-everywhere.ts";
import { type HintedHandoff, openHintedHandoff } from "./hinted-handoff.ts";
import { createHolds } from "./holds.ts";
import type { ClusterNode, Heartbeat, Membership } from "./membership.ts";
import { asBody, type Peers } from "./peers.ts";
import { checkSelf } from "./reach-self.ts";
import { deliver, type RouteDeps, routeEvents } from "./route-events.ts";

const settlePatienceMs = 5_000;
/** What a node may have given since its last heartbeat: as many as fit into a lease, and into clocks that differ. */
const unpublishedNumbers = 5_000 * perMs;
/** For what waits for other nodes, when this one stops. */
const handoffGraceMs = 2_000;
const jobWithinMs = 20_000;

const startedSchema = z.object({});

export interface RunningCluster extends Visibility {
  readonly membership: Membership;
  readonly peers: Peers;
  readonly ingest: Ingest;
  readonly taking: RouteDeps;
  readonly takeElsewhere: NonNullable<AcceptDeps["takeElsewhere"]>;
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

export interface NodeDeps {
  membership: Membership;
  peers: Peers;
  clickhouse: ClickHouse;
  url: string;
  dataDir: string;
  walMaxBytes: number;
  /** Throws where another node derives. */
  epoch: () => unknown;
  /** Derives in this process; undefined until the ingest has made it. */
  materializerHere: () => LevelMaterializer | undefined;
  onFatal: (error: Error) => void;
  log: Logger;
}

export type Accepting = Pick<AcceptDeps, "tree" | "eventType">;

export async function runNode(deps: NodeDeps, ingest: Ingest, accepting: Accepting): Promise<RunningCluster> {
  const { membership, peers, log } = deps;
  const { flush } = ingest;
  const others = () => membership.nodes().filter(({ name }) => name !== membership.name);
  const { taking, handoff } = await openTaking(deps, ingest, accepting, others);
  let settledBefore = 0;
  const own = () => {
    const state = ownState(ingest, handoff);
    settledBefore = Math.max(settledBefore, state.settledBatch);
    return { ...state, settledBatch: settledBefore };
  };
  let sent = own();
  const heartbeat = () => {
    sent = own();
    // Later than what others gave: a correction must be stored under a later number than what it corrects.
    ingest.sequence.advance(latestNumber(membership));
    return sent;
  };
  joinIn(deps, ingest, heartbeat);
  const self = checkSelf(peers, { url: deps.url, process: membership.process });
  const { hold, release, releaseAll } = createHolds(flush);
  const settledBatch = () => Math.min(sent.settledBatch, ...others().map((node) => node.settledBatch));
  return {
    membership,
    peers,
    ingest,
    taking,
    settledBatch,
    hold,
    release,
    takeElsewhere: (events, sender) => routeEvents(taking, events, sender),
    watermark: () => new Date(Math.min(own().watermarkMs, ...others().map(({ watermarkMs }) => watermarkMs))),
    flush: {
      exclusive: exclusiveEverywhere({ flush, peers, others, epoch: deps.epoch }),
      get settledBatch() {
        return settledBatch();
      },
    },
    isMaterializer: () => membership.epoch() !== undefined,
    async runThere(job) {
      const node = membership.materializer();
      if (!node || node.name === membership.name) return;
      await peers.ask(node, "/cluster/jobs", asBody({ token: job }), startedSchema, jobWithinMs);
    },
    served: self.start,
    trouble: () => self.trouble() ?? silenceOf(others()),
    async stopTaking() {
      self.stop();
      releaseAll();
      await handoff.stop(handoffGraceMs);
    },
    async leave() {
      const isEmpty = ingest.log.backlogBytes === 0 && handoff.isEmpty;
      if (!isEmpty) log.error(notAllStored);
      await membership.leave(isEmpty);
    },
  };
}

const latestNumber = (membership: Membership) => Math.max(0, ...membership.nodes().map(({ lastNumber }) => lastNumber));

/** What events are routed with, and what is kept for nodes that are away. */
async function openTaking(
  { membership, peers, dataDir, walMaxBytes, onFatal, log }: NodeDeps,
  { knownIds, log: ingestLog }: Ingest,
  { tree, eventType }: Accepting,
  others: () => readonly ClusterNode[],
): Promise<{ taking: RouteDeps; handoff: HintedHandoff }> {
  let taking: RouteDeps | undefined;
  const handoff = await openHintedHandoff({
    directory: join(dataDir, "hand-over"),
    maxBytes: walMaxBytes,
    onFatal,
    // Nothing is delivered before this node knows what it owns.
    deliver: async (sent) => {
      if (!taking) throw new Error("the node is starting");
      await deliver(taking, sent);
    },
    storedByOthersUntilMs: () => Math.min(...others().map(({ storedUntilMs }) => storedUntilMs)),
    log,
  });
  taking = { log: ingestLog, knownIds, tree, eventType, now: Date.now, membership, peers, handoff };
  return { taking, handoff };
}

function ownState({ log, flush, sequence }: Ingest, handoff: HintedHandoff): Heartbeat {
  const waitingMs = handoff.oldestAtMs();
  const storedUntilMs = flush.watermark().getTime();
  const watermarkMs = Math.min(storedUntilMs, (waitingMs ?? Number.POSITIVE_INFINITY) - 1);
  // With nothing in the log, what comes will be stored under later numbers than any that were given, except what has the turn now.
  const settledBatch = log.backlogBytes === 0 && !flush.isExclusive ? sequence.next() : flush.settledBatch;
  const backlogShare = log.backlogBytes / log.maxBytes;
  return { watermarkMs, storedUntilMs, settledBatch, lastNumber: sequence.last, backlogShare };
}

/** Begins to send heartbeats, to own and to give away. */
function joinIn({ membership, clickhouse, materializerHere }: NodeDeps, ingest: Ingest, heartbeat: () => Heartbeat) {
  const { log, flush, sequence } = ingest;
  membership.run({
    heartbeat,
    isBehind: () => flush.lagMs() > settlePatienceMs / 2,
    async whenSettled() {
      await log.whenSynced();
      const late = delay(settlePatienceMs, undefined, { ref: false }).then(() => {
        throw new Error("accepted events could not be stored in time");
      });
      await Promise.race([log.backlogBytes === 0 ? undefined : flush.whenStored(log.syncedEnd), late]);
    },
    gained: () => ingest.gained(),
    leftSince: ingest.leftSince,
    laterEpochs: (epoch) => laterEpochs(clickhouse, epoch),
    unfinishedSince: () => materializerHere()?.unfinishedSince() ?? sequence.next(),
    async begin(number) {
      await membership.refresh();
      sequence.advance(latestNumber(membership) + unpublishedNumbers);
      await beginEpoch(clickhouse, number);
    },
  });
}

function silenceOf(others: readonly ClusterNode[]): string | undefined {
  const silent = others.filter(({ isAlive }) => !isAlive);
  if (silent.length === 0) return undefined;
  return `not heard of: ${silent.map(({ name }) => name).join(", ")}; what is theirs waits until they are back`;
}
