/** From the first usage on: what "all" is of. */
import type { Range } from "@contract/ranges.ts";
import type { UsageQuestion } from "@contract/usage-question.ts";
import { readUsage } from "../api/usage.ts";

/** No event may be older. */
export const firstDay = "2000-01-01";

/**
 * The range that has all usage of what is asked, from the start of the month with the first one until now, and goes on with
 * the clock; undefined where there is none. Throws ApiError.
 */
export async function wholeRange({ meters, node, tz, filters }: UsageQuestion): Promise<Range | undefined> {
  const asked = { meters, node, tz, filters, from: firstDay, to: "now", window: "month", fill: "null" } as const;
  const starts = (await readUsage(asked)).meters.flatMap(({ series }) => {
    const first = series.find(({ value }) => Number(value ?? 0) !== 0);
    return first ? [Date.parse(first.start)] : [];
  });
  if (starts.length === 0) return undefined;
  return { preset: "exact", from: new Date(Math.min(...starts)).toISOString(), to: "now" };
}
