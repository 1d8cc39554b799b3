/**
 * Which nodes take events together, which of them owns each partition, and which derives: kept in Postgres, read by every
 * node several times a second.
 *
 * What keeps two nodes from ever owning a partition at once: only the owner itself gives one away, after everything that
 * it accepted for it is settled; a node that is killed, cut off or paused keeps what it owns, because nothing but its
 * log can say which ids were taken. It is given to others only when it has left with an empty log. So an owner that
 * wakes up late is the owner still, and silence of a node moves nothing but where events wait for it.
 */
import { and, eq, isNull, lt, or, sql } from "drizzle-orm";
import { perMs } from "../ingest/log/sequence.ts";
import { ingestCluster, ingestNodes, ingestStores } from "../postgres/schema/ingest-nodes.ts";
import type { FencingEpoch, LaterEpochs } from "../rollups/fencing-epoch.ts";
import { aliveMs, ClaimRefusedError } from "./claim-stores.ts";
import { partitionOf, preferredOwner } from "./partitions.ts";
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
  /** Reads Postgres again now, for a caller that was told that its view is out of date. */
  refresh(): Promise<void>;
  /** Starts to send heartbeats and to move partitions. */
  run(handlers: MembershipHandlers): void;
  /** `isEmpty`: nothing that this node accepted is unsettled, so the others may take what it owns. */
  leave(isEmpty: boolean): Promise<void>;
}

export interface MembershipHandlers {
  heartbeat(): Heartbeat;
  /** So much waits to be stored that nothing can be given away soon. */
  isBehind(): boolean;
  /** Everything accepted before this call is settled; rejects when that takes too long. */
  whenSettled(): Promise<void>;
  /** Partitions came from other nodes: their ids are in storage and not in memory. */
  gained(): void;
  /** This node is to derive from now on: prepares it. */
  begin(epoch: number): Promise<void>;
  /** The version from which on derivations of this node may not have ended. */
  unfinishedSince(): number;
  /** The version from which on derivations may not have ended that were begun before there was a cluster. */
  leftSince: number | undefined;
  /** The epochs that storage knows after one. */
  laterEpochs(epoch: number): Promise<LaterEpochs>;
}

const tickMs = 200;
const leaseMs = 3_000;
/** A node stops using its lease this much earlier than it ends by the clock of Postgres. */
const leaseMarginMs = 500;
/** While this node is behind, storage is asked this often whether its epoch is still the newest. */
const askEpochsEveryMs = 2_000;

