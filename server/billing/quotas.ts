/** How much of a node's limits is used in a billing cycle, where it will end, and when a limit was or will be reached. */
import type { Meter } from "../catalog/meter.ts";
import { isSumOverTime } from "../catalog/rule-traits.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { PlanFeature } from "../contract/plans.ts";
import type { Quota } from "../contract/quotas.ts";
import type { MeterUsage } from "../contract/usage.ts";
import { type Course, forecast, reachesAt } from "../metrics/forecast.ts";
import { formatInstant } from "../metrics/windows.ts";
import { exact, plus, ratio, roundHalfEven, times, zero } from "../numbers/exact.ts";
import { trimDecimal } from "../numbers/figures.ts";
import type { CountedSpan, Cycle, PlanSegment } from "./billing-cycle.ts";
import { type MeasuredSpan, measureSpans, type UsageSource } from "./measure-span.ts";
import { type MeasureOne, measuringTogether } from "./measure-together.ts";
import { meterOfFeature } from "./plan-meters.ts";
import type { OwnedTerms } from "./plans.ts";
import { hasReached, limitState, percentUsed, quotaStatus } from "./quota-status.ts";
import { reachedBy } from "./reached-at.ts";

/** A feature of a plan with its meter, and its limit in one cycle. */
export interface Limited {
  feature: PlanFeature;
  meter: Meter;
  limit: string | null;
}

/** By `PLAN VERSION`. */
export type TermsByVersion = ReadonlyMap<string, OwnedTerms>;

export function termsOf(
  terms: TermsByVersion,
  { planId, version }: Pick<PlanSegment, "planId" | "version">,
): OwnedTerms {
  const found = terms.get(`${planId} ${version}`);
  if (!found) throw new Error(`plan ${planId} has no version ${version}`);
  return found;
}

/**
 * The measured features of the version in force, with their limits in the span. For a sum over time each version, also one that is
 * to come, gives the part of its limit that it has of the span's whole, rounded half to even to 6 decimals. One without a limit
 * leaves none once it has begun; until then its part is as large as that of the one in force. What has no sum has the limit in force.
 */
export function limitedFeatures(
  source: Pick<UsageSource, "meterOf">,
  span: Pick<CountedSpan, "segments" | "whole" | "inForce" | "toMs">,
  terms: TermsByVersion,
): Limited[] {
  const inForce = termsOf(terms, span.inForce);
  return inForce.features.flatMap((feature): Limited[] => {
    const meter = meterOfFeature(source, inForce, feature, span.toMs);
    if (!meter) return [];
    const limit = isSumOverTime(meter.rule) ? summedLimit(feature, span, terms) : feature.included;
    return [{ feature, meter, limit }];
  });
}

function summedLimit(
  { key, meter, included }: PlanFeature,
  { segments, inForce, whole: { startMs, endMs } }: Pick<CountedSpan, "segments" | "whole" | "inForce">,
  terms: TermsByVersion,
): string | null {
  if (included === null) return null;
  let sum = zero;
  for (const { fromMs, toMs, ...segment } of segments) {
    const then = termsOf(terms, segment).features.find((one) => one.key === key && one.meter === meter && one.enabled);
    const isEndless = then !== undefined && then.included === null;
    if (isEndless && fromMs < inForce.fromMs) return null;
    const part = isEndless ? included : (then?.included ?? "0");
    sum = plus(sum, times(exact(part), ratio(toMs - fromMs, endMs - startMs)));
  }
  return trimDecimal(roundHalfEven(sum, 6));
}

/** A cycle with its counted span; `past` are earlier cycles, from which the projection of a running one learns. */
export interface QuotaCycle {
  tz: string;
  cycle: Cycle;
  past: readonly Cycle[];
  /** Undefined where no plan was in force. */
  counted: CountedSpan | undefined;
}

