/** The job usage-compact: folds the counters of closed hours, so that reading years costs only as much as they contain. */

import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { hourMs } from "../contract/durations.ts";
import type { Sequence } from "../ingest/log/sequence.ts";

const hoursParams = z.object({ before_ms: z.number(), settled: z.number(), most: z.number() });
const hourRow = z.object({ hour_ms: numberColumn, part_rows: numberColumn });
const foldParams = z.object({ hours: z.array(z.number()), settled: z.number(), version: z.number() });

/** The tables of counters, which are folded alike. */
const counters = [
  {
    compactableHours: defineQuery("compactable_hours", hoursParams, hourRow),
    compactHours: defineStatement("compact_hours", foldParams),
  },
  {
    compactableHours: defineQuery("compactable_node_hours", hoursParams, hourRow),
    compactHours: defineStatement("compact_node_hours", foldParams),
  },
];

/** Stays below one block of an INSERT, which is what is stored whole or not at all: each part gives up to two rows. */
export const maxPartRows = 400_000;
const maxHours = 5_000;
/** An hour is closed for this long before it is folded; later events of it are folded the next time. */
const closedForMs = hourMs;

/** Returns how many rows of parts were folded. `settledBatch`: batches up to it will never be sent again. */
export async function compactUsage(
  clickhouse: ClickHouse,
  sequence: Sequence,
  settledBatch: number,
  nowMs: number,
): Promise<{ foldedRows: number }> {
  let foldedRows = 0;
  for (const { compactableHours, compactHours } of counters)
    for (;;) {
      const hours = await compactableHours(clickhouse, {
        before_ms: nowMs - closedForMs,
        settled: settledBatch,
        most: maxHours,
      });
      const group = firstGroup(hours);
      if (group.length === 0) break;
      await compactHours(clickhouse, {
        hours: group.map((hour) => hour.hour_ms),
        settled: settledBatch,
        version: sequence.next(),
      });
      foldedRows += group.reduce((sum, hour) => sum + hour.part_rows, 0);
    }
  return { foldedRows };
}

/** The first hours of one year that fit into one block; an hour beyond that alone is left as it is. */
function firstGroup(hours: readonly { hour_ms: number; part_rows: number }[]) {
  const small = hours.filter((hour) => hour.part_rows <= maxPartRows);
  const year = (ms: number) => new Date(ms).getUTCFullYear();
  const group: { hour_ms: number; part_rows: number }[] = [];
  let rows = 0;
  for (const hour of small) {
    if (group[0] && year(hour.hour_ms) !== year(group[0].hour_ms)) break;
    if (rows + hour.part_rows > maxPartRows) break;
    rows += hour.part_rows;
    group.push(hour);
  }
  return group;
}
