/**
 * Carries a move in the account tree into storage: from its instant on everything of the organizations that moved belongs
 * to the new parents; earlier usage stays with the old ones. A move that takes effect now changes running sessions; a
 * backdated one, or one that another process learned of late, also finds events stored with the former path.
 *
 * A move is on record (`node_moves`) until it is in every figure, and is carried out again after a crash: each step
 * writes the same when it is done twice.
 */
import { eq, isNull, lte, sql } from "drizzle-orm";
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineInsert, defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Sequence } from "../ingest/log/sequence.ts";
import type { Postgres } from "../postgres/client.ts";
import { announcedSince, confirmPastChanges } from "../postgres/past-changes.ts";
import { nodeMoves } from "../postgres/schema/accounts.ts";
import { causeOfMove } from "../tree/change-node.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { LevelMaterializer } from "./derive-levels.ts";
import type { ExclusiveStorage } from "./exclusive-storage.ts";
import { rewriteCounters, rewriteNodeCounters } from "./rewrite-counters.ts";
import { endlessMs, type Placement, type PlacementsWithin } from "./session-parts.ts";

const insertPlacements = defineInsert("insert_placements", z.object({}));
const since = z.object({ organizations: z.array(z.string()), since_ms: z.number() });
const misplacedDays = defineQuery(
  "misplaced_days",
  since,
  z.object({ day: z.string(), misplaced: z.array(z.string()) }),
);
const placementColumns = since.extend({
  sinces: z.array(z.number()),
  partners: z.array(z.string()),
  resellers: z.array(z.string()),
});
const replaceEvents = defineStatement("replace_events", placementColumns);
const replaceJobEvents = defineStatement("replace_job_events", placementColumns);
const markSessionsOfMoved = defineStatement("mark_sessions_of_moved", since.extend({ batch: z.number() }));

/** This long after a move every process knows of it, and everything accepted before that is in the log. */
const spreadMs = 10_000;

/** Organizations by UTC day ('YYYY-MM-DD'). */
export type MisplacedDays = { day: string; misplaced: string[] }[];

export interface PlacementDeps {
  clickhouse: ClickHouse;
  materializer: Pick<LevelMaterializer, "derive">;
  flush: Pick<ExclusiveStorage, "exclusive">;
  sequence: Sequence;
  placementsWithin: PlacementsWithin;
}

export interface MoveDeps extends Omit<PlacementDeps, "placementsWithin"> {
  postgres: Postgres;
  tree: Pick<NodeTree, "organizationsEverBelow" | "placementsWithin" | "reread">;
  flush: Pick<ExclusiveStorage, "exclusive" | "watermark">;
  now?: () => number;
}

/** The job moves-apply: carries out the moves that have taken effect and are not in every figure yet, the oldest first. */
export async function applyMoves(deps: MoveDeps): Promise<void> {
  const { postgres, tree, flush, now = Date.now } = deps;
  const { db } = postgres;
  const due = await db
    .select()
    .from(nodeMoves)
    .where(sql`${isNull(nodeMoves.settledAt)} AND ${lte(nodeMoves.effectiveAt, new Date(now()))}`)
    .orderBy(nodeMoves.decidedAt, nodeMoves.id);
  if (due.length === 0) return;
  await tree.reread([...new Set(due.map(({ node }) => node))]);
  const placement = {
    ...deps,
    placementsWithin: (organization: string, fromMs: number, toMs: number) =>
      tree.placementsWithin(organization, fromMs, toMs),
  };
  for (const move of due) {
    const knownEverywhereMs = Math.max(move.effectiveAt.getTime(), move.decidedAt.getTime()) + spreadMs;
    const isLast = flush.watermark().getTime() > knownEverywhereMs;
    if (move.appliedAt && !isLast) continue;
    await placeOrganizations(placement, {
      organizations: tree.organizationsEverBelow(move.node),
      sinceMs: move.effectiveAt.getTime(),
      nowMs: now(),
      formerOwners: (await announcedSince(db, [causeOfMove(move.id)])).keys(),
      unfinished: move.rewriting ?? [],
      record: async (rewriting) => {
        await db.update(nodeMoves).set({ rewriting }).where(eq(nodeMoves.id, move.id));
      },
    });
    const at = new Date(now());
    await postgres.transaction(async (tx) => {
      await tx
        .update(nodeMoves)
        .set({ rewriting: null, appliedAt: move.appliedAt ?? at, settledAt: isLast ? at : null })
        .where(eq(nodeMoves.id, move.id));
      if (isLast) await confirmPastChanges(tx, causeOfMove(move.id));
    });
  }
}

