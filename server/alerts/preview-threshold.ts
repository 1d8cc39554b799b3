/** When a figure would have gone beyond its bound, followed as a rule follows it: by windows that end at each instant. */
import type { PeriodSource } from "../billing/period.ts";
import { cycleSettings } from "../billing/subscriptions.ts";
import type { Meter } from "../catalog/meter.ts";
import { dayMs, minuteMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { rollingMs } from "../contract/rolling-windows.ts";
import { type ConditionOf, previewLimits } from "../contract/rules.ts";
import type { WindowKind } from "../contract/usage.ts";
import { answerUsage } from "../metrics/usage.ts";
import type { Window } from "../metrics/windows.ts";
import { filtersOf } from "./check-rule.ts";
import { firings } from "./crossings.ts";
import { evaluateThreshold, findingOf } from "./evaluate-threshold.ts";
import { TooManyReadingsError, type Would, wouldOf } from "./preview-entry.ts";
import { windowStart } from "./read-figures.ts";
import { evenWindows, type HistoryPoint, readFoldedHistory } from "./read-history.ts";

/**
 * `span`: ms since 1970, UTC. Rolling windows are followed in steps of a part of their length, days and cycles in quarters of an
 * hour: `at` is as exact as these. What held when the span began is not among it. Throws TooManyReadingsError.
 */
export async function previewThreshold(
  source: PeriodSource,
  condition: ConditionOf<"threshold">,
  node: NodeAddress,
  span: { fromMs: number; toMs: number },
): Promise<Would[]> {
  const meter = source.meterOf(condition.meter, node, span.toMs - 1);
  if (!meter) return [];
  const figures = await createFigures(source, condition, meter, node, span.toMs);
  const readings = (await figures.history(span)).map(({ atMs, figure }) => {
    return { atMs, finding: figure === null ? ("unknown" as const) : findingOf(condition, figure) };
  });
  const would: Would[] = [];
  for (const { atMs } of firings(readings, condition.for_minutes * minuteMs)) {
    if (atMs <= span.fromMs) continue;
    const finding = evaluateThreshold(condition, node, await figures.at(atMs), meter);
    would.push(wouldOf(finding, atMs));
  }
  return would;
}

/** The figures of the condition's window at a node. */
async function createFigures(
  source: PeriodSource,
  { window, filter }: ConditionOf<"threshold">,
  meter: Meter,
  node: NodeAddress,
  nowMs: number,
) {
  const cycle = await cycleSettings(source.postgres.db, source.tree, node, nowMs - 1);
  const filters = filtersOf(filter, meter);
  const question = { meters: [meter], node, ...cycle, fill: "zero" as const, filters, groupBy: undefined };
  const isCalendar = window === "day" || window === "cycle";
  const lengthMs = isCalendar ? dayMs : rollingMs[window];
  // What ends a day or a cycle is the last of it.
  const startOf = (atMs: number) => windowStart(window, cycle, isCalendar ? atMs - 1 : atMs);

  async function measure(asked: { fromMs: number; toMs: number; window: WindowKind; windows?: Window[] }) {
    const answer = await answerUsage(source.clickhouse, { ...question, ...asked }, source.watermark(), nowMs);
    return (answer.meters[0]?.series ?? []).map(({ end, value }): HistoryPoint => {
      return { atMs: Math.min(Date.parse(end), asked.toMs), figure: value === null ? null : String(value) };
    });
  }

  const at = async (atMs: number) =>
    (await measure({ fromMs: startOf(atMs), toMs: atMs, window: "total" }))[0]?.figure ?? null;

  return {
    at,
    /** From the first instant to the last. What does not follow from parts of a window is known where windows end. */
    async history({ fromMs, toMs }: { fromMs: number; toMs: number }): Promise<HistoryPoint[]> {
      if ((toMs - fromMs) / lengthMs > previewLimits.maxReadings)
        throw new TooManyReadingsError(`more than ${previewLimits.maxReadings} windows of ${window}`);
      const asked = { meter, filters, window, cycle };
      const folded = await readFoldedHistory(source, asked, node, { sinceMs: fromMs - 1, atMs: toMs });
      if (folded) return folded.at(-1)?.atMs === toMs ? folded : [...folded, { atMs: toMs, figure: await at(toMs) }];
      if (isCalendar) return await measure({ fromMs: startOf(fromMs + 1), toMs, window });
      return await measure({ fromMs, toMs, window: "total", windows: evenWindows(fromMs, toMs, lengthMs) });
    },
  };
}
