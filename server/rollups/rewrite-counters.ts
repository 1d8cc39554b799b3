/**
 * Rewrites counters from the events that they count, whatever they say now. The caller lets nothing be stored meanwhile
 * (FlushLoop.exclusive); doing it again writes the same.
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineStatement } from "../clickhouse/define-query.ts";
import type { Sequence } from "../ingest/log/sequence.ts";

const params = z.object({ organizations: z.array(z.string()), day: z.string(), version: z.number() });
const repairCounters = defineStatement("repair_counters", params);
const repairNodeCounters = defineStatement("repair_node_counters", params);

/** Rewrites the counters of organizations on one UTC day ('YYYY-MM-DD') from their events. */
export async function rewriteCounters(
  clickhouse: ClickHouse,
  organizations: readonly string[],
  day: string,
  sequence: Sequence,
): Promise<void> {
  await repairCounters(clickhouse, { organizations: [...organizations], day, version: sequence.next() });
}

/** Rewrites the counters of the nodes that the organizations have or had above them that day, from those of organizations. */
export async function rewriteNodeCounters(
  clickhouse: ClickHouse,
  organizations: readonly string[],
  day: string,
  sequence: Sequence,
): Promise<void> {
  await repairNodeCounters(clickhouse, { organizations: [...organizations], day, version: sequence.next() });
}
