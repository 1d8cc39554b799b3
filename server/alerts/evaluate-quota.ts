/** Quotas: which thresholds of which limits are reached. Pure: the figures come from where every page has them. */

import { hasReached, percentUsed } from "../billing/quota-status.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { percentText } from "../contract/percent-text.ts";
import type { ConditionOf } from "../contract/rules.ts";
import type { Finding } from "./finding.ts";
import { amountText, numberText } from "./wording.ts";

export interface LimitedUse {
  feature: string;
  meter: string;
  /** The meter's name, as people know it. */
  title: string;
  unit: string;
  /** Percents that the plan gives the feature. */
  thresholds: readonly number[];
  /** What is used, or projected. Undefined: nothing can be said. */
  figure: string | undefined;
  limit: string | null;
}

/** `period`: what the figures are counted in. */
export function evaluateQuota(
  condition: ConditionOf<"quota">,
  node: NodeAddress,
  features: readonly LimitedUse[],
  period: { startMs: number; endMs: number },
): Finding[] {
  const asked = features.filter(({ feature }) => condition.feature === null || condition.feature === feature);
  return asked.flatMap((one) =>
    [...new Set(condition.thresholds ?? one.thresholds)].map((threshold): Finding => {
      const { feature, meter, title, unit, figure, limit } = one;
      const percent = figure === undefined || limit === null ? null : percentUsed(figure, limit);
      const holds = figure !== undefined && limit !== null && hasReached(figure, limit, threshold);
      return {
        node,
        feature,
        meter,
        threshold,
        period,
        subject: `${feature} ${threshold}`,
        once: `${feature} ${threshold} ${period.startMs}${condition.on === "projected" ? " projected" : ""}`,
        value: figure,
        limit: limit ?? undefined,
        percent: percent ?? undefined,
        finding: figure === undefined ? "unknown" : holds ? "holds" : "clears",
        explanation: explain(condition.on, { title, unit, figure, limit, percent, threshold }),
      };
    }),
  );
}

function explain(
  on: "used" | "projected",
  about: {
    title: string;
    unit: string;
    figure: string | undefined;
    limit: string | null;
    percent: string | null;
    threshold: number;
  },
): string {
  const { title, unit, figure, limit, percent, threshold } = about;
  if (figure === undefined) return `${title}: no data yet.`;
  const verb = on === "used" ? "used" : "projected by the end of the cycle";
  if (limit === null) return `${title}: ${amountText(figure, unit)} ${verb}; there is no limit now.`;
  const share = percent === null ? "" : `, ${percentText(percent)} of the limit`;
  return `${title}: ${numberText(figure)} of ${amountText(limit, unit)} ${verb}${share}; alert at ${threshold}%.`;
}
