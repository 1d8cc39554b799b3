/**
 * Compares the stages of one organization and UTC day, and repairs what differs. The first look holds nothing up and may see
 * a batch half way in; what it finds is looked at again while nothing is stored or derived, and only what differs then is
 * drift. Drift is on record before it is repaired, so that a repair which did not end is known and done again.
 */
import { randomUUID } from "node:crypto";
import { and, asc, inArray, isNull } from "drizzle-orm";
import type { Logger } from "pino";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { type Stage, stages } from "../contract/reconciliation.ts";
import type { Sequence } from "../ingest/log/sequence.ts";
import type { Postgres } from "../postgres/client.ts";
import { reconciliations } from "../postgres/schema/reconciliation.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { type Comparison, type Difference, type Piece, stageComparisons } from "./compare-stages.ts";
import { type DayPart, dayParts } from "./day-parts.ts";
import type { LevelMaterializer } from "./derive-levels.ts";
import type { ExclusiveStorage } from "./exclusive-storage.ts";
import { expireIntervals } from "./expire-intervals.ts";

export type Drift = typeof reconciliations.$inferSelect;

export interface ReconciliationDeps {
  clickhouse: ClickHouse;
  postgres: Postgres;
  tree: Pick<NodeTree, "ancestors" | "pathsBetween">;
  materializer: LevelMaterializer;
  sequence: Sequence;
  flush: Pick<ExclusiveStorage, "exclusive" | "settledBatch">;
  log: Logger;
  now?: () => number;
}

/** While nothing is being stored, every batch is complete. */
const everyBatch = Number.MAX_SAFE_INTEGER;
/** Sessions that are compared at once: nobody waits for longer than that takes. */
const sessionsAtOnce = 8_000;

export interface ReconciliationBounds {
  /** Of a day with more sessions than are compared at once so many parts are looked at, others each time; default: all. */
  mostParts?: number;
  sessionsAtOnce?: number;
}

/** Answers the drift that was found and repaired, one row per node and stage. Rejects when a repair did not help. */
export async function reconcilePiece(
  deps: ReconciliationDeps,
  piece: Piece,
  asked: readonly Stage[] = stages,
  { mostParts = Number.POSITIVE_INFINITY, sessionsAtOnce: atOnce = sessionsAtOnce }: ReconciliationBounds = {},
): Promise<Drift[]> {
  const wanted = stages.filter((stage) => asked.includes(stage) && (piece.organization !== "" || stage === "slots"));
  const { before, ofSessions, after } = await dayParts(deps, piece, wanted, atOnce);
  const compared = someOf(ofSessions, mostParts);
  const drifts: Drift[] = [];
  for (const part of [...before, ...compared, ...after]) drifts.push(...(await reconcilePart(deps, piece, part)));
  if (compared.length < ofSessions.length)
    deps.log.info(
      { ...piece, parts: ofSessions.length, compared: compared.length },
      "of a day with very many sessions a part was compared; the others have their turn later",
    );
  return drifts;
}

/** Those that follow one at random: in time all of them. */
function someOf(parts: readonly DayPart[], most: number): DayPart[] {
  if (parts.length <= most) return [...parts];
  const first = Math.floor(Math.random() * parts.length);
  return [...parts.slice(first), ...parts.slice(0, first)].slice(0, most);
}

async function reconcilePart(deps: ReconciliationDeps, piece: Piece, part: DayPart): Promise<Drift[]> {
  const derive: Comparison["derive"] = (batches, nowMs) => deps.materializer.derive(batches, nowMs, "comparison");
  const how = { derive, settledBatch: deps.flush.settledBatch };
  const glance = await comparisonOf(deps, part, how, part.markedBatch);
  if (!(await differsAnywhere(glance, piece, part.stages))) return [];
  const drifts: Drift[] = [];
  await deps.flush.exclusive(() =>
    deps.materializer.alone(async (deriveAlone) => {
      const { clickhouse, sequence } = deps;
      const comparison = await comparisonOf(deps, part, { derive: deriveAlone, settledBatch: everyBatch });
      // An interval that has timed out and was not ended yet is no drift.
      const among = { among: comparison.dirtyBatch };
      if (part.mark) await expireIntervals(clickhouse, deriveAlone, sequence, comparison.nowMs, deps, among);
      for (const stage of part.stages) drifts.push(...(await reconcileStage(deps, comparison, piece, stage)));
      const organizations = drifts.length > 0 && piece.organization !== "" ? [piece.organization] : [];
      return { batch: 0, organizations: new Set(organizations), levels: comparison.changedNodes };
    }),
  );
  return drifts;
}

