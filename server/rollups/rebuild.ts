/**
 * Rebuilds of stages from the ones before, asked for by people and carried out by the job rebuilds-run while events keep
 * arriving. A rebuild compares every piece of what it was asked for, and writes what differs: afterwards each stage is what
 * the stage before says, and no reader has seen less meanwhile. It goes on after a restart where it stopped.
 */
import { randomUUID } from "node:crypto";
import { and, arrayOverlaps, asc, desc, eq, isNull, sql } from "drizzle-orm";
import { z } from "zod";
import { type Author, recordChange } from "../audit/record-change.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { type RebuildStage, type Stage, stages } from "../contract/reconciliation.ts";
import type { Postgres } from "../postgres/client.ts";
import { rebuilds } from "../postgres/schema/reconciliation.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { Piece } from "./compare-stages.ts";
import { type ReconciliationDeps, reconcilePiece } from "./reconcile-piece.ts";

const rebuildableDays = defineQuery(
  "rebuildable_days",
  z.object({ organization: z.string(), from_day: z.string(), to_day: z.string() }),
  z.object({ organization: z.string(), day: z.string() }),
);

/** The first and the last day that an event may have, and one more. */
const allDays = { from: "2000-01-01", to: "2100-01-01" };
/** How often progress is recorded; after a restart the pieces since then are compared again. */
const progressEveryMs = 500;
const maxListed = 100;

/** How many rebuilds may wait or run, for a tenant and in all. */
export const rebuildLimits = { maxOfTenant: 10, most: 200 } as const;
/** How long one rebuild goes on while another tenant's waits. */
const turnMs = 5_000;
const retryAfterSeconds = 60;

/** No further rebuild may wait now. */
export class TooManyRebuildsError extends Error {
  override name = "TooManyRebuildsError";
  readonly retryAfterSeconds = retryAfterSeconds;
}

export type Rebuild = typeof rebuilds.$inferSelect;

export interface RebuildRequest {
  stage: RebuildStage;
  organization: string | undefined;
  /** UTC days, `to` exclusive. */
  from: string | undefined;
  to: string | undefined;
}

const tenantOfRebuild = ({ path }: Pick<Rebuild, "path">) => path.at(-2) ?? "all";

/** Puts a rebuild on record; the job begins it within seconds. Throws TooManyRebuildsError. */
export async function requestRebuild(
  { postgres, tree }: { postgres: Postgres; tree: Pick<NodeTree, "ancestors"> },
  { stage, organization, from, to }: RebuildRequest,
  by: Author,
): Promise<Rebuild> {
  const node: NodeAddress = organization === undefined ? "all" : nodeAddress("organization", organization);
  const rebuild: Rebuild = {
    id: `reb_${randomUUID()}`,
    stage,
    organization: organization ?? null,
    node,
    path: [...tree.ancestors(node)],
    from: from ?? null,
    to: to ?? null,
    actorName: by.name,
    requestedAt: new Date(),
    pieces: null,
    piecesDone: 0,
    lastPiece: null,
    repaired: 0,
    finishedAt: null,
  };
  await postgres.transaction(async (tx) => {
    // Where several are requested at once, each counts the ones before it.
    await tx.execute(sql`LOCK TABLE rebuilds IN SHARE ROW EXCLUSIVE MODE`);
    const waiting = await tx.select({ path: rebuilds.path }).from(rebuilds).where(isNull(rebuilds.finishedAt));
    const { most, maxOfTenant } = rebuildLimits;
    if (waiting.filter((one) => tenantOfRebuild(one) === tenantOfRebuild(rebuild)).length >= maxOfTenant)
      throw new TooManyRebuildsError(`${maxOfTenant} rebuilds are already waiting; try again when one has finished`);
    if (waiting.length >= most)
      throw new TooManyRebuildsError(`${most} rebuilds from all callers are already waiting; try again later`);
    await tx.insert(rebuilds).values(rebuild);
    await recordChange(tx, {
      by,
      node,
      action: "rebuild.requested",
      subject: rebuild.id,
      after: { stage, from: rebuild.from, to: rebuild.to },
    });
  });
  return rebuild;
}

/** The newest first, of these nodes and below them. */
export async function readRebuilds(postgres: Postgres, reach: readonly NodeAddress[], id?: string): Promise<Rebuild[]> {
  return await postgres.db
    .select()
    .from(rebuilds)
    .where(
      and(
        reach.includes("all") ? undefined : arrayOverlaps(rebuilds.path, [...reach]),
        id === undefined ? undefined : eq(rebuilds.id, id),
      ),
    )
    .orderBy(desc(rebuilds.requestedAt), desc(rebuilds.id))
    .limit(maxListed);
}

