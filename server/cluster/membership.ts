/**
 * Which nodes take events together, which of them owns each partition, and which derives: kept in Postgres, read by every node
 * several times a second.
 *
 * What keeps two nodes from ever owning a partition at once: only the owner itself gives one away, after everything that it
 * accepted for it is settled; a node that is killed, cut off or paused keeps what it owns, because nothing but its log can say
 * which ids were taken. It is given to others only when it has left with an empty log. So an owner that wakes up late is still
 * the owner, and the silence of a node changes nothing but where events for it wait.
 */
import { setTimeout as delay } from "node:timers/promises";
import { and, eq, isNull, type SQL, sql } from "drizzle-orm";
import type { Logger } from "pino";
import type { Postgres } from "../postgres/client.ts";
import { ingestCluster, ingestNodes, ingestStores } from "../postgres/schema/ingest-nodes.ts";
import type { FencingEpoch } from "../rollups/fencing-epoch.ts";
import { aliveMs, ClaimRefusedError } from "./claim-stores.ts";
import { createMaterializerLease, type LeaseHandlers, type LeaseView } from "./materializer-lease.ts";
import { createPartitionOwners, type GiveAwayHandlers, type OwnersView } from "./partition-owners.ts";
import { type RegistrationOptions, registerNode } from "./register-node.ts";

export interface ClusterNode {
  name: string;
  url: string;
  nodeNumber: number;
  hasLeft: boolean;
  /** Its last heartbeat is younger than `aliveMs`. */
  isAlive: boolean;
  watermarkMs: number;
  storedUntilMs: number;
  settledBatch: number;
  lastNumber: number;
}

/** What a node publishes about itself. */
export interface Heartbeat {
  /** Up to when everything that it answered for is visible, wherever it lies. */
  watermarkMs: number;
  /** Up to when everything in its own log is: no node's depends on another's. */
  storedUntilMs: number;
  settledBatch: number;
  lastNumber: number;
  /** How full its log is, from 0 to 1. */
  backlogShare: number;
}

export interface MembershipOptions extends RegistrationOptions {
  /** Another process has taken this node's place: nothing that this one does counts any more. */
  onLost: (error: Error) => void;
}

export interface Membership {
  readonly name: string;
  readonly process: string;
  readonly nodeNumber: number;
  /** How long ago, in ms, Postgres was last read, which is how old all of this may be. */
  silentMs(): number;
  /** All that have not left, this one too, as they were when Postgres was last read. */
  nodes(): readonly ClusterNode[];
  /** Undefined when the organization is this node's now. */
  ownerElsewhere(organization: string): string | undefined;
  /** The node that derives; undefined when it is not known. */
  materializer(): ClusterNode | undefined;
  /** The epoch in which this node derives, while that is certain; undefined otherwise. */
  epoch(): FencingEpoch | undefined;
  /** Reads Postgres again now, for a caller that knows its view is out of date. */
  refresh(): Promise<void>;
  /** Starts to send heartbeats and to move partitions. */
  run(handlers: MembershipHandlers): void;
  /** `isEmpty`: nothing that this node accepted is unsettled, so the others may take what it owns. */
  leave(isEmpty: boolean): Promise<void>;
}

export interface MembershipHandlers extends LeaseHandlers, GiveAwayHandlers {
  heartbeat(): Heartbeat;
  /** Partitions came from other nodes: their ids are in storage and not in memory. */
  gained(): void;
}

const tickMs = 200;

