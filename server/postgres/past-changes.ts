/**
 * Changes of figures of the past, noted for whoever keeps what was measured: closed statements. A change is announced before
 * storage is touched and confirmed once queries show it, so that a crash in between neither loses it nor has it measured too
 * early: what was begun is done again, and confirmed then.
 */
import { and, asc, eq, isNotNull, isNull, like, min, or, sql } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Queries } from "./client.ts";
import { pastChanges } from "./schema/past-changes.ts";

export interface PastChange {
  /** Whose figures differ. */
  node: NodeAddress;
  /** ms since 1970, UTC, both included. */
  fromMs: number;
  /** Null: since then for ever. */
  toMs: number | null;
  /** This meter alone is concerned, and then everything below the node too. */
  meter?: string;
}

export interface VisibleChange extends PastChange {
  number: number;
}

/** A statement of Postgres binds 65,535 parameters at most. */
const rowsAtOnce = 5_000;

/** Under one cause, all or none in the caller's transaction. */
export async function announcePastChanges(tx: Queries, cause: string, changes: readonly PastChange[]): Promise<void> {
  if (changes.length === 0) return;
  const rows = changes.map(({ node, meter = null, fromMs, toMs }) => {
    return { cause, node, meter, fromAt: new Date(fromMs), toAt: toMs === null ? null : new Date(toMs) };
  });
  for (let start = 0; start < rows.length; start += rowsAtOnce)
    await tx.insert(pastChanges).values(rows.slice(start, start + rowsAtOnce));
}

/** Queries show what the cause changed. Again it does nothing. */
export async function confirmPastChanges(tx: Queries, cause: string): Promise<void> {
  const isOfCause = and(eq(pastChanges.cause, cause), isNull(pastChanges.visibleAt));
  await tx.update(pastChanges).set({ visibleAt: sql`now()` }).where(isOfCause);
}

/** What was announced under a cause that begins so, and is not confirmed: what a process that ended left. */
export async function unconfirmedCauses(db: Queries, beginning: string): Promise<string[]> {
  const rows = await db
    .selectDistinct({ cause: pastChanges.cause })
    .from(pastChanges)
    .where(and(like(pastChanges.cause, `${beginning}%`), isNull(pastChanges.visibleAt)));
  return rows.map(({ cause }) => cause);
}

/** Since when each node was announced to differ under causes that are not confirmed: ms since 1970, UTC. */
export async function announcedSince(db: Queries, causes: readonly string[]): Promise<Map<NodeAddress, number>> {
  if (causes.length === 0) return new Map();
  const isOfCauses = sql`${pastChanges.cause} = ANY(${sql.param([...causes])}::text[])`;
  const rows = await db
    .select({ node: pastChanges.node, fromAt: min(pastChanges.fromAt) })
    .from(pastChanges)
    .where(and(isOfCauses, isNull(pastChanges.visibleAt)))
    .groupBy(pastChanges.node);
  return new Map(rows.flatMap(({ node, fromAt }) => (fromAt === null ? [] : [[node, fromAt.getTime()] as const])));
}

/** By then every process knows a meter's new version. */
const spreadTime = sql`interval '10 seconds'`;

/** The oldest of those that can be measured now, at most `most`, without those already `taken`. */
export async function visiblePastChanges(
  db: Queries,
  taken: readonly number[],
  most: number,
): Promise<VisibleChange[]> {
  const isSpread = or(isNull(pastChanges.meter), sql`${pastChanges.visibleAt} <= now() - ${spreadTime}`);
  const isTaken = sql`${pastChanges.number} = ANY(${sql.param(taken)}::bigint[])`;
  const rows = await db
    .select()
    .from(pastChanges)
    .where(and(isNotNull(pastChanges.visibleAt), isSpread, sql`NOT ${isTaken}`))
    .orderBy(asc(pastChanges.number))
    .limit(most);
  return rows.map(({ number, node, meter, fromAt, toAt }) => ({
    number,
    node,
    fromMs: fromAt.getTime(),
    toMs: toAt?.getTime() ?? null,
    ...(meter !== null && { meter }),
  }));
}

export async function forgetPastChanges(db: Queries, numbers: readonly number[]): Promise<void> {
  if (numbers.length === 0) return;
  await db.delete(pastChanges).where(sql`${pastChanges.number} = ANY(${sql.param([...numbers])}::bigint[])`);
}
