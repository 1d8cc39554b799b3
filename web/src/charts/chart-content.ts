/** Turns an answer of GET /v1/usage into what a chart draws and what a sentence says of it, pure. */
import { dateIn } from "@contract/ranges.ts";
import type { Figure, MeterUsage, UsageAnswer, UsagePoint, WindowKind } from "@contract/usage.ts";
import { describeDays, isRunning } from "../state/range.ts";
import { chartsTexts as t } from "../texts/en/charts.ts";
import { dateFormat, formatFigure, formatTime, withUnit } from "../words/format.ts";
import { type Look, looksOf, looksOfKeys, otherLook } from "./looks.ts";
import { type ChartedMeter, drawnAs, titleOf } from "./meters.ts";
import { comparedPoints } from "./usage-table.ts";

export interface ChartSeries {
  /** The meter, or with groups the key; ` other` of what was taken together. */
  key: string;
  title: string;
  unit: string;
  look: Look;
  kind: "bar" | "line";
  /** Null: nothing is known of that window, which is a gap and no zero. */
  values: readonly (number | null)[];
  /** The figure of a window as people read it, with its unit. */
  textOf: (window: number) => string;
  /** The windows compared with; empty without a comparison. */
  compared: readonly (UsagePoint | null)[];
}

/** Something that happened, which is not a figure. */
export interface ChartMark {
  at: string;
  text: string;
  kind?: "alert" | "plan" | "correction" | "late" | "note";
}

export interface ChartLimit {
  value: number;
  unit: string;
  text: string;
}

/** Where a running total will be at the end of each window, of those to come: most likely between low and high. */
export interface ChartBand {
  unit: string;
  text: string;
  low: readonly (number | null)[];
  high: readonly (number | null)[];
}

export interface ChartContent {
  windows: readonly { startMs: number; endMs: number }[];
  /** What a window is called, short, for the axis; empty where there is none. */
  labelOf: (window: number) => string;
  /** The same in full. */
  titleOf: (window: number) => string;
  /** The day that a window is of, as an axis says it; undefined where windows are no parts of days. */
  dayOf: ((window: number) => string) | undefined;
  /** Why the window is not a whole one; empty where it is. */
  notes: readonly ("" | "so far" | "part")[];
  tz: string;
  series: readonly ChartSeries[];
  /** All series of one unit taken together, where they add up: what the meter came to. */
  whole: readonly Figure[] | undefined;
  /** The series are parts of one meter, which stand on each other. */
  isStacked: boolean;
  /** The days compared with, such as `1 – 7 Mar 2026`. */
  comparedName: string | undefined;
  /** What the window is called that stands beside it in the range compared with; empty where none does. */
  comparedTitleOf: (window: number) => string;
  /** Lines across: what the figures are measured against. */
  limits: readonly ChartLimit[];
  band: ChartBand | undefined;
  /** One a window: what happened in it. */
  marks: readonly (readonly ChartMark[])[];
}

/** What is drawn besides the figures. */
export interface ChartNotes {
  limits?: readonly { value: string; unit: string; text: string }[] | undefined;
  marks?: readonly ChartMark[] | undefined;
  band?: ChartBand | undefined;
}

/** For a meter that was asked by a dimension: its groups are drawn in place of the meters. */
export interface GroupsShown {
  meter: string;
  nameOf: (key: string) => string;
}

