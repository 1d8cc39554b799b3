/**
 * Writes the rows of `intervals` again from the events that count. The caller has marked the sessions as dirty (their table
 * is named `touched_sessions`), and lets nothing be stored or derived meanwhile.
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineStatement } from "../clickhouse/define-query.ts";

const batches = z.object({ batches: z.array(z.number()) });
const forgetDirtyIntervals = defineStatement("forget_dirty_intervals", batches);
const forgetDirtyIntervalSessions = defineStatement("forget_dirty_interval_sessions", batches);
const reinsertDirtyEvents = defineStatement("reinsert_dirty_events", batches);

/** Restores missing rows; surplus ones stay. */
export async function reinsertIntervals(clickhouse: ClickHouse, batches: number[]): Promise<void> {
  await reinsertDirtyEvents(clickhouse, { batches });
}

/**
 * Leaves exactly what the counting events say, which `reinsert` writes. A crash half way leaves less than that, until it is done
 * again.
 */
export async function rebuildIntervals(
  clickhouse: ClickHouse,
  batches: number[],
  reinsert: () => Promise<unknown> = () => reinsertIntervals(clickhouse, batches),
): Promise<void> {
  await forgetDirtyIntervals(clickhouse, { batches });
  await forgetDirtyIntervalSessions(clickhouse, { batches });
  await reinsert();
}
