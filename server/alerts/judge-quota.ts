/** Quotas: which thresholds of which limits are reached. Pure: the figures come from where every page has them. */

import { hasReached, percentUsed } from "../billing/quota-status.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import type { Judged } from "./judged.ts";

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
export function judgeQuota(
  condition: ConditionOf<"quota">,
  node: NodeAddress,
  features: readonly LimitedUse[],
  period: { startMs: number; endMs: number },
): Judged[] {
  const asked = features.filter(({ feature }) => condition.feature === null || condition.feature === feature);
  return asked.flatMap((one) =>
    [...new Set(condition.thresholds ?? one.thresholds)].map((threshold): Judged => {
      const { feature, meter, title, unit, figure, limit } = one;
      const percent = figure === undefined || limit === null ? null : percentUsed(figure, limit);
      const holds = figure !== undefined && limit !== null && hasReached(figure, limit, threshold);
      return {
        ...{ node, feature, meter, threshold, period },
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
  if (figure === undefined) return `${title}: nothing can be said yet.`;
  if (limit === null) return `${title}: there is no limit now; ${figure} ${unit} are used.`;
  const share = percent === null ? "" : `${percent} % of the limit: `;
  const verb = on === "used" ? "used" : "expected by the end of the cycle";
  return `${title}: ${share}${figure} of ${limit} ${unit} ${verb}; notified from ${threshold} % on.`;
}
