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
import type { Logger } from "pino";
import type { Term } from "../ingest/deriver-term.ts";
import type { Postgres } from "../postgres/client.ts";
import { ingestCluster, ingestNodes } from "../postgres/schema/ingest-nodes.ts";
import { partitionCount, partitionOf, preferredOwner } from "./partitions.ts";

export interface ClusterNode {
  name: string;
  url: string;
  slot: number;
  hasLeft: boolean;
  /** Heard of within `aliveMs`. */
  isAlive: boolean;
  watermarkMs: number;
  storedUntilMs: number;
  settledBatch: number;
  lastNumber: number;
}

/** What a node tells the others of itself. */
export interface Told {
  /** Up to when everything that it answered for is visible, wherever it lies. */
  watermarkMs: number;
  /** Up to when everything in its own log is: no node's depends on another's. */
  storedUntilMs: number;
  settledBatch: number;
  lastNumber: number;
}

export interface MembershipOptions {
  postgres: Postgres;
  name: string;
  /** Of the data folder: the same name with another one is another process. */
  folder: string;
  url: string;
  log: Logger;
}

export interface Membership {
  readonly name: string;
  readonly slot: number;
  /** All that have not left, this one too, as they were when Postgres was last read. */
  nodes(): readonly ClusterNode[];
  /** Undefined when the organization is this node's now. */
  ownerElsewhere(organization: string): string | undefined;
  /** The node that derives; undefined when it is not known. */
  deriver(): ClusterNode | undefined;
  /** The term in which this node derives, while that is certain; undefined otherwise. */
  term(): Term | undefined;
  /** Reads again now, for who was told that it knows too little. */
  refresh(): Promise<void>;
  /** Starts to tell and to move partitions. */
  run(handlers: MembershipHandlers): void;
  /** `isEmpty`: nothing that this node accepted is unsettled, so the others may take what it owns. */
  leave(isEmpty: boolean): Promise<void>;
}

export interface MembershipHandlers {
  told(): Told;
  /** So much waits to be stored that nothing can be given away soon. */
  isBehind(): boolean;
  /** Everything accepted before this call is settled; rejects when that takes too long. */
  whenSettled(): Promise<void>;
  /** Partitions came from other nodes: their ids are in storage and not in memory. */
  gained(): void;
  /** This node is to derive from now on: prepares it. */
  begin(term: number): Promise<void>;
  /** The version from which on derivations of this node may not have ended. */
  unfinishedSince(): number;
  /** The number of the newest term that storage knows. */
  newestTerm(): Promise<number>;
}

const tickMs = 200;
/** Silent for longer, a node is not sent anything: events for it wait where they were received. */
const aliveMs = 3_000;
const leaseMs = 3_000;
/** The lease is taken to end this much earlier here than by Postgres' clock. */
const leaseMarginMs = 500;
const mostSlots = 64;
/** How long another process with this name may still be heard of before it is taken to be another node. */
const impostorMs = 10_000;

export class NodeNameInUseError extends Error {
  override name = "NodeNameInUseError";
}

