/** Which range stands beside the one shown, as people call it and as the address says it; pure. */
import type { Comparison } from "@contract/usage-question.ts";

export const comparisons = [
  { to: "previous", label: "The period before", name: "period before" },
  { to: "year", label: "A year before", name: "year before" },
] as const satisfies readonly { to: Comparison["to"]; label: string; name: string }[];

/** What the address says of it; undefined values are left out of it. */
export function formatComparison(comparison: Comparison | undefined): Record<"compare" | "match", string | undefined> {
  return {
    compare: comparison?.to,
    match: comparison && !comparison.byWeekday ? "date" : undefined,
  };
}
