/** When a figure would have gone beyond its bound, followed as a rule follows it: by windows that end at each instant. */
import { readCycleSpans } from "../billing/cycle-spans.ts";
import type { PeriodSource } from "../billing/period.ts";
import type { Meter } from "../catalog/meter.ts";
import { dayMs, minuteMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { rollingMs } from "../contract/rolling-windows.ts";
import { type ConditionOf, previewLimits } from "../contract/rules.ts";
import { answerUsage } from "../metrics/usage.ts";
import type { Window } from "../metrics/windows.ts";
import { filtersOf } from "./check-rule.ts";
import { firings } from "./crossings.ts";
import { evaluateThreshold, findingOf } from "./evaluate-threshold.ts";
import { TooManyReadingsError, type Would, wouldOf } from "./preview-entry.ts";
import { windowStart } from "./read-figures.ts";
import { evenWindows, type HistoryPoint, quarterMs, readFoldedHistory } from "./read-history.ts";

/**
 * `span`: ms since 1970, UTC. Rolling windows are followed in steps of a part of their length, days and cycles in quarters of an
 * hour: `at` is as exact as these. What was sent when the span began is not among it. Throws TooManyReadingsError.
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
  const forMs = Math.ceil(condition.for_minutes * minuteMs);
  const readings = (await figures.history(span, forMs)).map(({ atMs, figure }) => {
    return { atMs, finding: figure === null ? ("unknown" as const) : findingOf(condition, figure) };
  });
  const would: Would[] = [];
  for (const { atMs } of firings(readings, forMs)) {
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
  const cycles = await readCycleSpans(source.postgres.db, source.tree, node);
  const filters = filtersOf(filter, meter);
  const rest = { anchor: 1, tz: "UTC", window: "total" as const, fill: "zero" as const, filters, groupBy: undefined };
  const isCalendar = window === "day" || window === "cycle";
  const lengthMs = isCalendar ? dayMs : rollingMs[window];
  // What ends a day or a cycle is the last of it.
  const startOf = (atMs: number) => windowStart(window, () => cycles, isCalendar ? atMs - 1 : atMs);

  async function measure(windows: readonly Window[]): Promise<HistoryPoint[]> {
    const [fromMs, toMs] = [windows[0]?.startMs ?? nowMs, windows.at(-1)?.endMs ?? nowMs];
    const question = { meters: [meter], node, fromMs, toMs, windows, ...rest };
    const answer = await answerUsage(source.clickhouse, question, source.watermark(), nowMs);
    return (answer.meters[0]?.series ?? []).map(({ value }, place): HistoryPoint => {
      return { atMs: windows[place]?.endMs ?? toMs, figure: value === null ? null : String(value) };
    });
  }

  const windowTo = (atMs: number): Window => ({ startMs: startOf(atMs), endMs: atMs, isPartial: false });
  const at = async (atMs: number) => (await measure([windowTo(atMs)]))[0]?.figure ?? null;

  /** Those of the calendar that end after `fromMs`, the last cut at `toMs`. */
  function calendarWindows(fromMs: number, toMs: number): Window[] {
    const windows: Window[] = [];
    for (let untilMs = toMs; untilMs > fromMs; untilMs = windows[0]?.startMs ?? fromMs)
      windows.unshift(windowTo(untilMs));
    return windows;
  }

  return {
    at,
    /**
     * From the first instant to the last, and of so long before that it is known whether what holds at the first was sent by then: as
     * long as it has to hold. What does not follow from parts of a window is known there, and where windows end.
     */
    async history({ fromMs, toMs }: { fromMs: number; toMs: number }, forMs: number): Promise<HistoryPoint[]> {
      if ((toMs - fromMs) / lengthMs > previewLimits.maxReadings)
        throw new TooManyReadingsError(`more than ${previewLimits.maxReadings} windows of ${window}`);
      const asked = { meter, filters, window, cycles };
      // No step is longer than this: the first reading is early enough.
      const stepMs = Math.min(lengthMs, quarterMs);
      const folded = await readFoldedHistory(source, asked, node, { sinceMs: fromMs - forMs - stepMs, atMs: toMs });
      if (folded) return folded.at(-1)?.atMs === toMs ? folded : [...folded, { atMs: toMs, figure: await at(toMs) }];
      const sinceMs = fromMs - Math.ceil(forMs / lengthMs) * lengthMs;
      const windows = isCalendar ? calendarWindows(sinceMs, toMs) : evenWindows(sinceMs, toMs, lengthMs);
      return [{ atMs: sinceMs, figure: await at(sinceMs) }, ...(await measure(windows))];
    },
  };
}