async function comparisonOf(
  { clickhouse, sequence, now = Date.now }: ReconciliationDeps,
  { mark }: DayPart,
  how: Pick<Comparison, "derive" | "settledBatch">,
  markedBatch?: number,
): Promise<Comparison> {
  const dirtyBatch = markedBatch ?? sequence.next();
  if (markedBatch === undefined) await mark?.(dirtyBatch);
  return { clickhouse, sequence, nowMs: now(), changedNodes: new Set(), dirtyBatch, ...how };
}

async function differsAnywhere(comparison: Comparison, piece: Piece, wanted: readonly Stage[]): Promise<boolean> {
  for (const stage of wanted) if ((await stageComparisons[stage].compare(comparison, piece)).length > 0) return true;
  return false;
}

async function reconcileStage(
  deps: ReconciliationDeps,
  comparison: Comparison,
  piece: Piece,
  stage: Stage,
): Promise<Drift[]> {
  const { compare, repair } = stageComparisons[stage];
  const differences = await compare(comparison, piece);
  if (differences.length === 0) return [];
  const drifts = driftOf(deps, comparison.nowMs, piece, stage, differences);
  const { db } = deps.postgres;
  await db.insert(reconciliations).values(drifts);
  await repair(comparison, piece, differences);
  const left = await compare(comparison, piece);
  if (left.length > 0)
    throw new Error(`the ${stage} of ${piece.organization} on ${piece.day} still differ after their repair`, {
      cause: left[0],
    });
  const repairedAt = new Date();
  const ids = drifts.map(({ id }) => id);
  await db.update(reconciliations).set({ repairedAt }).where(inArray(reconciliations.id, ids));
  const repaired = drifts.map((drift) => ({ ...drift, repairedAt }));
  for (const { path: _, ...drift } of repaired)
    deps.log.error(drift, "drift between a stage and the one before was found and repaired");
  return repaired;
}

function driftOf(
  { tree }: ReconciliationDeps,
  nowMs: number,
  { organization, day }: Piece,
  stage: Stage,
  differences: readonly Difference[],
): Drift[] {
  const byNode = new Map<string, Difference[]>();
  for (const difference of differences) {
    const ofNode = byNode.get(difference.node) ?? [];
    byNode.set(difference.node, ofNode);
    ofNode.push(difference);
  }
  return [...byNode].map(([node, [first, ...others]]) => ({
    id: `rec_${randomUUID()}`,
    at: new Date(nowMs),
    node,
    path: [...tree.ancestors(node as NodeAddress)],
    organization: organization === "" ? null : organization,
    day,
    stage,
    differences: 1 + others.length,
    subject: first?.subject ?? "",
    expected: first?.expected ?? "",
    found: first?.found ?? "",
    repairedAt: null,
  }));
}

/** The pieces whose repair was begun and did not end; they are recorded as repaired once this has repeated them. */
export async function finishRepairs(deps: ReconciliationDeps): Promise<void> {
  const { db } = deps.postgres;
  const unfinished = await db
    .select()
    .from(reconciliations)
    .where(isNull(reconciliations.repairedAt))
    .orderBy(asc(reconciliations.at));
  for (const { id, organization, day } of unfinished) {
    await reconcilePiece(deps, { organization: organization ?? "", day });
    await db
      .update(reconciliations)
      .set({ repairedAt: new Date() })
      .where(and(inArray(reconciliations.id, [id]), isNull(reconciliations.repairedAt)));
  }
}