/** Registers the node: it may own partitions when this resolves. Throws ClaimRefusedError. */
export async function joinCluster(options: MembershipOptions): Promise<Membership> {
  const { postgres, name, process, log } = options;
  const { db } = postgres;
  const nodeNumber = await registerNode(options);
  const isMine = and(eq(ingestNodes.name, name), eq(ingestNodes.process, process));
  let nodes: ClusterNode[] = [];
  let cluster = { owners: [] as string[], version: 0, materializer: null as string | null, isLeased: false, epoch: 0 };
  /** Partitions to be given away as soon as all their events are settled; nothing more is accepted for them meanwhile. */
  let releasing: ReadonlySet<number> = new Set();
  let isReleasing = false;
  let held: { epoch: FencingEpoch; untilMs: number; hasBegun: boolean } | undefined;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let handlers: MembershipHandlers | undefined;
  let reading: Promise<void> | undefined;
  let readAtMs = performance.now();
  let epochsAskedAtMs = 0;

  const others = () => nodes.filter((node) => node.name !== name);
  const candidates = () => [name, ...others().flatMap((node) => (node.isAlive ? [node.name] : []))];

  async function read(): Promise<void> {
    const askedAtMs = performance.now();
    // The cluster's row first: a node that joins after it was read has made it out of date (see `take`).
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
    readAtMs = askedAtMs;
    const before = cluster.owners;
    cluster = { ...row.row, isLeased: row.isLeased };
    nodes = rows.map(({ row, silentMs }) => ({
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
    if (before.length > 0 && cluster.owners.some((owner, index) => owner === name && before[index] !== name))
      handlers?.gained();
  }

  function refresh(): Promise<void> {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  async function sendHeartbeat(): Promise<void> {
    if (!handlers) return;
    const { watermarkMs, storedUntilMs, ...numbers } = handlers.heartbeat();
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
    if (updated.length > 0 || isClosed) return;
    isClosed = true;
    options.onLost(
      new ClaimRefusedError(`Another process has taken the place of the ingest node ${name}: it ends here.`),
    );
  }

  /** Writes new owners, unless anything has changed since they were read. */
  async function take(owners: string[]): Promise<void> {
    await db
      .update(ingestCluster)
      .set({ owners, version: cluster.version + 1 })
      .where(eq(ingestCluster.version, cluster.version));
  }

  /** What nodes that have left still own goes to those that should have it. */
  async function inherit(): Promise<void> {
    const left = new Set(nodes.filter((node) => node.hasLeft).map((node) => node.name));
    if (!cluster.owners.some((owner) => left.has(owner))) return;
    const names = candidates();
    await take(
      cluster.owners.map((owner, partition) =>
        left.has(owner) ? (preferredOwner(partition, names) as string) : owner,
      ),
    );
  }

  async function release(): Promise<void> {
    if (isReleasing || !handlers || handlers.isBehind()) return;
    const names = candidates();
    const isGivenAway = (owner: string, partition: number) =>
      owner === name && preferredOwner(partition, names) !== name;
    const leaving = cluster.owners.flatMap((owner, partition) => (isGivenAway(owner, partition) ? [partition] : []));
    if (leaving.length === 0) return;
    isReleasing = true;
    releasing = new Set(leaving);
    try {
      await handlers.whenSettled();
      await refresh();
      await take(
        cluster.owners.map((owner, partition) =>
          owner === name && releasing.has(partition) ? (preferredOwner(partition, names) as string) : owner,
        ),
      );
    } catch (err) {
      log.warn({ err }, "partitions could not be given to other nodes yet");
    } finally {
      // Whether they are given away is only known when they are read again: until then nothing of them is taken.
      await refreshUntilRead();
      releasing = new Set();
      isReleasing = false;
    }
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
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
  }

  async function keepLease(): Promise<void> {
    if (!handlers) return;
    const askedAtMs = performance.now();
    const until = sql`now() + ${leaseMs} * interval '1 millisecond'`;
    if (held) {
      const renewed = await db
        .update(ingestCluster)
        .set({ materializerUntil: until, ...(held.hasBegun && { unfinishedSince: handlers.unfinishedSince() }) })
        .where(and(eq(ingestCluster.materializer, name), eq(ingestCluster.epoch, held.epoch.number)))
        .returning({ epoch: ingestCluster.epoch });
      if (renewed.length === 0 || (await hasLaterEpoch(held.epoch.number))) held = undefined;
      else held.untilMs = askedAtMs + leaseMs - leaseMarginMs;
      return;
    }
    // A process of this name before this one is over: two cannot have the same data folder.
    if (cluster.isLeased && cluster.materializer !== name) return;
    const { newest, sinceMs } = await handlers.laterEpochs(cluster.epoch);
    const [taken] = await db
      .update(ingestCluster)
      .set({
        materializer: name,
        materializerUntil: until,
        epoch: sql`greatest(${ingestCluster.epoch}, ${newest}) + 1`,
      })
      .where(
        or(
          isNull(ingestCluster.materializer),
          eq(ingestCluster.materializer, name),
          lt(ingestCluster.materializerUntil, sql`now()`),
        ),
      )
      .returning({ number: ingestCluster.epoch, leftSince: ingestCluster.unfinishedSince });
    if (!taken) return;
    // Where none of these nodes held an epoch, it is not known which of its derivations have ended either.
    const since =
      cluster.materializer === null ? [handlers.leftSince] : [taken.leftSince, newest > 0 ? sinceMs * perMs : null];
    const known = since.filter((version) => version !== null && version !== undefined);
    const epoch = { number: taken.number, leftSince: known.length > 0 ? Math.min(...known) : undefined };
    const mine = { epoch, untilMs: askedAtMs + leaseMs - leaseMarginMs, hasBegun: false };
    held = mine;
    log.info({ epoch: epoch.number }, "this node derives levels from now on");
    handlers.begin(epoch.number).then(
      () => {
        mine.hasBegun = true;
      },
      (err: unknown) => {
        log.warn({ err, epoch: epoch.number }, "this node could not begin to derive, trying again");
        if (held === mine) held = undefined;
      },
    );
  }

  /** A process outside the cluster may have begun a later epoch; this node takes it back, else the watermark would stall for ever. */
  async function hasLaterEpoch(epoch: number): Promise<boolean> {
    const nowMs = performance.now();
    if (!handlers?.isBehind() || nowMs - epochsAskedAtMs < askEpochsEveryMs) return false;
    epochsAskedAtMs = nowMs;
    const { newest } = await handlers.laterEpochs(epoch);
    if (newest > 0) log.warn({ epoch, newest }, "a process outside of the cluster has begun to derive; taking it back");
    return newest > 0;
  }

  async function tick(): Promise<void> {
    await Promise.all([sendHeartbeat(), refresh()]);
    await Promise.all([keepLease(), inherit()]);
    void release();
  }

  let isReported = false;
  async function tickForEver(): Promise<void> {
    while (!isClosed) {
      await tick().then(
        () => {
          isReported = false;
        },
        (err: unknown) => {
          if (!isReported) log.error({ err }, "the other ingest nodes cannot be heard of, trying again until they can");
          isReported = true;
        },
      );
      await new Promise<void>((resolve) => {
        timer = setTimeout(resolve, tickMs);
      });
    }
  }

  await refresh();
  return {
    name,
    process,
    nodeNumber,
    silentMs: () => performance.now() - readAtMs,
    nodes: () => nodes.filter((node) => !node.hasLeft),
    ownerElsewhere(organization) {
      const partition = partitionOf(organization);
      const owner = cluster.owners[partition];
      if (owner !== name) return owner;
      return releasing.has(partition) ? preferredOwner(partition, candidates()) : undefined;
    },
    materializer: () =>
      cluster.isLeased ? nodes.find((node) => node.name === cluster.materializer && node.isAlive) : undefined,
    epoch: () => (held?.hasBegun && performance.now() < held.untilMs ? held.epoch : undefined),
    refresh,
    run(given) {
      handlers = given;
      void tickForEver();
    },
    async leave(isEmpty) {
      isClosed = true;
      clearTimeout(timer);
      await postgres.transaction(async (tx) => {
        await tx.select().from(ingestStores).for("update");
        const leftAt = isEmpty ? sql`now()` : null;
        await tx.update(ingestNodes).set({ leftAt }).where(isMine);
        const [present] = await tx
          .select({ name: ingestNodes.name })
          .from(ingestNodes)
          .where(isNull(ingestNodes.leftAt));
        if (!present) await tx.update(ingestStores).set({ mode: "none", secretProof: null });
      });
      if (held)
        await db
          .update(ingestCluster)
          .set({ materializerUntil: sql`now()` })
          .where(and(eq(ingestCluster.materializer, name), eq(ingestCluster.epoch, held.epoch.number)));
      held = undefined;
    },
  };
}
