/** What of a node's limits is used in a billing cycle, where it will end, and when a limit was or will be reached. */
import type { Meter } from "../catalog/catalog.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { PlanFeature, PlanTerms } from "../contract/plans.ts";
import { hasReached, percentUsed, quotaStatus } from "../contract/quota-status.ts";
import type { Quota } from "../contract/quotas.ts";
import type { MeterUsage, WindowKind } from "../contract/usage.ts";
import { compareDecimals, sumDecimals, trimDecimal } from "../metrics/figures.ts";
import { type Course, forecast, reachesAt } from "../metrics/forecast.ts";
import { isSumOverTime } from "../metrics/sum-over-time.ts";
import { answerTogether } from "../metrics/usage.ts";
import { formatInstant } from "../metrics/windows.ts";
import type { Cycle, PlanSegment } from "./billing-cycle.ts";
import { exact, plus, ratio, roundHalfEven, times, zero } from "./exact.ts";

export interface UsageSource {
  clickhouse: ClickHouse;
  /** Built in, or made by users for the node. */
  meterOf: (name: string, node: NodeAddress, atMs: number) => Meter | undefined;
  watermark: () => Date;
}

/** A feature of a plan with its meter, and its limit in one cycle. */
export interface Limited {
  feature: PlanFeature;
  meter: Meter;
  limit: string | null;
}

/** By `PLAN VERSION`. */
export type TermsByVersion = ReadonlyMap<string, PlanTerms>;

export function termsOf(
  terms: TermsByVersion,
  { planId, version }: Pick<PlanSegment, "planId" | "version">,
): PlanTerms {
  const found = terms.get(`${planId} ${version}`);
  if (!found) throw new Error(`plan ${planId} has no version ${version}`);
  return found;
}

/**
 * The measured features of the version in force last, with their limits in the cycle. Of a sum over time each version
 * gives the part of its limit that it has of the cycle, rounded half to even to 6 decimals; any version without a limit
 * gives none. What has no sum has the limit in force.
 */
export function limitedFeatures(
  { meterOf }: UsageSource,
  node: NodeAddress,
  segments: readonly PlanSegment[],
  cycle: Cycle,
  terms: TermsByVersion,
): Limited[] {
  const last = segments.at(-1);
  if (!last) return [];
  return termsOf(terms, last).features.flatMap((feature): Limited[] => {
    const meter = feature.enabled && feature.meter !== null ? meterOf(feature.meter, node, last.toMs) : undefined;
    if (!meter) return [];
    const limit = isSumOverTime(meter.rule) ? summedLimit(feature, segments, cycle, terms) : feature.included;
    return [{ feature, meter, limit }];
  });
}

function summedLimit(
  { key, meter, included }: PlanFeature,
  segments: readonly PlanSegment[],
  { startMs, endMs }: Cycle,
  terms: TermsByVersion,
): string | null {
  if (included === null) return null;
  let sum = zero;
  for (const segment of segments) {
    const then = termsOf(terms, segment).features.find((one) => one.key === key && one.meter === meter && one.enabled);
    if (then && then.included === null) return null;
    const share = ratio(segment.toMs - segment.fromMs, endMs - startMs);
    sum = plus(sum, times(exact(then?.included ?? "0"), share));
  }
  return trimDecimal(roundHalfEven(sum, 6));
}

export interface MeasuredSpan {
  meters: readonly Meter[];
  fromMs: number;
  toMs: number;
  window: WindowKind;
  tz: string;
}

/** The usage of a span, each meter whole: by its name. */
export async function measureSpan(
  source: UsageSource,
  node: NodeAddress,
  meters: readonly Meter[],
  span: Omit<MeasuredSpan, "meters">,
  nowMs: number,
): Promise<Map<string, MeterUsage>> {
  const [usage] = await measureSpans(source, node, [{ meters, ...span }], nowMs);
  return usage ?? new Map();
}

