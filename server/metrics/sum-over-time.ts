import type { MeterRule } from "../catalog/meter.ts";

/**
 * Whether the figure of a span is the sum of the figures of its parts, so that it grows while time passes and has a pace.
 * A peak, a level, a distinct count or an average has none.
 */
export function isSumOverTime(rule: MeterRule): boolean {
  switch (rule.kind) {
    case "minutes":
    case "starts":
    case "count":
    case "sum":
      return true;
    case "events":
      return rule.aggregation === "sum" || rule.aggregation === "count";
    default:
      return false;
  }
}
