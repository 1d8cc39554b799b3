/** How a billing cycle fills up against a limit, and where it is expected to end, pure. */
import type { Period, Quota } from "@contract/quotas.ts";
import type { UsageAnswer } from "@contract/usage.ts";
import { billingTexts as t } from "../texts/en/billing.ts";
import { formatFigure, withUnit } from "../words/format.ts";
import { type ChartNotes, runningTotals } from "./chart-content.ts";

/** The quotas of meters that add up over a cycle; those of peaks are reached at one instant. */
export function fillingQuotas(quotas: readonly Quota[], meters: readonly string[]): Quota[] {
  return quotas.filter(({ meter, projected }) => projected !== null && meters.includes(meter));
}

/** What the figures are counted in: a trial, or what of the cycle is paid for. */
export function countedIn({ counted, start, end }: Pick<Period, "counted" | "start" | "end">) {
  return { from: counted?.from ?? start, to: counted?.to ?? end };
}

/** The used amount at the end of each window; nothing is known of those that have not begun. */
export function courseSoFar(answer: UsageAnswer, nowMs: number): UsageAnswer {
  const { meters, ...head } = runningTotals(answer);
  return {
    ...head,
    meters: meters.map((one) => ({
      ...one,
      series: one.series.map((point) =>
        Date.parse(point.start) < nowMs ? point : { ...point, value: null, partial: false },
      ),
    })),
  };
}

/** The limit as a line, and from what is used now to the projection's ends at the end of the cycle a band. */
export function courseNotes(quota: Quota, answer: UsageAnswer, endMs: number, nowMs: number): ChartNotes {
  const { limit, unit, projected, used } = quota;
  const windows = answer.meters[0]?.series ?? [];
  const limits =
    limit === null ? [] : [{ value: limit, unit, text: t.limit(withUnit(formatFigure(plainLimit(limit)), unit)) }];
  if (!projected || endMs <= nowMs) return { limits };
  const towards = (end: string) =>
    windows.map((window) => {
      const atMs = Math.min(endMs, Date.parse(window.end));
      if (atMs <= nowMs) return null;
      return Number(used) + (Number(end) - Number(used)) * ((atMs - nowMs) / (endMs - nowMs));
    });
  return {
    limits,
    band: {
      unit,
      text: projected.low === null ? t.paceLine : t.likelyRange,
      low: towards(projected.low ?? projected.value),
      high: towards(projected.high ?? projected.value),
    },
  };
}

/** A limit of 50 is no 50.0. */
export const plainLimit = (decimal: string) => (Number.isInteger(Number(decimal)) ? Number(decimal) : decimal);