/** Registers the node: it may own partitions when this resolves. Throws NodeNameInUseError. */
export async function joinCluster(options: MembershipOptions): Promise<Membership> {
  const { postgres, name, folder, log } = options;
  const { db } = postgres;
  const slot = await register(options);
  let nodes: ClusterNode[] = [];
  let cluster = { owners: [] as string[], version: 0, deriver: null as string | null, isLeased: false, term: 0 };
  /** Given away as soon as everything of them is settled; nothing more of them is taken meanwhile. */
  let releasing: ReadonlySet<number> = new Set();
  let isReleasing = false;
  let held: { term: Term; untilMs: number; hasBegun: boolean } | undefined;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let handlers: MembershipHandlers | undefined;
  let reading: Promise<void> | undefined;

  const others = () => nodes.filter((node) => node.name !== name);
  const candidates = () => [name, ...others().flatMap((node) => (node.isAlive ? [node.name] : []))];

  async function read(): Promise<void> {
    // The cluster's row first: a node that joins after it was read has made it out of date (see `take`).
    const [row] = await db
      .select({ row: ingestCluster, isLeased: sql<boolean>`${ingestCluster.deriverUntil} > now()` })
      .from(ingestCluster);
    const rows = await db
      .select({ row: ingestNodes, silentMs: sql<number>`extract(epoch FROM now() - ${ingestNodes.heardAt}) * 1000` })
      .from(ingestNodes);
    if (!row) throw new Error("the row of the ingest cluster is missing");
    const before = cluster.owners;
    cluster = { ...row.row, isLeased: row.isLeased };
    nodes = rows.map(({ row, silentMs }) => ({
      name: row.name,
      url: row.url,
      slot: row.slot,
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

  async function tell(): Promise<void> {
    if (!handlers) return;
    const { watermarkMs, storedUntilMs, ...numbers } = handlers.told();
    await db
      .update(ingestNodes)
      .set({
        heardAt: sql`now()`,
        watermark: new Date(watermarkMs),
        storedUntil: new Date(storedUntilMs),
        ...numbers,
      })
      .where(and(eq(ingestNodes.name, name), eq(ingestNodes.folder, folder)));
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
      // One that was begun before the change says nothing about it.
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
        .set({ deriverUntil: until, ...(held.hasBegun && { unfinishedSince: handlers.unfinishedSince() }) })
        .where(and(eq(ingestCluster.deriver, name), eq(ingestCluster.term, held.term.number)))
        .returning({ term: ingestCluster.term });
      if (renewed.length > 0) held.untilMs = askedAtMs + leaseMs - leaseMarginMs;
      else held = undefined;
      return;
    }
    // A process of this name before this one is over: two cannot have the same data folder.
    if (cluster.isLeased && cluster.deriver !== name) return;
    const newest = await handlers.newestTerm();
    const [taken] = await db
      .update(ingestCluster)
      .set({ deriver: name, deriverUntil: until, term: sql`greatest(${ingestCluster.term}, ${newest}) + 1` })
      .where(
        or(isNull(ingestCluster.deriver), eq(ingestCluster.deriver, name), lt(ingestCluster.deriverUntil, sql`now()`)),
      )
      .returning({ number: ingestCluster.term, leftSince: ingestCluster.unfinishedSince });
    if (!taken) return;
    const term = { number: taken.number, leftSince: taken.leftSince ?? undefined };
    const mine = { term, untilMs: askedAtMs + leaseMs - leaseMarginMs, hasBegun: false };
    held = mine;
    log.info({ term: term.number }, "this node derives levels from now on");
    handlers.begin(term.number).then(
      () => {
        mine.hasBegun = true;
      },
      (err: unknown) => {
        log.warn({ err, term: term.number }, "this node could not begin to derive, trying again");
        if (held === mine) held = undefined;
      },
    );
  }

  async function tick(): Promise<void> {
    await Promise.all([tell(), refresh()]);
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
    slot,
    nodes: () => nodes.filter((node) => !node.hasLeft),
    ownerElsewhere(organization) {
      const partition = partitionOf(organization);
      const owner = cluster.owners[partition];
      if (owner !== name) return owner;
      return releasing.has(partition) ? preferredOwner(partition, candidates()) : undefined;
    },
    deriver: () => (cluster.isLeased ? nodes.find((node) => node.name === cluster.deriver && node.isAlive) : undefined),
    term: () => (held?.hasBegun && performance.now() < held.untilMs ? held.term : undefined),
    refresh,
    run(given) {
      handlers = given;
      void tickForEver();
    },
    async leave(isEmpty) {
      isClosed = true;
      clearTimeout(timer);
      const leftAt = isEmpty ? sql`now()` : null;
      await db
        .update(ingestNodes)
        .set({ leftAt })
        .where(and(eq(ingestNodes.name, name), eq(ingestNodes.folder, folder)));
      if (held)
        await db
          .update(ingestCluster)
          .set({ deriverUntil: sql`now()` })
          .where(and(eq(ingestCluster.deriver, name), eq(ingestCluster.term, held.term.number)));
      held = undefined;
    },
  };

  async function register({ postgres, name, folder, url }: MembershipOptions): Promise<number> {
    for (const untilMs = Date.now() + impostorMs; ; ) {
      const slot = await postgres.transaction(async (tx) => {
        await tx
          .insert(ingestCluster)
          .values({ only: 1, owners: [], version: 0, deriver: null, deriverUntil: new Date(0), term: 0 })
          .onConflictDoNothing();
        const [cluster] = await tx.select().from(ingestCluster).for("update");
        const rows = await tx
          .select({
            row: ingestNodes,
            silentMs: sql<number>`extract(epoch FROM now() - ${ingestNodes.heardAt}) * 1000`,
          })
          .from(ingestNodes);
        const mine = rows.find(({ row }) => row.name === name);
        if (mine && mine.row.folder !== folder && mine.row.leftAt === null && Number(mine.silentMs) < aliveMs) return;
        const used = new Set(rows.map(({ row }) => row.slot));
        const slot =
          mine?.row.slot ?? Array.from({ length: mostSlots }, (_, index) => index).find((index) => !used.has(index));
        if (slot === undefined) throw new Error(`a cluster has at most ${mostSlots} ingest nodes`);
        const known = { folder, url, heardAt: sql`now()`, leftAt: null };
        // A node that begins with nothing gives larger numbers than all that were given, and holds nobody's view back.
        const lastNumber = Math.max(0, ...rows.map(({ row }) => row.lastNumber));
        const empty = { watermark: sql`now()`, storedUntil: sql`now()`, settledBatch: lastNumber, lastNumber };
        await tx
          .insert(ingestNodes)
          .values({ ...known, ...empty, name, slot })
          .onConflictDoUpdate({ target: ingestNodes.name, set: mine?.row.leftAt ? { ...known, ...empty } : known });
        const owners = cluster?.owners.length ? cluster.owners : new Array<string>(partitionCount).fill(name);
        await tx.update(ingestCluster).set({ owners, version: (cluster?.version ?? 0) + 1 });
        return slot;
      });
      if (slot !== undefined) return slot;
      if (Date.now() > untilMs)
        throw new NodeNameInUseError(
          `Another process with another data folder is the ingest node ${name}. Give each its own TIDEMARK_NODE.`,
        );
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
