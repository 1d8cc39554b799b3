/** Turns an answer of GET /v1/usage into what a chart draws and what a sentence says of it, pure. */
import type { MeterSummary } from "@contract/meters.ts";
import type { Figure, UsageAnswer, UsagePoint, WindowKind } from "@contract/usage.ts";
import { isRunning } from "../state/range.ts";
import { dateFormat, formatExact, formatFigure, formatTime, withUnit } from "../words/format.ts";
import type { ChartContent } from "./chart.ts";
import { colorsOf, drawnAs, titleOf } from "./meters.ts";
import { comparedPoints } from "./usage-table.ts";

/** What is drawn besides the figures. */
export interface ChartNotes {
  /** In the unit of the first meter. */
  limit?: { value: string; text: string } | undefined;
  /** Instants, each with what happened then. */
  marks?: readonly { at: string; text: string }[] | undefined;
}

/** Every meter of an answer has the same windows, so the first one's stand for all. */
export function chartContent(
  answer: UsageAnswer,
  all: readonly MeterSummary[],
  nowMs: number,
  only?: string,
  { limit, marks = [] }: ChartNotes = {},
): ChartContent {
  const windows = answer.meters[0]?.series ?? [];
  const colors = colorsOf(
    answer.meters.map(({ meter }) => meter),
    all,
  );
  return {
    limit: limit && { value: Number(limit.value), text: limit.text, unit: answer.meters[0]?.unit ?? "" },
    marks: windows.map((point) => marksWithin(point, marks)),
    labels: windows.map((point) => windowLabel(point, answer.window, answer.tz)),
    titles: windows.map((point) => windowTitle(point, answer.window, answer.tz)),
    running: windows.map((point) => isRunning(point, answer, nowMs)),
    series: answer.meters
      .filter(({ meter }) => only === undefined || meter === only)
      .map((one) => {
        const { meter, unit, series } = one;
        const compared = comparedPoints(one);
        return {
          title: titleOf(meter, all),
          unit,
          color: colors.get(meter) ?? 1,
          kind: drawnAs(meter),
          values: series.map(({ value }) => drawn(value)),
          texts: series.map(({ value }) => withUnit(formatExact(value), unit)),
          compared: compared.map((point) => drawn(point?.value ?? null)),
          comparedTexts: compared.map((point) =>
            point === null
              ? ""
              : `${withUnit(formatExact(point.value), unit)}, ${windowTitle(point, answer.window, answer.tz)}`,
          ),
        };
      }),
  };
}

function marksWithin({ start, end }: UsagePoint, marks: NonNullable<ChartNotes["marks"]>): string {
  const [startMs, endMs] = [Date.parse(start), Date.parse(end)];
  // What is found at a window's end was in it.
  const own = marks.filter(({ at }) => Date.parse(at) > startMs && Date.parse(at) <= endMs);
  const more = own.length > 1 ? `, and ${own.length - 1} more` : "";
  return own[0] ? `${own[0].text}${more}` : "";
}

/** The same answer with each window's figure added to all before it: how a cycle filled up. */
export function runningTotals(answer: UsageAnswer): UsageAnswer {
  return {
    ...answer,
    meters: answer.meters.map((one) => {
      let sum = 0;
      const series = one.series.map((point) => {
        if (point.value === null) return point;
        sum += Number(point.value);
        return { ...point, value: String(Number(sum.toFixed(6))) };
      });
      return { ...one, series };
    }),
  };
}

/** A drawing needs no more than a float has; the exact figure is in the text. */
const drawn = (value: Figure) => (value === null ? null : Number(value));

/** Short, for an axis: `14:00` and at midnight the day, `21 Nov`, `Nov 2026`. */
function windowLabel(point: UsagePoint, window: WindowKind, tz: string): string {
  const start = Date.parse(point.start);
  const day = dateFormat(tz, { day: "numeric", month: "short" }).format(start);
  if (window === "hour" || window === "minute") {
    const clock = formatTime(start, tz, { hour: "2-digit", minute: "2-digit" });
    return clock === "00:00" ? day : clock;
  }
  if (window === "month" || window === "quarter")
    return dateFormat(tz, { month: "short", year: "numeric" }).format(start);
  if (window === "year") return dateFormat(tz, { year: "numeric" }).format(start);
  return day;
}

/**
 * In full, for a table's row and a tooltip: `Sat 21 Nov 2026, 14:00`, `Week of 16 Nov 2026`. Without the year where the
 * place is narrow and the range says it.
 */
export function windowTitle(point: UsagePoint, window: WindowKind, tz: string, isNarrow = false): string {
  const start = Date.parse(point.start);
  const day = { weekday: "short", day: "numeric", month: "short", year: isNarrow ? undefined : "numeric" } as const;
  switch (window) {
    case "minute":
    case "hour":
      return formatTime(start, tz, { ...day, hour: "2-digit", minute: "2-digit" });
    case "week":
      return `Week of ${dateFormat(tz, { day: "numeric", month: "short", year: day.year }).format(start)}`;
    case "month":
      return dateFormat(tz, { month: "long", year: "numeric" }).format(start);
    case "day":
      return dateFormat(tz, day).format(start);
    default:
      return windowLabel(point, window, tz);
  }
}

/** What the chart shows, in a sentence: `Participation minutes: 1,234.5 minutes in all; highest: Sat, 21 Nov 2026.` */
export function chartSummary(answer: UsageAnswer, all: readonly MeterSummary[]): string {
  return answer.meters
    .map(({ meter, unit, total, series, comparison }) => {
      const title = titleOf(meter, all);
      const highest = series.reduce<UsagePoint | undefined>(
        (best, point) => (Number(point.value ?? 0) > Number(best?.value ?? 0) ? point : best),
        undefined,
      );
      if (!highest) return `${title}: none.`;
      const of = withUnit(formatFigure(total), unit);
      const when = windowTitle(highest, answer.window, answer.tz);
      const before = comparison
        ? `; in the range compared with: ${withUnit(formatFigure(comparison.total), unit)}`
        : "";
      return `${title}: ${of} ${drawnAs(meter) === "bar" ? "in all" : "over the range"}${before}; highest: ${when}.`;
    })
    .join(" ");
}
