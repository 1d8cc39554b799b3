/** Which range stands beside the one shown, as people call it and as the address says it; pure. */
import type { Comparison } from "@contract/usage-question.ts";

export const comparisons = ["previous", "year"] as const satisfies readonly Comparison["to"][];

/** What the address says of it; undefined values are left out of it. */
export function formatComparison(comparison: Comparison | undefined): Record<"compare" | "match", string | undefined> {
  return {
    compare: comparison?.to,
    match: comparison && !comparison.byWeekday ? "date" : undefined,
  };
}
