/** A figure against a bound, with a bound of its own to resolve at. Pure. */
import type { Meter } from "../catalog/meter.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import { compareDecimals } from "../numbers/figures.ts";
import type { Finding } from "./finding.ts";
import type { Reading } from "./next-state.ts";
import { amountText, numberText } from "./wording.ts";

/** `figure` of the condition's window; null where there is none. */
export function evaluateThreshold(
  condition: ConditionOf<"threshold">,
  node: NodeAddress,
  figure: string | null,
  { title, unit }: Pick<Meter, "title" | "unit">,
): Finding {
  const { meter, window, above, below } = condition;
  const bound = above ?? below ?? "0";
  const side = above !== undefined ? "above" : "below";
  const spans = { "1m": "minute", "5m": "5 minutes", "15m": "15 minutes", "1h": "hour", day: "day", cycle: "cycle" };
  const span = window === "day" || window === "cycle" ? `in this ${spans[window]}` : `in the last ${spans[window]}`;
  return {
    node,
    meter,
    subject: "",
    once: null,
    threshold: bound,
    value: figure ?? undefined,
    limit: bound,
    finding: figure === null ? "unknown" : findingOf(condition, figure),
    explanation:
      figure === null
        ? `${title}: no data ${span}.`
        : `${title}: ${amountText(figure, unit)} ${span}; alert ${side} ${numberText(bound)}.`,
  };
}

export function findingOf(
  { above, below, resolve_at }: Pick<ConditionOf<"threshold">, "above" | "below" | "resolve_at">,
  figure: string,
): Reading["finding"] {
  if (above !== undefined) {
    if (compareDecimals(figure, above) > 0) return "holds";
    return resolve_at === undefined || compareDecimals(figure, resolve_at) <= 0 ? "clears" : "between";
  }
  if (below !== undefined && compareDecimals(figure, below) < 0) return "holds";
  return resolve_at === undefined || compareDecimals(figure, resolve_at) >= 0 ? "clears" : "between";
}
