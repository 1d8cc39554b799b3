/** Which range stands beside the one shown, as the address says it and as people call it; pure. */
import type { Comparison } from "../api/usage.ts";

export const comparisons = [
  { to: "previous", label: "The period before", name: "period before" },
  { to: "year", label: "A year before", name: "year before" },
] as const satisfies readonly { to: Comparison["to"]; label: string; name: string }[];

/** From the address: `compare=previous` or `year`, with `match=date` where weekdays may differ. */
export function parseComparison(to: string | undefined, match: string | undefined): Comparison | undefined {
  const known = comparisons.find((one) => one.to === to);
  return known && { to: known.to, byWeekday: match !== "date" };
}

/** What the address says of it; undefined values are left out of it. */
export function formatComparison(comparison: Comparison | undefined): Record<"compare" | "match", string | undefined> {
  return {
    compare: comparison?.to,
    match: comparison && !comparison.byWeekday ? "date" : undefined,
  };
}