/** The usage of several spans in their order, read together. */
async function measureSpans(
  { clickhouse, watermark }: UsageSource,
  node: NodeAddress,
  spans: readonly MeasuredSpan[],
  nowMs: number,
): Promise<Map<string, MeterUsage>[]> {
  const rest = { node, anchor: 1, fill: "zero" as const, filters: [], groupBy: undefined };
  const questions = spans.map((span) => {
    const isMeasured = span.fromMs < span.toMs;
    const meters = isMeasured ? [...new Map(span.meters.map((meter) => [meter.meter, meter])).values()] : [];
    return { ...span, ...rest, meters };
  });
  const answers = await answerTogether(clickhouse, questions, watermark(), nowMs);
  return answers.map((answer) => new Map(answer.meters.map((usage) => [usage.meter, usage])));
}

/** A cycle with the plans in force in it; `past` are cycles of before, by which the projection of one that runs is judged. */
export interface QuotaCycle {
  tz: string;
  cycle: Cycle;
  past: readonly Cycle[];
  segments: readonly PlanSegment[];
}

/** Of each cycle. */
export async function readQuotas(
  source: UsageSource,
  node: NodeAddress,
  cycles: readonly QuotaCycle[],
  terms: TermsByVersion,
  nowMs: number,
): Promise<Quota[][]> {
  const asked = cycles.map((one) => {
    const limited = limitedFeatures(source, node, one.segments, one.cycle, terms);
    const { startMs, endMs } = one.cycle;
    const [fromMs, toMs] = [one.segments[0]?.fromMs ?? startMs, one.segments.at(-1)?.toMs ?? startMs];
    const runs = startMs <= nowMs && nowMs < endMs;
    const meters = limited.map(({ meter }) => meter);
    const summed = runs ? meters.filter(({ rule }) => isSumOverTime(rule)) : [];
    const courseFromMs = one.past.at(-1)?.startMs ?? fromMs;
    const whole: MeasuredSpan = { meters, fromMs, toMs, window: "total", tz: one.tz };
    const byDay: MeasuredSpan = { meters: summed, fromMs: courseFromMs, toMs: nowMs, window: "day", tz: one.tz };
    return { ...one, limited, runs, whole, byDay };
  });
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
        return await describeQuota(source, node, one, span, usage.get(one.meter.meter), courses, nowMs);
      });
      return await Promise.all(described);
    }),
  );
}

async function describeQuota(
  source: UsageSource,
  node: NodeAddress,
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
  const isOver = limit !== null && compareDecimals(used, limit) >= 0 && compareDecimals(used, "0") > 0;
  const expectedMs = projected && limit !== null ? reachesAt(course, Number(used), Number(limit), nowMs) : undefined;
  const hitMs = isOver ? await reachedAt(source, node, { meter, limit }, span, nowMs) : expectedMs;
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

/** Two decimals are more than a projection knows. */
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

/** The end of the first minute with which the limit was reached; of a peak the instant. */
export async function reachedAt(
  source: UsageSource,
  node: NodeAddress,
  { meter, limit }: { meter: Meter; limit: string },
  { fromMs, toMs, tz }: { fromMs: number; toMs: number; tz: string },
  nowMs: number,
): Promise<number | undefined> {
  let span = { fromMs, toMs: Math.min(toMs, nowMs) };
  let before = "0";
  let atMs: number | undefined;
  for (const window of ["day", "hour", "minute"] as const) {
    const usage = (await measureSpan(source, node, [meter], { ...span, window, tz }, nowMs)).get(meter.meter);
    const isSum = isSumOverTime(meter.rule);
    const found = usage?.series.find(({ value }) => {
      const reached = isSum ? sumDecimals([before, String(value ?? 0)]) : String(value ?? 0);
      if (compareDecimals(reached, limit) >= 0) return true;
      if (isSum) before = reached;
      return false;
    });
    if (!found) return atMs;
    span = { fromMs: Date.parse(found.start), toMs: Math.min(Date.parse(found.end), nowMs) };
    atMs = !isSum && typeof found.at === "string" ? Date.parse(found.at) : span.toMs;
  }
  return atMs;
}
