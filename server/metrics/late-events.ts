/** On which days events came long after their time: what changed figures of days that were over. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { dayMs } from "../contract/durations.ts";
import { type LatenessReason, latenessBounds } from "../contract/ingest-health.ts";
import { nodeFilter, nodeParams } from "./node-filter.ts";
import type { Window } from "./windows.ts";

const lateReceipts = defineQuery(
  "late_receipts",
  nodeParams.extend({
    from_ms: z.number(),
    to_ms: z.number(),
    bounds: z.array(z.number()),
    reasons: z.array(z.string()),
  }),
  z.object({ window_ms: numberColumn, events: numberColumn }),
);

const reasons: LatenessReason[] = latenessBounds.filter(({ fromMs }) => fromMs >= dayMs).map(({ reason }) => reason);

/** How many events came in each of the windows, which follow each other, a day or more after their time; by where they start, those with any. */
export async function countLateEvents(
  clickhouse: ClickHouse,
  node: string,
  windows: readonly Window[],
): Promise<Map<number, number>> {
  const [first, last] = [windows[0], windows.at(-1)];
  if (!first || !last) return new Map();
  const rows = await lateReceipts(clickhouse, {
    ...nodeFilter(node),
    from_ms: first.startMs,
    to_ms: last.endMs,
    bounds: windows.map(({ startMs }) => startMs),
    reasons,
  });
  return new Map(rows.map(({ window_ms: startMs, events }) => [startMs, events]));
}
