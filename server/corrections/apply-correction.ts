/**
 * Carries a correction into storage: the row that no longer counts, the row that takes its place, and everything derived from
 * them. Doing it again writes the same, so a crash anywhere in between is healed by that. Nothing else may be stored or derived
 * meanwhile (FlushLoop.exclusive).
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineInsert, defineStatement } from "../clickhouse/define-query.ts";
import type { EventRow } from "../clickhouse/event-columns.ts";
import { storedId } from "../ingest/accept/event-identity.ts";
import type { LevelMaterializer } from "../rollups/derive-levels.ts";
import { rebuildIntervals } from "../rollups/reinsert-intervals.ts";

const batches = z.object({ batches: z.array(z.number()) });
const storeCorrectedEvents = defineInsert("store_corrected_events", z.object({ batch: z.number(), sign: z.number() }));
const markCorrectedIntervals = defineStatement("mark_corrected_intervals", batches);

export interface StorableCorrection {
  before: EventRow;
  voidBatch: number;
  /** Undefined: the event is voided. */
  after: EventRow | undefined;
  /** Larger than `voidBatch`, so that of one key the amended row stands. */
  amendBatch: number | undefined;
}

/** Answers the nodes whose levels may have changed. */
export async function applyCorrection(
  { clickhouse, materializer }: { clickhouse: ClickHouse; materializer: LevelMaterializer },
  { before, voidBatch, after, amendBatch }: StorableCorrection,
  nowMs: number,
): Promise<ReadonlySet<string>> {
  const body = ({ source, ...row }: EventRow) => [
    Buffer.from(JSON.stringify({ ...row, id: storedId({ id: row.id, source }) })),
  ];
  await storeCorrectedEvents(clickhouse, body(before), { batch: voidBatch, sign: -1 });
  if (after && amendBatch !== undefined)
    await storeCorrectedEvents(clickhouse, body(after), { batch: amendBatch, sign: 1 });
  if (before.level === "" && (after?.level ?? "") === "") return new Set();
  const batches = amendBatch === undefined ? [voidBatch] : [voidBatch, amendBatch];
  const { changedNodes } = await materializer.derive(batches, nowMs, "changes", async () => {
    await markCorrectedIntervals(clickhouse, { batches });
    await rebuildIntervals(clickhouse, batches);
  });
  return changedNodes;
}
