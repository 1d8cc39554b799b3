/** What a section has to be drawn: its figures by windows of time. Pure. */
import { columnTitle } from "../../contract/report-paper.ts";
import type { ReportCell, ReportColumn, ReportSection } from "../../contract/reports.ts";
import { placesOfPeriod } from "./section.ts";

export interface Panel {
  /** With its unit, where it needs one. */
  title: string;
  /** What adds up over time stands as bars; a peak, a level or an average is a line, as on the dashboard. */
  kind: "bar" | "line";
  /** Null: nothing is known of that window, which is a gap and no zero. */
  values: (number | null)[];
  /** The windows compared with; empty without a comparison. */
  compared: (number | null)[];
  /** The largest figure with all its digits, and the window it is of. */
  most: { text: string; window: number };
}

export interface Panels {
  /** The begin of each window, as RFC 3339 with the report's offset. */
  starts: string[];
  /** Which windows are cut by the range, or still run. */
  partial: boolean[];
  panels: Panel[];
}

const maxWindows = 400;
const maxPanels = 6;

/** Undefined where its rows are no windows that follow each other, or hold nothing but zeros. */
export function panelsOf(section: ReportSection): Panels | undefined {
  const { columns, rows, totals } = section;
  const at = (key: string) => columns.findIndex((one) => one.key === key);
  const startAt = at("start");
  if (startAt < 0 || rows.length < 2 || rows.length > maxWindows) return undefined;
  const starts = rows.map((row) => String(row[startAt]));
  if (starts.some((start, place) => place > 0 && Date.parse(starts[place - 1] ?? "") >= Date.parse(start)))
    return undefined;
  const partialAt = at("partial");
  const comparedAt = at("compared_value");
  const panels = placesOfPeriod(section).flatMap((place) => {
    const column = columns[place] as ReportColumn;
    const compared = column.key === "value" && comparedAt >= 0 ? rows.map((row) => numberOf(row[comparedAt])) : [];
    const isSum = (totals[place] ?? null) !== null;
    return panelOf(column, isSum ? "bar" : "line", { cells: rows.map((row) => row[place] ?? null), compared });
  });
  if (panels.length === 0) return undefined;
  return { starts, partial: rows.map((row) => row[partialAt] === true), panels: panels.slice(0, maxPanels) };
}

function panelOf(
  column: ReportColumn,
  kind: Panel["kind"],
  { cells, compared }: { cells: ReportCell[]; compared: Panel["compared"] },
): Panel[] {
  const values = cells.map(numberOf);
  const window = values.reduce<number>((best, value, place) => ((value ?? 0) > (values[best] ?? 0) ? place : best), 0);
  if (!((values[window] ?? 0) > 0)) return [];
  const most = { text: String(cells[window]), window };
  return [{ title: columnTitle(column), kind, values, compared, most }];
}

const numberOf = (cell: ReportCell | undefined) => (cell === null || cell === undefined ? null : Number(cell));

/** What is drawn, in words; of each figure the most, with all its digits. */
export function chartWords(title: string, { starts, panels }: Panels): string {
  const peaks = panels.map(({ title: figure, most }) => {
    return `${figure} at most ${most.text} on ${dayOf(starts[most.window])}`;
  });
  return `${title}, ${dayOf(starts[0])} to ${dayOf(starts.at(-1))}: ${peaks.join("; ")}.`;
}

const dayOf = (start = "") => start.slice(0, 10);
