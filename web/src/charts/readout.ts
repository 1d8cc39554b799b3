/** What a chart says of one window: the values of all its series, beside those compared with; pure. */
import type { UsagePoint } from "@contract/usage.ts";
import { chartsTexts as t } from "../texts/en/charts.ts";
import { formatFigure, formatPercent, withUnit } from "../words/format.ts";
import type { ChartContent, ChartMark, ChartSeries } from "./chart-content.ts";
import type { Look } from "./looks.ts";

export interface ReadoutRow {
  key: string;
  title: string;
  look: Look;
  kind: ChartSeries["kind"];
  /** With its unit; `no data` where nothing is known. */
  text: string;
  /** What stood in the window compared with; undefined without a comparison. */
  before: string | undefined;
  change: Change | undefined;
}

export interface Readout {
  /** `Sat, 21 Nov 2026`. */
  title: string;
  note: ChartContent["notes"][number];
  /** The window compared with; empty where nothing stands beside. */
  comparedTitle: string;
  /** The largest first where all have one unit; else as they are drawn. */
  rows: ReadoutRow[];
  /** What all parts come to. */
  whole: string | undefined;
  limits: string[];
  band: string | undefined;
  marks: readonly ChartMark[];
}

/** From one figure to another. */
export interface Change {
  direction: -1 | 0 | 1;
  /** `+12.5%`, with the minus sign of print; `new` after nothing. */
  text: string;
}

/** Undefined where there is nothing to compare. */
export function changeOf(value: number | null, before: number | null): Change | undefined {
  if (value === null || before === null) return undefined;
  const direction = Math.sign(value - before) as Change["direction"];
  if (before === 0) return value === 0 ? { direction, text: "±0%" } : { direction, text: t.new };
  const share = ((value - before) / Math.abs(before)) * 100;
  return { direction, text: `${direction > 0 ? "+" : direction < 0 ? "" : "±"}${formatPercent(share)}` };
}

/** The place of the window that has `atMs`; -1 where none has. */
export function windowAt({ windows }: Pick<ChartContent, "windows">, atMs: number | null): number {
  return atMs === null ? -1 : windows.findIndex(({ startMs, endMs }) => startMs <= atMs && atMs < endMs);
}

export function readoutOf(content: ChartContent, window: number): Readout {
  const { series, band } = content;
  const rows = series.map((one): ReadoutRow & { value: number } => {
    const before = one.compared[window];
    return {
      key: one.key,
      title: one.title,
      look: one.look,
      kind: one.kind,
      text: one.textOf(window),
      before: one.compared.length === 0 ? undefined : beforeText(before, one.unit),
      change: changeOf(one.values[window] ?? null, numberOf(before)),
      value: one.values[window] ?? Number.NEGATIVE_INFINITY,
    };
  });
  const isOneUnit = new Set(series.map(({ unit }) => unit)).size === 1;
  if (isOneUnit) rows.sort((a, b) => b.value - a.value);
  const unit = series[0]?.unit ?? "";
  const whole = content.whole?.[window];
  const [low, high] = [band?.low[window] ?? null, band?.high[window] ?? null];
  return {
    title: content.titleOf(window),
    note: content.notes[window] ?? "",
    comparedTitle: content.comparedTitleOf(window),
    rows: rows.map(({ value: _, ...row }) => row),
    whole: whole === undefined || whole === null ? undefined : withUnit(formatFigure(whole), unit),
    limits: content.limits.map(({ text }) => text),
    band:
      band && low !== null && high !== null
        ? t.between(band.text, amount(low), withUnit(amount(high), band.unit))
        : undefined,
    marks: content.marks[window] ?? [],
  };
}

const amount = (value: number) => formatFigure(String(Math.round(value * 10) / 10));

const numberOf = (point: UsagePoint | null | undefined) =>
  point === null || point === undefined || point.value === null ? null : Number(point.value);

function beforeText(point: UsagePoint | null | undefined, unit: string): string {
  if (!point) return t.nothingToCompare;
  return point.value === null ? t.noData : withUnit(formatFigure(point.value), unit);
}

/** The same as a sentence for screen readers, with the zone; of `only` alone where one series is followed. */
export function sayReadout(content: ChartContent, window: number, only?: string): string {
  const { title, note, comparedTitle, rows, whole, band, marks } = readoutOf(content, window);
  const said = rows
    .filter(({ key }) => only === undefined || key === only)
    .map(({ title: name, text, before, change }) => {
      const beside = before === undefined ? "" : `, ${comparedTitle || "before"}: ${before}`;
      return `${name}: ${text}${beside}${change ? `, ${change.text}` : ""}`;
    });
  const all = whole !== undefined && only === undefined ? [t.allTogether(whole)] : [];
  const happened = marks.map(({ text }) => text);
  const ahead = band === undefined ? [] : [band];
  return `${title}, ${content.tz}${note ? `, ${t.windowNotes[note]}` : ""}. ${[...said, ...all, ...ahead, ...happened].join("; ")}.`;
}