/** Registers the node: it may own partitions when this resolves. Throws ClaimRefusedError. */
export async function joinCluster(options: MembershipOptions): Promise<Membership> {
  const { postgres, name, process, log } = options;
  const { db } = postgres;
  const nodeNumber = await registerNode(options);
  const isMine = and(eq(ingestNodes.name, name), eq(ingestNodes.process, process)) as SQL;
  let view: ClusterView = { owners: [], version: 0, materializer: null, isLeased: false, epoch: 0, nodes: [] };
  let isClosed = false;
  let handlers: MembershipHandlers | undefined;
  let reading: Promise<void> | undefined;
  let readAtMs = performance.now();

  async function read(): Promise<void> {
    const askedAtMs = performance.now();
    const before = view.owners;
    view = await readView(db);
    readAtMs = askedAtMs;
    if (before.length > 0 && view.owners.some((owner, index) => owner === name && before[index] !== name))
      handlers?.gained();
  }
  function refresh(): Promise<void> {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }
  async function refreshUntilRead(): Promise<void> {
    while (!isClosed) {
      // A reading that began before the change says nothing about it.
      await reading?.catch(() => undefined);
      const isRead = await refresh().then(
        () => true,
        () => false,
      );
      if (isRead) return;
      await delay(tickMs);
    }
  }

  const lease = createMaterializerLease(db, { name, log, view: () => view });
  const owners = createPartitionOwners({ db, name, log, view: () => view, refresh, refreshUntilRead });
  async function sendHeartbeat(given: MembershipHandlers): Promise<void> {
    if ((await writeHeartbeat(db, isMine, given.heartbeat())) || isClosed) return;
    isClosed = true;
    options.onLost(
      new ClaimRefusedError(`Another process has taken over as the ingest node ${name}, so this one stops.`),
    );
  }
  async function tick(given: MembershipHandlers): Promise<void> {
    await Promise.all([sendHeartbeat(given), refresh()]);
    await Promise.all([lease.keep(given), owners.inherit()]);
    void owners.giveAway(given);
  }

  await refresh();
  return {
    name,
    process,
    nodeNumber,
    refresh,
    ownerElsewhere: owners.ownerElsewhere,
    epoch: lease.epoch,
    silentMs: () => performance.now() - readAtMs,
    nodes: () => view.nodes.filter((node) => !node.hasLeft),
    materializer: () =>
      view.isLeased ? view.nodes.find((node) => node.name === view.materializer && node.isAlive) : undefined,
    run(given) {
      handlers = given;
      void tickUntil(
        () => isClosed,
        () => tick(given),
        log,
      );
    },
    async leave(isEmpty) {
      isClosed = true;
      await writeLeaving(postgres, isMine, isEmpty);
      await lease.giveUp();
    },
  };
}

interface ClusterView extends OwnersView, LeaseView {
  nodes: readonly ClusterNode[];
}

async function readView(db: Postgres["db"]): Promise<ClusterView> {
  // The cluster's row first: a node that joins after it was read has made it out of date, so that no owners are written over it.
  const [row] = await db
    .select({ row: ingestCluster, isLeased: sql<boolean>`${ingestCluster.materializerUntil} > now()` })
    .from(ingestCluster);
  const rows = await db
    .select({
      row: ingestNodes,
      silentMs: sql<number>`extract(epoch FROM now() - ${ingestNodes.heartbeatAt}) * 1000`,
    })
    .from(ingestNodes);
  if (!row) throw new Error("the row of the ingest cluster is missing");
  const nodes = rows.map(({ row, silentMs }) => ({
    name: row.name,
    url: row.url,
    nodeNumber: row.nodeNumber,
    hasLeft: row.leftAt !== null,
    isAlive: row.leftAt === null && Number(silentMs) < aliveMs,
    watermarkMs: row.watermark.getTime(),
    storedUntilMs: row.storedUntil.getTime(),
    settledBatch: row.settledBatch,
    lastNumber: row.lastNumber,
  }));
  return { ...row.row, isLeased: row.isLeased, nodes };
}

/** Whether the node is still this process's. */
async function writeHeartbeat(db: Postgres["db"], isMine: SQL, heartbeat: Heartbeat): Promise<boolean> {
  const { watermarkMs, storedUntilMs, ...numbers } = heartbeat;
  const updated = await db
    .update(ingestNodes)
    .set({
      heartbeatAt: sql`now()`,
      watermark: new Date(watermarkMs),
      storedUntil: new Date(storedUntilMs),
      ...numbers,
    })
    .where(isMine)
    .returning({ name: ingestNodes.name });
  return updated.length > 0;
}

/** The stores are free for another way of running once no node is left. */
async function writeLeaving(postgres: Postgres, isMine: SQL, isEmpty: boolean): Promise<void> {
  await postgres.transaction(async (tx) => {
    await tx.select().from(ingestStores).for("update");
    const leftAt = isEmpty ? sql`now()` : null;
    await tx.update(ingestNodes).set({ leftAt }).where(isMine);
    const [present] = await tx.select({ name: ingestNodes.name }).from(ingestNodes).where(isNull(ingestNodes.leftAt));
    if (!present) await tx.update(ingestStores).set({ mode: "none", secretProof: null });
  });
}

/** A tick that fails is reported once, until one has succeeded again. */
async function tickUntil(isOver: () => boolean, tick: () => Promise<void>, log: Logger): Promise<void> {
  let isReported = false;
  while (!isOver()) {
    await tick().then(
      () => {
        isReported = false;
      },
      (err: unknown) => {
        if (!isReported) log.error({ err }, "the other ingest nodes cannot be heard of, trying again until they can");
        isReported = true;
      },
    );
    await delay(tickMs);
  }
}
