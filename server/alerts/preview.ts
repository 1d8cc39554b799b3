/** What a rule would have reported in a span of the past: the same evaluation, over what is stored now. */
import { measureSpan } from "../billing/measure-span.ts";
import { metersOfQuotas, type PeriodSource, readPeriod } from "../billing/period.ts";
import { hasReached } from "../billing/quota-status.ts";
import { reachedAt } from "../billing/reached-at.ts";
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
    default:
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
    default:
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
  const period = await readPeriod(source, node, Math.min(cycles, 24), toMs - 1);
  const crossings: Would[] = [];
  const seen = new Set<string>();
  for (const cycle of [period, ...period.past]) {
    const { counted, quotas } = cycle;
    // A trial is the span of every cycle that it reaches into.
    if (!counted || seen.has(counted.from)) continue;
    seen.add(counted.from);
    if (Date.parse(counted.to) <= fromMs || Date.parse(counted.from) >= toMs) continue;
    const counts = { fromMs: Date.parse(counted.from), toMs: Math.min(Date.parse(counted.to), toMs), tz: period.tz };
    const meters = await metersOfQuotas(source, cycle);
    for (const quota of quotas) {
      const meter = meters.get(quota.feature);
      if (meter && (condition.feature === null || condition.feature === quota.feature))
        crossings.push(...(await crossingsOf(source, condition, node, { ...quota, measuredBy: meter }, counts)));
    }
  }
  const within = crossings.filter(({ at }) => Date.parse(at) >= fromMs && Date.parse(at) < toMs);
  return within.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** Thresholds that one step crosses make one entry, which names the highest. */
async function crossingsOf(
  source: PeriodSource,
  condition: ConditionOf<"quota">,
  node: NodeAddress,
  quota: Quota & { measuredBy: Meter },
  span: Span & { tz: string },
): Promise<Would[]> {
  const { feature, meter: name, measuredBy: meter, limit, used, unit } = quota;
  if (limit === null) return [];
  const byInstant = new Map<number, Would>();
  const percents = condition.thresholds ?? quota.thresholds.map(({ percent }) => percent);
  for (const threshold of [...percents].sort((a, b) => a - b)) {
    if (!hasReached(used, limit, threshold)) continue;
    const share = times(exact(limit), times(exact(threshold), ratio(1, 100)));
    const amount = trimDecimal(roundHalfEven(share, 9));
    const reachedMs = await reachedAt(source, node, { meter, limit: amount }, span, span.toMs);
    if (reachedMs === undefined) continue;
    const explanation = `${meter.title}: ${threshold} % of ${amountText(limit, unit)} reached.`;
    const at = new Date(reachedMs).toISOString();
    byInstant.set(reachedMs, { node, at, value: amount, limit, threshold, feature, meter: name, explanation });
  }
  const tz = span.tz;
  for (const [reachedMs, one] of byInstant) {
    const until = { fromMs: span.fromMs, toMs: reachedMs + 1, window: "total" as const, tz };
    const measured = await measureSpan(source, node, [meter], until, span.toMs);
    one.value = String(measured.get(name)?.total ?? one.value);
  }
  return [...byInstant.values()];
}
