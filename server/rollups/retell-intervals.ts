/**
 * What events say about intervals, told once more. The caller has marked in `touched_sessions` whose, and lets nothing be
 * stored or derived meanwhile.
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineStatement } from "../clickhouse/define-query.ts";

const batches = z.object({ batches: z.array(z.number()) });
const forgetTouchedIntervals = defineStatement("forget_touched_intervals", batches);
const forgetTouchedPlaces = defineStatement("forget_touched_places", batches);
const retellTouchedEvents = defineStatement("retell_touched_events", batches);

/** Restores what is missing; what is there too much stays. */
export async function retellIntervals(clickhouse: ClickHouse, touched: number[]): Promise<void> {
  await retellTouchedEvents(clickhouse, { batches: touched });
}

/** Leaves nothing but what the events that count say. A crash half way leaves less than that, until it is done again. */
export async function retellIntervalsAnew(clickhouse: ClickHouse, touched: number[]): Promise<void> {
  await forgetTouchedIntervals(clickhouse, { batches: touched });
  await forgetTouchedPlaces(clickhouse, { batches: touched });
  await retellTouchedEvents(clickhouse, { batches: touched });
}
