/** What a rule would have reported in a span of the past: the same evaluation, over what is stored now. */
import { type MeasureOne, measuringTogether } from "../billing/measure-together.ts";
import { metersOfQuotas, type PeriodSource, readPeriod } from "../billing/period.ts";
import { hasReached } from "../billing/quota-status.ts";
import { reachedBy } from "../billing/reached-at.ts";
import type { Meter } from "../catalog/meter.ts";
import { hourMs } from "../contract/durations.ts";
import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Quota } from "../contract/quotas.ts";
import type { Condition, ConditionOf } from "../contract/rules.ts";
import { exact, ratio, roundHalfEven, times } from "../numbers/exact.ts";
import { trimDecimal } from "../numbers/figures.ts";
import type { Would } from "./preview-entry.ts";
import { previewLowUsage } from "./preview-low-usage.ts";
import { previewSilence } from "./preview-silence.ts";
import { previewThreshold } from "./preview-threshold.ts";
import { previewUnusual } from "./preview-unusual.ts";
import { amountText } from "./wording.ts";

interface Span {
  fromMs: number;
  toMs: number;
}

/**
 * Whether the past of what the rule is about is kept: not for the service itself, nor for bills, nor what was projected then. When
 * something was sent is known for each organization and agent.
 */
export function hasPast(condition: Condition, node: NodeAddress): boolean {
  switch (condition.kind) {
    case "system":
    case "customers":
    case "billing":
      return false;
    case "quota":
      return condition.on === "used";
    case "no_data":
      return ["organization", "agent"].includes(parseNode(node).kind);
    case "threshold":
    case "unusual":
    case "low_usage":
      return true;
  }
}

/** What the rule would have done at one node, in order of time. Throws TooManyReadingsError. */
export async function previewAt(
  source: PeriodSource,
  condition: Condition,
  node: NodeAddress,
  span: Span,
): Promise<Would[]> {
  switch (condition.kind) {
    case "quota":
      return await previewQuota(source, condition, node, span);
    case "threshold":
      return await previewThreshold(source, condition, node, span);
    case "unusual":
      return await previewUnusual(source, condition, node, span);
    case "low_usage":
      return await previewLowUsage(source, condition, node, span);
    case "no_data":
      return await previewSilence(source, condition, node, span);
    case "system":
    case "customers":
    case "billing":
      return [];
  }
}

async function previewQuota(
  source: PeriodSource,
  condition: ConditionOf<"quota">,
  node: NodeAddress,
  { fromMs, toMs }: Span,
): Promise<Would[]> {
  // Past projections of cycles are not kept.
  if (condition.on === "projected") return [];
  const cycles = Math.ceil((toMs - fromMs) / (28 * 24 * hourMs)) + 1;
  const period = await readPeriod(source, node, Math.min(cycles, 24), toMs - 1, { hasForecast: false });
  const measureOne = measuringTogether(source, node, toMs);
  const seen = new Set<string>();
  // A trial is the span of every cycle that it reaches into.
  const spans = [period, ...period.past].filter(({ counted }) => {
    if (!counted || seen.has(counted.from)) return false;
    seen.add(counted.from);
    return Date.parse(counted.to) > fromMs && Date.parse(counted.from) < toMs;
  });
  const crossings = await Promise.all(
    spans.map(async (cycle) => {
      const { counted, quotas } = cycle;
      const [from = "", to = ""] = [counted?.from, counted?.to];
      const counts = { fromMs: Date.parse(from), toMs: Math.min(Date.parse(to), toMs), tz: period.tz };
      const meters = await metersOfQuotas(source, cycle);
      const asked = quotas.flatMap((quota) => {
        const measuredBy = meters.get(quota.feature);
        const isAsked = condition.feature === null || condition.feature === quota.feature;
        return measuredBy && isAsked ? [{ ...quota, measuredBy }] : [];
      });
      return await Promise.all(asked.map((quota) => crossingsOf(measureOne, condition, node, quota, counts)));
    }),
  );
  const within = crossings.flat(2).filter(({ at }) => Date.parse(at) >= fromMs && Date.parse(at) < toMs);
  return within.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** Thresholds that one step crosses make one entry, which names the highest. */
async function crossingsOf(
  measureOne: MeasureOne,
  condition: ConditionOf<"quota">,
  node: NodeAddress,
  quota: Quota & { measuredBy: Meter },
  span: Span & { tz: string },
): Promise<Would[]> {
  const { feature, meter: name, measuredBy: meter, limit, used, unit } = quota;
  if (limit === null) return [];
  const percents = condition.thresholds ?? quota.thresholds.map(({ percent }) => percent);
  const reached = await Promise.all(
    percents
      .filter((threshold) => hasReached(used, limit, threshold))
      .sort((a, b) => a - b)
      .map(async (threshold) => {
        const share = times(exact(limit), times(exact(threshold), ratio(1, 100)));
        const amount = trimDecimal(roundHalfEven(share, 9));
        return { threshold, amount, ms: await reachedBy(measureOne, { meter, limit: amount }, span, span.toMs) };
      }),
  );
  const highest = new Map(reached.flatMap((one) => (one.ms === undefined ? [] : [[one.ms, one] as const])));
  return await Promise.all(
    [...highest].map(async ([ms, { threshold, amount }]): Promise<Would> => {
      const until = { fromMs: span.fromMs, toMs: ms + 1, window: "total" as const, tz: span.tz };
      const value = String((await measureOne(meter, until))?.total ?? amount);
      const explanation = `${meter.title}: ${threshold}% of ${amountText(limit, unit)} reached.`;
      return { node, at: new Date(ms).toISOString(), value, limit, threshold, feature, meter: name, explanation };
    }),
  );
}
