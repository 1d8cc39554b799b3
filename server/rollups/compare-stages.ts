/**
 * Compares each stage with what the stage before says it should be, and repairs the differences. Comparing writes nothing
 * but marks of dirty sessions, which nobody reads afterwards. Repairs write what differs and nothing else, so readers never
 * see less than before.
 */

import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { Stage } from "../contract/reconciliation.ts";
import type { Sequence } from "../ingest/log/sequence.ts";
import type { Derive } from "./derive-levels.ts";
import { rebuildIntervals, reinsertIntervals } from "./reinsert-intervals.ts";
import { rewriteCounters, rewriteNodeCounters } from "./rewrite-counters.ts";

/** An organization on one UTC day ('YYYY-MM-DD'); organization '': every node's slots of that day, and no other stage. */
export interface Piece {
  organization: string;
  day: string;
}

export interface Difference {
  /** The address of the node whose figures differ. */
  node: string;
  subject: string;
  expected: string;
  found: string;
}

export interface Comparison {
  clickhouse: ClickHouse;
  sequence: Sequence;
  derive: Derive;
  /** Decides what has timed out. */
  nowMs: number;
  /** Counters of batches up to it are compared. */
  settledBatch: number;
  /** Addresses of nodes whose levels a repair changed are added to it. */
  changedNodes: Set<string>;
  /** The batch under which the sessions of the piece are marked. */
  dirtyBatch: number;
}

export interface StageComparison {
  compare(comparison: Comparison, piece: Piece): Promise<Difference[]>;
  /** Nothing else may be stored or derived meanwhile. */
  repair(comparison: Comparison, piece: Piece, differences: readonly Difference[]): Promise<void>;
}

/** The most differences that are listed of one piece and stage; all of them are repaired. */
const most = 1_000;

const pieceParams = z.object({ organization: z.string(), day: z.string() });
const difference = z.object({ subject: z.string(), expected: z.string(), found: z.string() });
const repairParams = pieceParams.extend({ version: z.number() });

const countersParams = pieceParams.extend({ settled: z.number(), most: z.number() });
const driftedCounter = z.object({
  type: z.string(),
  bucket_ms: numberColumn,
  expected_events: numberColumn,
  found_events: numberColumn,
  expected_amount: z.string(),
  found_amount: z.string(),
});
const driftedCounters = defineQuery("drifted_counters", countersParams, driftedCounter);
const driftedNodeCounters = defineQuery(
  "drifted_node_counters",
  countersParams,
  driftedCounter.extend({ kind: z.string(), node: z.string() }),
);
const driftedPresences = defineQuery("drifted_presences", pieceParams.extend({ most: z.number() }), difference);
const repairPresences = defineStatement("repair_presences", repairParams);
const driftedIntervals = defineQuery(
  "drifted_intervals",
  z.object({ batches: z.array(z.number()), most: z.number() }),
  difference,
);
const driftedEdges = defineQuery("drifted_edges", pieceParams.extend({ most: z.number() }), difference);
const repairEdges = defineStatement("repair_edges", repairParams);
const driftedSlots = defineQuery(
  "drifted_slots",
  pieceParams.extend({ most: z.number() }),
  difference.extend({ kind: z.enum(["all", "partner", "reseller", "organization"]), node: z.string() }),
);
const repairSlots = defineStatement("repair_slots", repairParams);

const counters: StageComparison = {
  async compare({ clickhouse, settledBatch }, piece) {
    const rows = await driftedCounters(clickhouse, { ...piece, settled: settledBatch, most });
    return rows.map((row) => differenceOfCounter(nodeAddress("organization", piece.organization), row));
  },
  async repair({ clickhouse, sequence }, piece) {
    await rewriteCounters(clickhouse, [piece.organization], piece.day, sequence);
  },
};

/** Counters of the nodes above the organization, made from those of all organizations. */
const nodeCounters: StageComparison = {
  async compare({ clickhouse, settledBatch }, piece) {
    const rows = await driftedNodeCounters(clickhouse, { ...piece, settled: settledBatch, most });
    return rows.map((row) =>
      differenceOfCounter(row.kind === "all" ? "all" : nodeAddress(row.kind as "reseller" | "partner", row.node), row),
    );
  },
  async repair({ clickhouse, sequence }, piece) {
    await rewriteNodeCounters(clickhouse, [piece.organization], piece.day, sequence);
  },
};

function differenceOfCounter(node: string, row: z.output<typeof driftedCounter>): Difference {
  return {
    node,
    subject: `${row.type} at ${new Date(row.bucket_ms).toISOString()}`,
    expected: `${row.expected_events} events, ${row.expected_amount}`,
    found: `${row.found_events} events, ${row.found_amount}`,
  };
}

const intervals: StageComparison = {
  async compare({ clickhouse, dirtyBatch }, { organization }) {
    const rows = await driftedIntervals(clickhouse, { batches: [dirtyBatch], most });
    return rows.map((row) => ({ node: nodeAddress("organization", organization), ...row }));
  },
  async repair(comparison, piece) {
    const { clickhouse, dirtyBatch } = comparison;
    await reinsertIntervals(clickhouse, [dirtyBatch]);
    const isTooMuch = (await intervals.compare(comparison, piece)).length > 0;
    if (isTooMuch) await rebuildIntervals(clickhouse, [dirtyBatch]);
  },
};

const sessions: StageComparison = {
  async compare({ derive, dirtyBatch, nowMs }, { organization }) {
    const { differences } = await derive([dirtyBatch], nowMs, "comparison");
    return differences.slice(0, most).map(({ session, expected, found }) => ({
      node: nodeAddress("organization", organization),
      subject: `session ${session}`,
      expected,
      found,
    }));
  },
  async repair({ derive, dirtyBatch, nowMs, changedNodes }) {
    const derivation = await derive([dirtyBatch], nowMs, "changes");
    for (const node of derivation.changedNodes) changedNodes.add(node);
  },
};

const presences: StageComparison = {
  async compare({ clickhouse }, piece) {
    const rows = await driftedPresences(clickhouse, { ...piece, most });
    return rows.map((row) => ({ node: nodeAddress("organization", piece.organization), ...row }));
  },
  async repair({ clickhouse, sequence }, piece) {
    await repairPresences(clickhouse, { ...piece, version: sequence.next() });
  },
};

const edges: StageComparison = {
  async compare({ clickhouse }, piece) {
    const rows = await driftedEdges(clickhouse, { ...piece, most });
    return rows.map((row) => ({ node: nodeAddress("organization", piece.organization), ...row }));
  },
  async repair({ clickhouse, sequence }, piece) {
    await repairEdges(clickhouse, { ...piece, version: sequence.next() });
  },
};

const slots: StageComparison = {
  async compare({ clickhouse }, piece) {
    const rows = await driftedSlots(clickhouse, { ...piece, most });
    return rows.map(({ kind, node: id, ...row }) => ({ node: kind === "all" ? "all" : nodeAddress(kind, id), ...row }));
  },
  async repair({ clickhouse, sequence, changedNodes }, piece, differences) {
    await repairSlots(clickhouse, { ...piece, version: sequence.next() });
    for (const { node } of differences) changedNodes.add(node);
  },
};

export const stageComparisons: Readonly<Record<Stage, StageComparison>> = {
  counters,
  node_counters: nodeCounters,
  intervals,
  sessions,
  presences,
  edges,
  slots,
};
