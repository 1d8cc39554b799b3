/** What a rule would have reported in a span of the past: the same evaluation, over what is stored now. */
import { z } from "zod";
import { cyclesUntil } from "../billing/billing-cycle.ts";
import { measureSpan } from "../billing/measure-span.ts";
import { type PeriodSource, readPeriod } from "../billing/period.ts";
import { hasReached } from "../billing/quota-status.ts";
import { reachedAt } from "../billing/reached-at.ts";
import { cycleSettings } from "../billing/subscriptions.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { hourMs, minuteMs, weekMs } from "../contract/durations.ts";
import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Quota } from "../contract/quotas.ts";
import type { Condition, ConditionOf, PreviewAnswer } from "../contract/rules.ts";
import { exact, ratio, roundHalfEven, times } from "../numbers/exact.ts";
import { trimDecimal } from "../numbers/figures.ts";
import { areUnusual, evaluateHour } from "./evaluate-unusual.ts";
import { previewThreshold } from "./preview-threshold.ts";
import { evenWindows } from "./read-history.ts";
import { readLowUsage } from "./read-usage.ts";
import { amountText, durationText, numberText } from "./wording.ts";

export type Would = PreviewAnswer["would"][number];

interface Span {
  fromMs: number;
  toMs: number;
}

export const seasonWeeks = 8;
const nothing = { value: null, limit: null, threshold: null, feature: null, meter: null };

const sendingQuarters = defineQuery(
  "sending_quarters",
  z.object({ organization: z.string(), from_ms: z.number(), to_ms: z.number() }),
  z.object({ start_ms: numberColumn }),
);

/**
 * Whether the past of what the rule is about is kept: not for the service itself, nor for bills, nor what was projected then. When
 * something was last sent is known for each organization.
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
      return parseNode(node).kind === "organization";
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
  for (const { counted, quotas } of [period, ...period.past]) {
    // A trial is the span of every cycle that it reaches into.
    if (!counted || seen.has(counted.from)) continue;
    seen.add(counted.from);
    if (Date.parse(counted.to) <= fromMs || Date.parse(counted.from) >= toMs) continue;
    const counts = { fromMs: Date.parse(counted.from), toMs: Math.min(Date.parse(counted.to), toMs), tz: period.tz };
    for (const quota of quotas)
      if (condition.feature === null || condition.feature === quota.feature)
        crossings.push(...(await crossingsOf(source, condition, node, quota, counts)));
  }
  const within = crossings.filter(({ at }) => Date.parse(at) >= fromMs && Date.parse(at) < toMs);
  return within.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** Thresholds that one step crosses make one entry, which names the highest. */
async function crossingsOf(
  source: PeriodSource,
  condition: ConditionOf<"quota">,
  node: NodeAddress,
  quota: Quota,
  span: Span & { tz: string },
): Promise<Would[]> {
  const { feature, meter: name, limit, used, unit } = quota;
  const meter = source.meterOf(name, node, span.toMs - 1);
  if (limit === null || !meter) return [];
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

/** By whole hours. */
async function previewUnusual(
  source: PeriodSource,
  condition: ConditionOf<"unusual">,
  node: NodeAddress,
  { fromMs, toMs }: Span,
): Promise<Would[]> {
  const meter = source.meterOf(condition.meter, node, toMs - 1);
  if (!meter) return [];
  const endMs = Math.floor(toMs / hourMs) * hourMs;
  const startMs = Math.floor(fromMs / hourMs) * hourMs - seasonWeeks * weekMs;
  const span = { fromMs: startMs, toMs: endMs, window: "total" as const, tz: "UTC" };
  const windows = evenWindows(startMs, endMs, hourMs);
  const measured = (await measureSpan(source, node, [meter], { ...span, windows }, toMs)).get(meter.meter);
  const figures = (measured?.series ?? []).map(({ value }) => Number(value ?? 0));
  const firstUsed = figures.findIndex((figure) => figure > 0);
  if (firstUsed < 0) return [];
  const weekHours = weekMs / hourMs;
  const hourAt = (index: number) => {
    const before: number[] = [];
    for (let week = 1; week <= seasonWeeks && index - week * weekHours >= firstUsed; week++)
      before.push(figures[index - week * weekHours] ?? 0);
    return evaluateHour(condition, { value: figures[index] ?? 0, before });
  };
  const would: Would[] = [];
  let wasUnusual = false;
  for (let index = seasonWeeks * weekHours; index < figures.length; index++) {
    const hour = hourAt(index);
    const direction = areUnusual(condition, [hour, hourAt(index - 1)]);
    if (direction && !wasUnusual) {
      const at = new Date(startMs + (index + 1) * hourMs).toISOString();
      const value = String(measured?.series[index]?.value ?? 0);
      const usual = (hour?.usual ?? 0).toFixed(2);
      const explanation = `${meter.title}: ${amountText(value, meter.unit)} in the hour; the usual is ${numberText(usual)}.`;
      would.push({ ...nothing, node, at, value, limit: usual, meter: meter.meter, explanation });
    }
    wasUnusual = direction !== undefined;
  }
  return would.filter(({ at }) => Date.parse(at) >= fromMs && Date.parse(at) <= toMs);
}

async function previewLowUsage(
  source: PeriodSource,
  condition: ConditionOf<"low_usage">,
  node: NodeAddress,
  { fromMs, toMs }: Span,
): Promise<Would[]> {
  const { tz, anchor } = await cycleSettings(source.postgres.db, source.tree, node, toMs - 1);
  const cycles = cyclesUntil({ tz, anchor, startsAt: new Date(0) }, toMs - 1, 16).reverse();
  const would: Would[] = [];
  for (const { startMs } of cycles) {
    const atMs = startMs + condition.after_days * 24 * hourMs;
    if (atMs < fromMs || atMs >= toMs) continue;
    for (const one of await readLowUsage(source, condition, node, atMs)) {
      if (one.finding !== "holds") continue;
      const { value = null, limit = null, threshold = null, feature = null, meter = null, explanation } = one;
      would.push({ node, at: new Date(atMs).toISOString(), value, limit, threshold, feature, meter, explanation });
    }
  }
  return would;
}

/** To the quarter of an hour, and of an organization only. */
async function previewSilence(
  source: PeriodSource,
  condition: ConditionOf<"no_data">,
  node: NodeAddress,
  { fromMs, toMs }: Span,
): Promise<Would[]> {
  const parsed = parseNode(node);
  if (parsed.kind !== "organization") return [];
  const silentMs = condition.silent_minutes * minuteMs;
  const asked = { organization: parsed.id, from_ms: fromMs - silentMs - weekMs, to_ms: toMs };
  const quarters = await sendingQuarters(source.clickhouse, asked);
  const would: Would[] = [];
  for (const [index, { start_ms: startMs }] of quarters.entries()) {
    const quietFromMs = startMs + 15 * minuteMs;
    const untilMs = quarters[index + 1]?.start_ms ?? toMs;
    const atMs = quietFromMs + silentMs;
    if (untilMs < atMs || atMs < fromMs || atMs >= toMs) continue;
    const explanation = `No event came for ${durationText(silentMs)}.`;
    const value = String(condition.silent_minutes);
    const at = new Date(atMs).toISOString();
    would.push({ ...nothing, node, at, value, threshold: condition.silent_minutes, explanation });
  }
  return would;
}
