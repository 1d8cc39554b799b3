/**
 * The job usage-reconcile: takes recent and random (organization, UTC day) pairs, computes counters and levels anew from
 * the raw events, and compares. What differs is drift: it is reported, and repaired by what was computed. In a healthy
 * store there is none.
 */
import type { Logger } from "pino";
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import type { LevelDeriver } from "./derive-levels.ts";
import type { Sequence } from "./sequence.ts";

const dayParams = z.object({ organization: z.string(), day: z.string() });
const reconcilableDays = defineQuery(
  "reconcilable_days",
  z.object({ recent: z.number(), random: z.number() }),
  dayParams,
);
const driftedRow = z.object({
  type: z.string(),
  bucket_ms: z.coerce.number(),
  expected_events: z.coerce.number(),
  found_events: z.coerce.number(),
  expected_amount: z.string(),
  found_amount: z.string(),
});
const driftedCounters = defineQuery("drifted_counters", dayParams.extend({ settled: z.number() }), driftedRow);
const repairCounters = defineStatement(
  "repair_counters",
  dayParams.extend({ settled: z.number(), version: z.number() }),
);
const retellLevelEvents = defineStatement("retell_level_events", dayParams);
const driftedNodeCounters = defineQuery(
  "drifted_node_counters",
  dayParams.extend({ settled: z.number() }),
  driftedRow.extend({ kind: z.string(), node: z.string() }),
);
const repairNodeCounters = defineStatement(
  "repair_node_counters",
  dayParams.extend({ settled: z.number(), version: z.number() }),
);
const touchSessionsOfDay = defineStatement("touch_sessions_of_day", dayParams.extend({ batch: z.number() }));
const dayState = defineQuery("day_state", dayParams, z.object({ slots: z.string(), last_batch: z.coerce.number() }));

export interface Drift {
  organization: string;
  day: string;
  table: "usage_per_15m" | "node_usage_per_15m" | "level_slots";
  detail: string;
}

export interface Reconciliation {
  clickhouse: ClickHouse;
  deriver: LevelDeriver;
  sequence: Sequence;
  /** Batches up to it are settled and compared; later ones may be half way in. */
  settledBatch: number;
  log: Logger;
  nowMs: number;
}

/** Checks `recent` + `random` pairs and answers the drift that was found and repaired. */
export async function reconcileUsage(context: Reconciliation, recent = 5, random = 5): Promise<Drift[]> {
  const drifts: Drift[] = [];
  for (const pair of await reconcilableDays(context.clickhouse, { recent, random }))
    drifts.push(...(await reconcileDay(context, pair)));
  return drifts;
}

/** Checks one organization and UTC day ('YYYY-MM-DD'). */
export async function reconcileDay(
  context: Reconciliation,
  pair: { organization: string; day: string },
): Promise<Drift[]> {
  const drifts = [
    ...(await reconcileCounters(context, pair)),
    ...(await reconcileNodeCounters(context, pair)),
    ...(await reconcileLevels(context, pair)),
  ];
  for (const drift of drifts)
    context.log.error(drift, "drift between a rollup and the raw events was found and repaired");
  return drifts;
}

async function reconcileCounters(
  context: Reconciliation,
  pair: { organization: string; day: string },
): Promise<Drift[]> {
  const { clickhouse, sequence, settledBatch } = context;
  const drifted = await driftedCounters(clickhouse, { ...pair, settled: settledBatch });
  if (drifted.length === 0) return [];
  await repairCounters(clickhouse, { ...pair, settled: settledBatch, version: sequence.next() });
  return drifted.map((row) => ({ ...pair, table: "usage_per_15m", detail: differenceOf(row) }));
}

/** After the organizations' own counters, which it takes for right. */
async function reconcileNodeCounters(
  context: Reconciliation,
  pair: { organization: string; day: string },
): Promise<Drift[]> {
  const { clickhouse, sequence, settledBatch } = context;
  const drifted = await driftedNodeCounters(clickhouse, { ...pair, settled: settledBatch });
  if (drifted.length === 0) return [];
  await repairNodeCounters(clickhouse, { ...pair, settled: settledBatch, version: sequence.next() });
  return drifted.map((row) => ({
    ...pair,
    table: "node_usage_per_15m",
    detail: `${row.kind === "all" ? "all" : `${row.kind}:${row.node}`}: ${differenceOf(row)}`,
  }));
}

function differenceOf(row: z.output<typeof driftedRow>): string {
  return `${row.type} at ${new Date(row.bucket_ms).toISOString()}: ${row.found_events} events and ${row.found_amount} instead of ${row.expected_events} and ${row.expected_amount}`;
}

async function reconcileLevels(context: Reconciliation, pair: { organization: string; day: string }): Promise<Drift[]> {
  const { clickhouse, deriver, sequence } = context;
  const [before] = await dayState(clickhouse, pair);
  const batch = sequence.next();
  await retellLevelEvents(clickhouse, pair);
  await touchSessionsOfDay(clickhouse, { ...pair, batch });
  await deriver.derive([batch], context.nowMs, "everything");
  const [after] = await dayState(clickhouse, pair);
  // Events that arrived in between changed the slots for a good reason.
  if (!before || !after || before.last_batch !== after.last_batch || before.slots === after.slots) return [];
  return [{ ...pair, table: "level_slots", detail: "slots of the day differed from those derived from its events" }];
}
