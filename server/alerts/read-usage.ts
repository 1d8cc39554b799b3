/** The figures that rules about meters are evaluated by, read as every page reads them. */
import { cyclesUntil } from "../billing/billing-cycle.ts";
import { measureSpan, measureSpans } from "../billing/measure-span.ts";
import { metersOfQuotas, type PeriodSource, readPeriod } from "../billing/period.ts";
import { percentUsed } from "../billing/quota-status.ts";
import { dimensionsOf } from "../catalog/catalog.ts";
import type { Meter } from "../catalog/meter.ts";
import { dayMs, hourMs, minuteMs, weekMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { percentText } from "../contract/percent-text.ts";
import type { Period, Quota } from "../contract/quotas.ts";
import type { ConditionOf } from "../contract/rules.ts";
import { totalsBy } from "../metrics/usage.ts";
import type { Window } from "../metrics/windows.ts";
import { isLowUsage, usualOfPast } from "./evaluate-low-usage.ts";
import {
  areUnusual,
  type Driver,
  driverOf,
  evaluateHour,
  seasonedHour,
  seasonWeeks,
  type UnusualHour,
} from "./evaluate-unusual.ts";
import type { Finding } from "./finding.ts";
import { amountText, momentText, numberText } from "./wording.ts";

/** Hours are read each quarter of an hour: the counters' own steps. */
export const unusualStepMs = 15 * minuteMs;

/** The hour up to the last whole quarter, and the one a quarter before. */
export async function readUnusual(
  source: PeriodSource,
  condition: ConditionOf<"unusual">,
  node: NodeAddress,
  atMs: number,
): Promise<Finding[]> {
  const meter = source.meterOf(condition.meter, node, atMs);
  if (!meter) return [];
  const endMs = Math.floor(atMs / unusualStepMs) * unusualStepMs;
  const [now, before] = await Promise.all(
    [endMs, endMs - unusualStepMs].map((end) => hourUntil(source, condition, meter, node, end, atMs)),
  );
  const direction = areUnusual(condition, [now?.hour, before?.hour]);
  const usual = now?.hour?.usual;
  const known = { node, meter: meter.meter, subject: "", once: null, value: now?.value ?? "0" };
  if (!direction || usual === undefined)
    return [
      {
        ...known,
        finding: usual === undefined ? "unknown" : "clears",
        explanation: `${hourText(meter, endMs)} is as usual.`,
      },
    ];
  const driver = await readDriver(source, meter, node, endMs);
  const because = driver
    ? ` The ${driver.dimension} ${driver.key} accounts for ${percentText(driver.share)} of the change.`
    : " No single user, language, model, agent or room explains it.";
  const explanation = `${unusualText(meter, endMs, { value: known.value, usual })}${because}`;
  return [{ ...known, limit: usual.toFixed(2), finding: "holds", explanation }];
}

const hourText = ({ title }: Pick<Meter, "title">, endMs: number) =>
  `${title} in the hour to ${momentText(endMs, "UTC")}`;

/** `endMs`: of the hour, ms since 1970, UTC. */
export function unusualText(meter: Meter, endMs: number, { value, usual }: { value: string; usual: number }): string {
  const times = usual > 0 ? `${numberText((Number(value) / usual).toFixed(1))} times ` : "";
  return `${hourText(meter, endMs)}: ${amountText(value, meter.unit)}, ${times}the usual ${numberText(usual.toFixed(1))}.`;
}

async function hourUntil(
  source: PeriodSource,
  condition: ConditionOf<"unusual">,
  meter: Meter,
  node: NodeAddress,
  endMs: number,
  atMs: number,
): Promise<{ value: string; hour: UnusualHour | undefined }> {
  const span = (end: number) => ({
    meters: [meter],
    fromMs: end - hourMs,
    toMs: end,
    window: "total" as const,
    tz: "UTC",
    windows: [{ startMs: end - hourMs, endMs: end, isPartial: false } satisfies Window],
  });
  const ends = Array.from({ length: seasonWeeks + 1 }, (_, week) => endMs - week * weekMs);
  const measured = await measureSpans(source, node, ends.map(span), atMs);
  const totals = measured.map((usage) => String(usage.get(meter.meter)?.total ?? 0));
  const usedMs = await firstUse(source, meter, node, endMs, atMs);
  const hour = evaluateHour(condition, seasonedHour(totals.map(Number), { endMs, usedMs }));
  return { value: totals[0] ?? "0", hour };
}

/** The week in which the meter was first used within the season. */
async function firstUse(
  source: PeriodSource,
  meter: Meter,
  node: NodeAddress,
  endMs: number,
  atMs: number,
): Promise<number | undefined> {
  const fromMs = endMs - seasonWeeks * weekMs;
  const windows = Array.from({ length: seasonWeeks }, (_, week) => {
    const startMs = fromMs + week * weekMs;
    return { startMs, endMs: startMs + weekMs, isPartial: false };
  });
  const span = { fromMs, toMs: endMs, window: "total" as const, windows, tz: "UTC" };
  const usage = (await measureSpan(source, node, [meter], span, atMs)).get(meter.meter);
  const first = usage?.series.find(({ value }) => Number(value ?? 0) > 0);
  return first && Date.parse(first.start);
}

const drivers = ["user", "language", "model", "agent", "room"] as const;

async function readDriver(
  source: PeriodSource,
  meter: Meter,
  node: NodeAddress,
  endMs: number,
): Promise<Driver | undefined> {
  const dimensions = drivers.filter((dimension) => dimensionsOf(meter).has(dimension));
  const totals = async (dimension: string, end: number) => {
    const found = await totalsBy(source.clickhouse, meter, dimension, { node, fromMs: end - hourMs, toMs: end });
    return new Map([...found].map(([key, figure]) => [key, Number(figure)]));
  };
  const changes = await Promise.all(
    dimensions.map(async (dimension) => {
      const [now, usual] = await Promise.all([totals(dimension, endMs), totals(dimension, endMs - weekMs)]);
      return { dimension, now, usual };
    }),
  );
  return driverOf(changes);
}

/** Earlier cycles, from which the node's own past is known. */
export const pastCycles = 3;

/** The cycle that runs at an instant until then, and the same part of those before it. ms since 1970, UTC. */
export function comparedSpans(
  { tz, anchor }: { tz: string; anchor: number },
  atMs: number,
): { fromMs: number; toMs: number }[] {
  const cycles = cyclesUntil({ tz, anchor, startsAt: new Date(0) }, atMs, pastCycles);
  const elapsedMs = atMs - (cycles[0]?.startMs ?? atMs);
  return cycles.map(({ startMs, endMs }) => ({ fromMs: startMs, toMs: Math.min(startMs + elapsedMs, endMs) }));
}

/** What the rule measures as of `period`, and the quota that it is compared with, where it is one. */
export async function meterOfLowUsage(
  source: PeriodSource,
  condition: ConditionOf<"low_usage">,
  period: Period,
  atMs: number,
): Promise<{ meter: Meter | undefined; byPlan: Quota | undefined }> {
  const quota = period.quotas.find(({ feature }) => feature === condition.feature);
  const name = condition.meter ?? quota?.meter;
  const byPlan = condition.of === "plan" ? (quota ?? period.quotas.find((one) => one.meter === name)) : undefined;
  const ofPlan = byPlan ?? quota;
  if (ofPlan) return { meter: (await metersOfQuotas(source, period)).get(ofPlan.feature), byPlan };
  return { meter: name === undefined ? undefined : source.meterOf(name, period.node, atMs), byPlan };
}

/** Once in a cycle, from `after_days` on. */
export async function readLowUsage(
  source: PeriodSource,
  condition: ConditionOf<"low_usage">,
  node: NodeAddress,
  atMs: number,
): Promise<Finding[]> {
  const period = await readPeriod(source, node, 0, atMs);
  const startMs = Date.parse(period.counted?.from ?? period.start);
  const endMs = Date.parse(period.end);
  if (atMs - startMs < condition.after_days * dayMs) return [];
  const { meter, byPlan } = await meterOfLowUsage(source, condition, period, atMs);
  if (!meter || (condition.of === "plan" && (!byPlan || byPlan.limit === null))) return [];
  const measured =
    condition.of === "plan"
      ? []
      : await measureSpans(
          source,
          node,
          comparedSpans(period, atMs).map((span) => ({
            meters: [meter],
            ...span,
            window: "total" as const,
            tz: period.tz,
          })),
          atMs,
        );
  const [own = "0", ...past] = measured.map((usage) => String(usage.get(meter.meter)?.total ?? 0));
  const used = byPlan ? byPlan.used : own;
  const limit = byPlan ? (byPlan.limit ?? "0") : usualOfPast(past);
  if (limit === undefined || Number(limit) <= 0) return [];
  const percent = percentUsed(used, limit);
  const isLow = isLowUsage(used, limit, condition.below_percent);
  const what = byPlan ? "the plan's limit" : "the same part of earlier cycles";
  return [
    {
      node,
      meter: meter.meter,
      threshold: condition.below_percent,
      value: used,
      limit,
      ...(condition.feature !== undefined && { feature: condition.feature }),
      ...(percent !== null && { percent }),
      period: { startMs, endMs },
      subject: `${condition.feature ?? meter.meter}`,
      once: `${condition.feature ?? meter.meter} ${startMs}`,
      finding: isLow ? "holds" : "clears",
      explanation: `${meter.title}: ${amountText(used, meter.unit)} used, ${percent === null ? "" : `${percentText(percent)} of `}${what} (${numberText(limit)}); alert below ${condition.below_percent}%.`,
    },
  ];
}