export interface Placing {
  organizations: readonly string[];
  /** From then on (ms since 1970, UTC) storage may have them under former parents. */
  sinceMs: number;
  nowMs: number;
  /** Nodes that lose usage of the organizations. */
  formerOwners?: Iterable<NodeAddress>;
  /** Left by an earlier try: the days whose counters may not follow their events. */
  unfinished: MisplacedDays;
  /** Called before events are rewritten, with the days whose counters have to follow. */
  record: (rewriting: MisplacedDays) => Promise<void>;
}

/** Gives everything stored of the organizations since an instant the parents that they had by then. */
export async function placeOrganizations(
  { clickhouse, materializer, flush, sequence, placementsWithin }: PlacementDeps,
  { organizations, sinceMs, nowMs, formerOwners = [], unfinished, record }: Placing,
): Promise<void> {
  const placements = new Map(
    organizations.flatMap((id): [string, readonly Placement[]][] => {
      const own = placementsWithin(id, 0, endlessMs);
      return own ? [[id, own]] : [];
    }),
  );
  if (placements.size === 0) return;
  const moved = { organizations: [...placements.keys()], since_ms: sinceMs };
  const organizationsMoved = new Set(moved.organizations);
  await flush.exclusive(async () => {
    const rows = [...placements].map(([organization, own]) => ({
      organization,
      version: sequence.next(),
      ...columnsOf(own, "since_ms", "partner", "reseller"),
    }));
    await insertPlacements(clickhouse, [Buffer.from(rows.map((row) => JSON.stringify(row)).join("\n"))], {});
    const found = await misplacedDays(clickhouse, moved);
    const days = merged([...unfinished, ...found]);
    if (days.length > 0) await record(days);
    for (const [own, ids] of byPlacements(placements, found)) {
      const params = { organizations: ids, since_ms: sinceMs, ...columnsOf(own, "sinces", "partners", "resellers") };
      await replaceEvents(clickhouse, params);
      await replaceJobEvents(clickhouse, params);
    }
    for (const { day, misplaced } of days) {
      await rewriteCounters(clickhouse, misplaced, day, sequence);
      await rewriteNodeCounters(clickhouse, misplaced, day, sequence);
    }
    return { batch: sequence.next(), organizations: organizationsMoved, levels: new Set(formerOwners) };
  });
  // Beside what is being stored, which stands where the tree says by now: sessions may be many.
  const batch = sequence.next();
  await markSessionsOfMoved(clickhouse, { ...moved, batch });
  const { changedNodes } = await materializer.derive([batch], nowMs);
  await flush.exclusive(async () => ({ batch: 0, organizations: organizationsMoved, levels: changedNodes }));
}

function columnsOf<Since extends string, Partner extends string, Reseller extends string>(
  own: readonly Placement[],
  ...[since, partner, reseller]: [Since, Partner, Reseller]
) {
  return {
    [since]: own.map((placement) => placement.sinceMs),
    [partner]: own.map((placement) => placement.partner),
    [reseller]: own.map((placement) => placement.reseller),
  } as Record<Since, number[]> & Record<Partner | Reseller, string[]>;
}

function merged(days: MisplacedDays): MisplacedDays {
  const byDay = new Map<string, Set<string>>();
  for (const { day, misplaced } of days) byDay.set(day, new Set([...(byDay.get(day) ?? []), ...misplaced]));
  return [...byDay].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, ids]) => ({ day, misplaced: [...ids].sort() }));
}

/** Organizations that moved together have the same placements: one mutation serves all of them. */
function byPlacements(
  placements: ReadonlyMap<string, readonly Placement[]>,
  days: MisplacedDays,
): Iterable<[readonly Placement[], string[]]> {
  const groups = new Map<string, [readonly Placement[], string[]]>();
  for (const id of new Set(days.flatMap(({ misplaced }) => misplaced))) {
    const own = placements.get(id) ?? [];
    const key = JSON.stringify(own);
    const group = groups.get(key);
    if (group) group[1].push(id);
    else groups.set(key, [own, [id]]);
  }
  return groups.values();
}
