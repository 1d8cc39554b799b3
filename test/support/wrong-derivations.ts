/** What was derived of an organization, beside what storage would derive now. */
import { type StageComparison, stageComparisons } from "../../server/rollups/compare-stages.ts";
import { expireIntervals } from "../../server/rollups/expire-intervals.ts";
import type { Ingesting } from "./ingesting.ts";

/** What memory holds, and what was written from it, where it is not what storage has and would derive now. */
export async function wrongDerivations(ingesting: Ingesting, organization: string, nowMs: number): Promise<unknown[]> {
  const { store, sequence, materializer } = ingesting;
  // An interval that has timed out and was not ended yet is right.
  await expireIntervals(store.clickhouse, materializer.derive, sequence, nowMs);
  const batch = sequence.next();
  await store.clickhouse.command(
    `INSERT INTO touched_sessions (batch, organization, session, level, interval)
    SELECT DISTINCT {batch:UInt64}, organization, session, if(session = '', level, ''), if(session = '', intervals.interval, '')
    FROM intervals WHERE organization = {organization:String}`,
    { batch, organization },
  );
  const { differences } = await materializer.derive([batch], nowMs, "comparison");
  const comparison = { clickhouse: store.clickhouse, sequence, derive: materializer.derive, nowMs, settledBatch: 0 };
  const days = [...new Set([nowMs, nowMs - 15 * 60_000].map((ms) => new Date(ms).toISOString().slice(0, 10)))];
  const stages: StageComparison[] = [stageComparisons.presences, stageComparisons.edges];
  const whole = { ...comparison, changedNodes: new Set<string>(), dirtyBatch: batch };
  const found = await Promise.all(
    days.flatMap((day) => [
      ...stages.map((stage) => stage.compare(whole, { organization, day })),
      stageComparisons.slots.compare(whole, { organization: "", day }),
    ]),
  );
  return [...differences, ...found.flat()];
}