/**
 * The job rebuilds-run: carries out what was asked for and is not finished, one at a time: of one tenant the oldest first, and
 * between tenants in turns.
 */
export async function runRebuilds(deps: ReconciliationDeps): Promise<void> {
  const { db } = deps.postgres;
  /** The tenant whose last turn is longest ago comes first; one that had no turn yet comes before all. */
  const served: string[] = [];
  for (;;) {
    const waiting = await db
      .select()
      .from(rebuilds)
      .where(isNull(rebuilds.finishedAt))
      .orderBy(asc(rebuilds.requestedAt), asc(rebuilds.id))
      .limit(rebuildLimits.most);
    const oldest = new Map<string, Rebuild>();
    for (const one of waiting) if (!oldest.has(tenantOfRebuild(one))) oldest.set(tenantOfRebuild(one), one);
    const [next] = [...oldest].sort(([a], [b]) => served.lastIndexOf(a) - served.lastIndexOf(b));
    if (!next) return;
    const [tenant, rebuild] = next;
    if (served.includes(tenant)) served.splice(served.indexOf(tenant), 1);
    served.push(tenant);
    await runRebuild(deps, rebuild);
  }
}

/** Carries a rebuild out to its end, or for one turn while another tenant's waits. */
async function runRebuild(deps: ReconciliationDeps, rebuild: Rebuild): Promise<void> {
  const { db } = deps.postgres;
  const pieces = await piecesOf(deps, rebuild);
  const done = pieces.findIndex(({ piece }) => keyOf(piece) === rebuild.lastPiece) + 1;
  let { repaired } = rebuild;
  let writtenAtMs = 0;
  let turnEndsAtMs = performance.now() + turnMs;
  for (const [index, { piece, wanted }] of pieces.entries()) {
    if (index < done) continue;
    for (const drift of await reconcilePiece(deps, piece, wanted)) repaired += drift.differences;
    const isTurnOver = performance.now() > turnEndsAtMs;
    const isLast = index === pieces.length - 1;
    if (!isLast && !isTurnOver && performance.now() - writtenAtMs < progressEveryMs) continue;
    writtenAtMs = performance.now();
    await db
      .update(rebuilds)
      .set({ pieces: pieces.length, piecesDone: index + 1, lastPiece: keyOf(piece), repaired })
      .where(eq(rebuilds.id, rebuild.id));
    if (isLast || !isTurnOver) continue;
    const waiting = await db.select({ path: rebuilds.path }).from(rebuilds).where(isNull(rebuilds.finishedAt));
    if (waiting.some((one) => tenantOfRebuild(one) !== tenantOfRebuild(rebuild))) return;
    turnEndsAtMs = performance.now() + turnMs;
  }
  await db
    .update(rebuilds)
    .set({ pieces: pieces.length, piecesDone: pieces.length, finishedAt: new Date() })
    .where(eq(rebuilds.id, rebuild.id));
  deps.log.info({ rebuild: rebuild.id, pieces: pieces.length, repaired }, "a rebuild is finished");
}

/** Each organization's days, then, where all organizations are meant, the days of every node's slots. */
async function piecesOf(
  { clickhouse }: ReconciliationDeps,
  { stage, organization, from, to }: Rebuild,
): Promise<{ piece: Piece; wanted: readonly Stage[] }[]> {
  const wanted: readonly Stage[] = stage === "all" ? stages : [stage];
  const found = await rebuildableDays(clickhouse, {
    organization: organization ?? "",
    from_day: from ?? allDays.from,
    to_day: to ?? allDays.to,
  });
  if (organization !== null) return found.map((piece) => ({ piece, wanted }));
  const ofOrganizations = wanted.filter((one) => one !== "slots");
  const days = wanted.includes("slots") ? [...new Set(found.map(({ day }) => day))].sort() : [];
  return [
    ...(ofOrganizations.length > 0 ? found.map((piece) => ({ piece, wanted: ofOrganizations })) : []),
    ...days.map((day) => ({ piece: { organization: "", day }, wanted: ["slots"] as const })),
  ];
}

const keyOf = ({ organization, day }: Piece) => `${organization} ${day}`;
