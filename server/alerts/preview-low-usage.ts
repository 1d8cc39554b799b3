/** When little would have been used: in each span that counts against limits, from its days on, by what the rule reads then. */
import { measureSpans } from "../billing/measure-span.ts";
import { type PeriodSource, readPeriod } from "../billing/period.ts";
import type { Meter } from "../catalog/meter.ts";
import { isSumOverTime, traitsOf } from "../catalog/rule-traits.ts";
import { dayMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import { sumDecimals } from "../numbers/figures.ts";
import { isLowUsage, usualOfPast } from "./evaluate-low-usage.ts";
import type { Finding } from "./finding.ts";
import { type NotifyingSpan, notifyingSpansOf } from "./notifying-spans.ts";
import { type Would, wouldOf } from "./preview-entry.ts";
import { evenWindows, quarterMs } from "./read-history.ts";
import { comparedSpans, meterOfLowUsage, readLowUsage } from "./read-usage.ts";

const maxTried = 40;

/**
 * The first instant of each span that counts by itself at which little was used: to the quarter of an hour for what adds up over time, to the day
 * for other figures that may shrink. What the rule said before the span is not among it. `span`: ms since 1970, UTC.
 */
export async function previewLowUsage(
  source: PeriodSource,
  condition: ConditionOf<"low_usage">,
  node: NodeAddress,
  span: { fromMs: number; toMs: number },
): Promise<Would[]> {
  const would: Would[] = [];
  const said = new Set<number>();
  for (const within of await notifyingSpansOf(source, node, span)) {
    if (said.has(within.startMs)) continue;
    const first = await firstLow(source, condition, node, within);
    if (!first) continue;
    said.add(within.startMs);
    if (first.atMs >= span.fromMs) would.push(wouldOf(first.finding, first.atMs));
  }
  return would;
}

async function firstLow(
  source: PeriodSource,
  condition: ConditionOf<"low_usage">,
  node: NodeAddress,
  within: NotifyingSpan,
): Promise<{ atMs: number; finding: Finding } | undefined> {
  const firstMs = Math.max(within.fromMs, within.startMs + condition.after_days * dayMs);
  if (firstMs >= within.toMs) return undefined;
  const foundAt = async (atMs: number) => {
    const [finding] = await readLowUsage(source, condition, node, atMs);
    return finding && { atMs, finding };
  };
  const first = await foundAt(firstMs);
  if (first?.finding.finding === "holds") return first;
  const later = await laterInstants(source, condition, node, { ...within, fromMs: firstMs }, first?.finding);
  // What windows come to is rounded for each of them: the rule's own figure says whether it is so.
  for (const atMs of later.slice(0, maxTried)) {
    const found = await foundAt(atMs);
    if (found?.finding.finding === "holds") return found;
  }
  return undefined;
}

/** Where little may have come to be used after it was first evaluated, in order. */
async function laterInstants(
  source: PeriodSource,
  condition: ConditionOf<"low_usage">,
  node: NodeAddress,
  within: NotifyingSpan,
  first: Finding | undefined,
): Promise<number[]> {
  const lastMs = within.toMs - 1;
  // What has no limit when it is first evaluated has none in the whole span.
  if (condition.of === "plan" && !first) return [];
  const period = await readPeriod(source, node, 0, lastMs);
  const { meter } = await meterOfLowUsage(source, condition, period, lastMs);
  if (!meter) return [];
  if (isSumOverTime(meter.rule)) {
    const quarters = { source, condition, meter, node, within };
    return condition.of === "plan" ? await belowLimit(quarters, first?.limit) : await belowPast(quarters);
  }
  if (traitsOf(meter.rule).grows && condition.of === "plan") return [];
  const days = Math.floor((lastMs - within.fromMs) / dayMs);
  return Array.from({ length: days }, (_, day) => within.fromMs + (day + 1) * dayMs);
}

interface Quarters {
  source: PeriodSource;
  condition: ConditionOf<"low_usage">;
  meter: Meter;
  node: NodeAddress;
  within: NotifyingSpan;
}

async function belowLimit(quarters: Quarters, limit: string | undefined): Promise<number[]> {
  const { condition, within } = quarters;
  const { startMs, fromMs, toMs } = within;
  if (limit === undefined) return [];
  const [used = []] = await usedByQuarter(quarters, [{ fromMs: startMs, toMs }]);
  return quartersBetween(startMs, { fromMs, toMs }).filter((atMs) =>
    isLowUsage(used[(atMs - startMs) / quarterMs] ?? "0", limit, condition.below_percent),
  );
}

async function belowPast(quarters: Quarters): Promise<number[]> {
  const { condition, within } = quarters;
  const { fromMs, toMs } = within;
  const found: number[] = [];
  for (let untilMs = toMs; untilMs > fromMs; ) {
    const spans = comparedSpans(within, untilMs - 1);
    const startMs = spans[0]?.fromMs ?? fromMs;
    const [own = [], ...past] = await usedByQuarter(quarters, spans);
    const piece = { fromMs: Math.max(fromMs, startMs), toMs: untilMs };
    const low = quartersBetween(startMs, piece).filter((atMs) => {
      const at = (used: readonly string[]) => used[Math.min((atMs - startMs) / quarterMs, used.length - 1)] ?? "0";
      const usual = usualOfPast(past.map(at));
      return usual !== undefined && isLowUsage(at(own), usual, condition.below_percent);
    });
    found.unshift(...low);
    untilMs = startMs;
  }
  return found;
}

/** For each span what was used by the end of each quarter of an hour, from none on. */
async function usedByQuarter(
  { source, meter, node, within }: Quarters,
  spans: readonly { fromMs: number; toMs: number }[],
): Promise<string[][]> {
  const asked = spans.map(({ fromMs, toMs }) => {
    const windows = evenWindows(fromMs, toMs, quarterMs);
    return { meters: [meter], fromMs, toMs, window: "total" as const, windows, tz: within.tz };
  });
  const measured = await measureSpans(source, node, asked, within.toMs);
  return measured.map((usage) => {
    const sums = ["0"];
    for (const { value } of usage.get(meter.meter)?.series ?? [])
      sums.push(sumDecimals([sums.at(-1) ?? "0", String(value ?? 0)]));
    return sums;
  });
}

/** After `fromMs`, in steps from `startMs`. */
function quartersBetween(startMs: number, { fromMs, toMs }: { fromMs: number; toMs: number }): number[] {
  const found: number[] = [];
  for (let ms = startMs; ms < toMs; ms += quarterMs) if (ms > fromMs) found.push(ms);
  return found;
}