/** Every meter of an answer has the same windows, so the first one's stand for all. */
export function chartContent(
  answer: UsageAnswer,
  all: readonly ChartedMeter[],
  nowMs: number,
  { only, groups, notes = {} }: { only?: string | undefined; groups?: GroupsShown; notes?: ChartNotes } = {},
): ChartContent {
  const windows = answer.meters[0]?.series ?? [];
  const grouped = groups && answer.meters.find(({ meter }) => meter === groups.meter);
  const shown = answer.meters.filter(({ meter }) => only === undefined || meter === only);
  const looks = looksOf(
    answer.meters.map(({ meter }) => meter),
    all,
  );
  const series =
    groups && grouped
      ? seriesOfGroups(grouped, drawnAs(grouped.meter, all), groups.nameOf)
      : shown.map((one) => seriesOfMeter(one, all, looks.get(one.meter) ?? otherLook));
  const units = new Set(series.map(({ unit }) => unit));
  const compared = series.find((one) => one.compared.length > 0)?.compared ?? [];
  // Of thousands of windows, those that are looked at are called by a name.
  const named = (points: readonly (UsagePoint | null)[], name: typeof windowLabel) => (window: number) => {
    const point = points[window];
    return point ? name(point, answer.window, answer.tz) : "";
  };
  return {
    windows: windows.map(({ start, end }) => ({ startMs: Date.parse(start), endMs: Date.parse(end) })),
    labelOf: named(windows, windowLabel),
    titleOf: named(windows, windowTitle),
    dayOf: isWithinDays(answer.window) ? named(windows, dayLabel) : undefined,
    notes: windows.map((point) => (isRunning(point, answer, nowMs) ? "so far" : point.partial ? "part" : "")),
    tz: answer.tz,
    series,
    whole: grouped?.series.map(({ value }) => value),
    isStacked: grouped !== undefined && drawnAs(grouped.meter, all) === "bar",
    comparedName: grouped ? undefined : comparedName(answer),
    comparedTitleOf: named(compared, windowTitle),
    limits: (notes.limits ?? [])
      .filter(({ unit }) => units.has(unit))
      .map(({ value, ...limit }) => ({ ...limit, value: Number(value) })),
    band: notes.band,
    marks: windows.map((point) => (notes.marks ? marksWithin(point, notes.marks) : [])),
  };
}

function seriesOfMeter(usage: MeterUsage, all: readonly ChartedMeter[], look: Look): ChartSeries {
  const { meter, unit, series } = usage;
  return {
    key: meter,
    title: titleOf(meter, all),
    look,
    kind: drawnAs(meter, all),
    compared: comparedPoints(usage),
    ...figuresOf(series, unit),
  };
}

function seriesOfGroups(
  { unit, groups = [] }: MeterUsage,
  kind: ChartSeries["kind"],
  nameOf: (key: string) => string,
): ChartSeries[] {
  const looks = looksOfKeys(groups.filter((group) => !group.is_other).map(({ key }) => key));
  return groups.map(({ key, is_other: isOther = false, series }) => ({
    key: isOther ? otherKey : key,
    title: isOther ? t.other : nameOf(key),
    look: isOther ? otherLook : (looks.get(key) ?? otherLook),
    kind,
    compared: [],
    ...figuresOf(series, unit),
  }));
}

/** What stands in place of a figure that is not known. */
export const noData = (): string => t.noData;

/** No dimension has a value that begins with a space. */
export const otherKey = " other";

const figuresOf = (series: readonly UsagePoint[], unit: string) => ({
  unit,
  values: series.map(({ value }) => drawn(value)),
  textOf: (window: number) => {
    const value = series[window]?.value ?? null;
    return value === null ? t.noData : withUnit(formatFigure(value), unit);
  },
});

/** The days of the range compared with, as the server chose them: `1 – 7 Mar 2026`. */
export function comparedName({ meters, tz }: Pick<UsageAnswer, "meters" | "tz">): string | undefined {
  const compared = meters.find((one) => one.comparison)?.comparison;
  return compared && describeDays(dateIn(tz, Date.parse(compared.from)), dateIn(tz, Date.parse(compared.to) - 1));
}

function marksWithin({ start, end }: UsagePoint, marks: readonly ChartMark[]): ChartMark[] {
  const [startMs, endMs] = [Date.parse(start), Date.parse(end)];
  return marks.filter(({ at, kind = "alert" }) => {
    const atMs = Date.parse(at);
    // What is found at a window's end was in it; what happens at its start is of this one.
    return kind === "alert" ? atMs > startMs && atMs <= endMs : atMs >= startMs && atMs < endMs;
  });
}

/** Without those that somebody has hidden; all of them where that would leave none. */
export function withoutSeries(content: ChartContent, hidden: readonly string[]): ChartContent {
  const series = content.series.filter(({ key }) => !hidden.includes(key));
  return series.length === 0 || series.length === content.series.length ? content : { ...content, series };
}

