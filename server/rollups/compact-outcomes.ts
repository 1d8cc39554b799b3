/** The job ingest-outcomes-compact: folds the outcomes of closed hours, of which each batch wrote rows of its own. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { hourMs, minuteMs } from "../contract/durations.ts";
import type { Sequence } from "../ingest/log/sequence.ts";
import { maxPartRows } from "./compact-usage.ts";

const compactableOutcomes = defineQuery(
  "compactable_outcomes",
  z.object({ before_ms: z.number(), settled: z.number(), most: z.number() }),
  z.object({ hour_ms: numberColumn, part_rows: numberColumn }),
);
const compactOutcomes = defineStatement(
  "compact_outcomes",
  z.object({ from_ms: z.number(), to_ms: z.number(), settled: z.number(), version: z.number() }),
);

const maxHours = 1_000;

/** Returns how many rows of parts were folded. `settledBatch`: batches up to it will never be sent again. */
export async function compactIngestOutcomes(
  clickhouse: ClickHouse,
  sequence: Sequence,
  settledBatch: number,
  nowMs: number,
): Promise<{ foldedRows: number }> {
  let foldedRows = 0;
  const hours = await compactableOutcomes(clickhouse, { before_ms: nowMs, settled: settledBatch, most: maxHours });
  for (const { hour_ms, part_rows } of hours) {
    const steps = Math.min(60, Math.ceil(part_rows / maxPartRows));
    const stepMs = Math.ceil(60 / steps) * minuteMs;
    for (let fromMs = hour_ms; fromMs < hour_ms + hourMs; fromMs += stepMs) {
      const toMs = Math.min(fromMs + stepMs, hour_ms + hourMs);
      const version = sequence.next();
      await compactOutcomes(clickhouse, { from_ms: fromMs, to_ms: toMs, settled: settledBatch, version });
    }
    foldedRows += part_rows;
  }
  return { foldedRows };
}
