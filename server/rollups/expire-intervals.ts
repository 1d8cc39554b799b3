/** The job intervals-expire: ends open intervals that have been silent for longer than their timeout. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineStatement } from "../clickhouse/define-query.ts";
import type { Sequence } from "../ingest/log/sequence.ts";
import type { Derivation, Derive } from "./derive-levels.ts";

const markExpiredSessions = defineStatement("mark_expired_sessions", z.object({ batch: z.number(), now: z.number() }));

/** Returns what was derived anew; idempotent, and harmless when it comes late: an interval ends at its last sign of life. */
export async function expireIntervals(
  clickhouse: ClickHouse,
  derive: Derive,
  sequence: Sequence,
  nowMs: number,
): Promise<Derivation | undefined> {
  const batch = sequence.next();
  const { writtenRows } = await markExpiredSessions(clickhouse, { batch, now: nowMs });
  return writtenRows > 0 ? await derive([batch], nowMs, "changes") : undefined;
}