/** More than these in one drawing cannot be told apart, or have no axis left. */
const [unitsTogether, seriesTogether] = [3, 6];

/** The drawings that a chart consists of: one, or one a series where there are too many for one. */
export function panelsOf(content: ChartContent): ChartContent[] {
  const units = new Set(content.series.map(({ unit }) => unit));
  if (units.size <= unitsTogether && content.series.length <= seriesTogether) return [content];
  return content.series.map((series) => ({
    ...content,
    series: [series],
    isStacked: false,
    limits: content.limits.filter(({ unit }) => unit === series.unit),
    band: content.band?.unit === series.unit ? content.band : undefined,
  }));
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

/** A drawing needs no more than a float has. */
const drawn = (value: Figure) => (value === null ? null : Number(value));

const isWithinDays = (window: WindowKind) => window === "hour" || window === "minute";

/** `21 Nov`. */
const dayLabel = ({ start }: UsagePoint, _: WindowKind, tz: string): string =>
  dateFormat(tz, { day: "numeric", month: "short" }).format(Date.parse(start));

/** Short, for an axis: `14:00` and at midnight the day, `21 Nov`, `Nov 2026`. */
function windowLabel(point: UsagePoint, window: WindowKind, tz: string): string {
  const start = Date.parse(point.start);
  const day = dayLabel(point, window, tz);
  if (isWithinDays(window)) {
    const clock = formatTime(start, tz, { hour: "2-digit", minute: "2-digit" });
    return clock === "00:00" ? day : clock;
  }
  if (window === "month" || window === "quarter")
    return dateFormat(tz, { month: "short", year: "numeric" }).format(start);
  if (window === "year") return dateFormat(tz, { year: "numeric" }).format(start);
  return day;
}

/**
 * In full, for a table's row and a readout: `Sat 21 Nov 2026, 14:00`, `Week of 16 Nov 2026`. Without the year where the
 * place is narrow and the range says it.
 */
export function windowTitle(
  point: Pick<UsagePoint, "start">,
  window: WindowKind,
  tz: string,
  isNarrow = false,
): string {
  const start = Date.parse(point.start);
  const day = { weekday: "short", day: "numeric", month: "short", year: isNarrow ? undefined : "numeric" } as const;
  switch (window) {
    case "minute":
    case "hour":
      return formatTime(start, tz, { ...day, hour: "2-digit", minute: "2-digit" });
    case "week":
      return t.weekOf(dateFormat(tz, { day: "numeric", month: "short", year: day.year }).format(start));
    case "month":
      return dateFormat(tz, { month: "long", year: "numeric" }).format(start);
    case "day":
      return dateFormat(tz, day).format(start);
    default:
      return windowLabel(point as UsagePoint, window, tz);
  }
}

/** What the chart shows, in a sentence: `Participation minutes: 1,234.5 minutes in all; highest: Sat, 21 Nov 2026.` */
export function chartSummary(answer: UsageAnswer, all: readonly ChartedMeter[]): string {
  return answer.meters
    .map(({ meter, unit, total, series, comparison }) => {
      const title = titleOf(meter, all);
      const used = series.filter(({ value }) => Number(value ?? 0) !== 0);
      const [first] = used;
      // Corrections make figures below zero, which are usage too.
      const highest = first && used.reduce((best, one) => (Number(one.value) > Number(best.value) ? one : best), first);
      if (!highest) return t.noneOf(title);
      const of = withUnit(formatFigure(total), unit);
      const when = windowTitle(highest, answer.window, answer.tz);
      const sum = drawnAs(meter, all) === "bar" ? t.sumInAll(title, of) : t.sumOverRange(title, of);
      const parts = comparison
        ? [
            sum,
            `${comparedName({ meters: [{ meter, unit, total, series, comparison }], tz: answer.tz })}: ${withUnit(formatFigure(comparison.total), unit)}`,
          ]
        : [sum];
      return `${[...parts, t.highestAt(when)].join("; ")}.`;
    })
    .join(" ");
}

/** What a person points at; places of windows, -1 for none. */
export interface Pointed {
  window: number;
  isPinned: boolean;
  /** Where a selection began that reaches to `window`. */
  from: number;
}
