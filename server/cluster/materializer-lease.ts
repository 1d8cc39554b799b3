/**
 * Which node derives, by a lease in Postgres that the holder renews. Each holder has an epoch of its own, by which ClickHouse refuses
 * what an earlier one still writes, so a holder that wakes up late changes nothing.
 */
import { and, eq, isNull, lt, or, sql } from "drizzle-orm";
import type { Logger } from "pino";
import { perMs } from "../ingest/log/sequence.ts";
import type { Postgres } from "../postgres/client.ts";
import { ingestCluster } from "../postgres/schema/ingest-nodes.ts";
import type { FencingEpoch, LaterEpochs } from "../rollups/fencing-epoch.ts";

export interface LeaseHandlers {
  /** More waits to be stored than a healthy node has. */
  isBehind(): boolean;
  /** This node is to derive from now on: prepares it. */
  begin(epoch: number): Promise<void>;
  /** The version from which on derivations of this node may not have ended. */
  unfinishedSince(): number;
  /** The version from which on derivations may not have ended that were begun before there was a cluster. */
  leftSince: number | undefined;
  /** The epochs that storage knows after one. */
  laterEpochs(epoch: number): Promise<LaterEpochs>;
}

/** The cluster's row as it was last read. */
export interface LeaseView {
  materializer: string | null;
  isLeased: boolean;
  epoch: number;
}

export interface MaterializerLease {
  /** The epoch in which this node derives, while that is certain; undefined otherwise. */
  epoch(): FencingEpoch | undefined;
  /** Renews the lease, or takes it where nobody has it. Call it several times a second. */
  keep(handlers: LeaseHandlers): Promise<void>;
  /** Lets another node take it at once. */
  giveUp(): Promise<void>;
}

const leaseMs = 3_000;
const until = sql`now() + ${leaseMs} * interval '1 millisecond'`;
/** A node stops using its lease this much earlier than it ends by the clock of Postgres. */
const leaseMarginMs = 500;
/** While this node is behind, storage is asked this often whether its epoch is still the newest. */
const askEpochsEveryMs = 2_000;

export function createMaterializerLease(
  db: Postgres["db"],
  { name, log, view }: { name: string; log: Logger; view: () => LeaseView },
): MaterializerLease {
  let held: { epoch: FencingEpoch; untilMs: number; hasBegun: boolean } | undefined;
  let epochsAskedAtMs = 0;
  const isHeld = (epoch: FencingEpoch) =>
    and(eq(ingestCluster.materializer, name), eq(ingestCluster.epoch, epoch.number));

  async function renew(current: NonNullable<typeof held>, handlers: LeaseHandlers): Promise<void> {
    const askedAtMs = performance.now();
    const renewed = await db
      .update(ingestCluster)
      .set({ materializerUntil: until, ...(current.hasBegun && { unfinishedSince: handlers.unfinishedSince() }) })
      .where(isHeld(current.epoch))
      .returning({ epoch: ingestCluster.epoch });
    if (renewed.length === 0 || (await hasLaterEpoch(current.epoch.number, handlers))) held = undefined;
    else current.untilMs = askedAtMs + leaseMs - leaseMarginMs;
  }

  async function take(handlers: LeaseHandlers): Promise<void> {
    const askedAtMs = performance.now();
    const seen = view();
    // A process of this name before this one is over: two cannot have the same data folder.
    if (seen.isLeased && seen.materializer !== name) return;
    const { newest, sinceMs } = await handlers.laterEpochs(seen.epoch);
    const taken = await writeTaking(db, name, newest);
    if (!taken) return;
    // Where none of these nodes held an epoch, it is not known which of its derivations have ended either.
    const since =
      seen.materializer === null ? [handlers.leftSince] : [taken.leftSince, newest > 0 ? sinceMs * perMs : null];
    const known = since.filter((version) => version !== null && version !== undefined);
    const epoch = { number: taken.number, leftSince: known.length > 0 ? Math.min(...known) : undefined };
    begin({ epoch, untilMs: askedAtMs + leaseMs - leaseMarginMs, hasBegun: false }, handlers);
  }

  function begin(mine: NonNullable<typeof held>, handlers: LeaseHandlers): void {
    const { number } = mine.epoch;
    held = mine;
    log.info({ epoch: number }, "this node derives levels from now on");
    handlers.begin(number).then(
      () => {
        mine.hasBegun = true;
      },
      (err: unknown) => {
        log.warn({ err, epoch: number }, "this node could not begin to derive, trying again");
        if (held === mine) held = undefined;
      },
    );
  }

  /** A process outside the cluster may have begun a later epoch; this node takes it back, else the watermark would stall for ever. */
  async function hasLaterEpoch(epoch: number, handlers: LeaseHandlers): Promise<boolean> {
    const nowMs = performance.now();
    if (!handlers.isBehind() || nowMs - epochsAskedAtMs < askEpochsEveryMs) return false;
    epochsAskedAtMs = nowMs;
    const { newest } = await handlers.laterEpochs(epoch);
    if (newest > 0) log.warn({ epoch, newest }, "a process outside of the cluster has begun to derive; taking it back");
    return newest > 0;
  }

  return {
    epoch: () => (held?.hasBegun && performance.now() < held.untilMs ? held.epoch : undefined),
    keep: (handlers) => (held ? renew(held, handlers) : take(handlers)),
    async giveUp() {
      if (held) await db.update(ingestCluster).set({ materializerUntil: sql`now()` }).where(isHeld(held.epoch));
      held = undefined;
    },
  };
}

/** Undefined where another node has the lease. */
async function writeTaking(db: Postgres["db"], name: string, newestEpoch: number) {
  const isFree = or(
    isNull(ingestCluster.materializer),
    eq(ingestCluster.materializer, name),
    lt(ingestCluster.materializerUntil, sql`now()`),
  );
  const epoch = sql`greatest(${ingestCluster.epoch}, ${newestEpoch}) + 1`;
  const [taken] = await db
    .update(ingestCluster)
    .set({ materializer: name, materializerUntil: until, epoch })
    .where(isFree)
    .returning({ number: ingestCluster.epoch, leftSince: ingestCluster.unfinishedSince });
  return taken;
}