/** The quotas of each cycle; without `hasForecast` neither where they will end nor when their limits were or will be reached. */
export async function readQuotas(
  source: UsageSource,
  node: NodeAddress,
  cycles: readonly QuotaCycle[],
  terms: TermsByVersion,
  nowMs: number,
  { hasForecast = true } = {},
): Promise<Quota[][]> {
  const asked = cycles.map((one) => {
    const limited = one.counted ? limitedFeatures(source, one.counted, terms) : [];
    const { startMs, endMs } = one.cycle;
    const { fromMs, toMs } = one.counted ?? { fromMs: startMs, toMs: startMs };
    const runs = hasForecast && startMs <= nowMs && nowMs < endMs;
    const meters = limited.map(({ meter }) => meter);
    const summed = runs ? meters.filter(({ rule }) => isSumOverTime(rule)) : [];
    const courseFromMs = Math.min(one.past.at(-1)?.startMs ?? fromMs, fromMs);
    const whole: MeasuredSpan = { meters, fromMs, toMs, window: "total", tz: one.tz };
    const byDay: MeasuredSpan = { meters: summed, fromMs: courseFromMs, toMs: nowMs, window: "day", tz: one.tz };
    return { ...one, limited, runs, whole, byDay };
  });
  const measureOne = hasForecast ? measuringTogether(source, node, nowMs) : undefined;
  const wholes = asked.map(({ whole }) => whole);
  const measured = await measureSpans(source, node, [...wholes, ...asked.map(({ byDay }) => byDay)], nowMs);
  return await Promise.all(
    asked.map(async ({ past, limited, runs, whole, tz }, index) => {
      const usage = measured[index] ?? new Map<string, MeterUsage>();
      const days = measured[asked.length + index] ?? new Map<string, MeterUsage>();
      const span = { fromMs: whole.fromMs, toMs: whole.toMs, tz };
      const described = limited.map(async (one): Promise<Quota> => {
        const series = days.get(one.meter.meter)?.series ?? [];
        const courses = runs && series.length > 0 ? { series, past } : undefined;
        return await describeQuota(measureOne, one, span, usage.get(one.meter.meter), courses, nowMs);
      });
      return await Promise.all(described);
    }),
  );
}

async function describeQuota(
  measureOne: MeasureOne | undefined,
  { feature, meter, limit }: Limited,
  span: { fromMs: number; toMs: number; tz: string },
  measured: MeterUsage | undefined,
  days: { series: MeterUsage["series"]; past: readonly Cycle[] } | undefined,
  nowMs: number,
): Promise<Quota> {
  const used = String(measured?.total ?? 0);
  const { series, past } = days ?? { series: [], past: [] };
  const course = courseOf(series, { startMs: span.fromMs, endMs: span.toMs });
  const courses = past.map((one) => courseOf(series, one));
  const projected = days ? forecast(course, Number(used), nowMs, courses) : undefined;
  const isOver = limit !== null && limitState(used, limit) === "reached";
  const expectedMs = projected && limit !== null ? reachesAt(course, Number(used), Number(limit), nowMs) : undefined;
  const reached = isOver && measureOne ? await reachedBy(measureOne, { meter, limit }, span, nowMs) : undefined;
  const hitMs = isOver ? reached : expectedMs;
  return {
    feature: feature.key,
    meter: meter.meter,
    unit: meter.unit,
    used,
    limit,
    percent: limit === null ? null : percentUsed(used, limit),
    status: limit === null ? null : quotaStatus(used, limit),
    overage: feature.overage,
    thresholds: feature.thresholds.map((percent) => ({
      percent,
      reached: limit !== null && hasReached(used, limit, percent),
    })),
    projected: projected
      ? {
          value: estimate(projected.value),
          low: projected.low === null ? null : estimate(projected.low),
          high: projected.high === null ? null : estimate(projected.high),
          error_percent: projected.errorPercent === null ? null : Number(projected.errorPercent.toFixed(1)),
        }
      : null,
    hit_at: hitMs === undefined ? null : formatInstant(hitMs, span.tz),
    at: measured?.at ?? null,
  };
}

/** Two decimals: a projection is no more precise. */
const estimate = (value: number) => trimDecimal(value.toFixed(2));

/** The usage of the days that lie in a cycle, added up. */
export function courseOf(series: MeterUsage["series"], { startMs, endMs }: Cycle): Course {
  let used = 0;
  const points = series.flatMap(({ start, end, value, partial }) => {
    const [fromMs, toMs] = [Date.parse(start), Date.parse(end)];
    if (fromMs < startMs || toMs > endMs || partial) return [];
    used += Number(value);
    return [{ ms: toMs, used }];
  });
  return { startMs, endMs, points };
}
