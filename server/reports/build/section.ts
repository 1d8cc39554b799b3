/** The one form of every table in a report. Pure. */

import { sumOfAmounts } from "../../billing/statements/statement-charges.ts";
import type { Meter } from "../../catalog/meter.ts";
import type { ColumnType, ReportCell, ReportColumn, ReportSection } from "../../contract/reports.ts";
import type { Figure } from "../../contract/usage.ts";
import { sumDecimals } from "../../numbers/figures.ts";

export function column(
  key: string,
  title: string,
  type: ColumnType = "text",
  unit: string | null = null,
): ReportColumn {
  return { key, title, unit, type };
}

/** The column of a meter's figures: decimals where it has them, whole numbers where it counts. */
export function meterColumn(key: string, title: string, meter: Meter, isDecimal: boolean): ReportColumn {
  return column(key, title, isDecimal ? "decimal" : "integer", meter.unit);
}

/**
 * Columns that hold figures of another period or ranks rather than figures of the report's own period. A section that has a column for
 * each meter is left out: its columns have the meters' names.
 */
const besideKeys: ReadonlySet<string> = new Set([
  "previous_total",
  "previous_rank",
  "change",
  "year_total",
  "year_change",
  "compared_value",
  "rank",
  "ever",
]);

/** The section with a column for each meter, which has any name. */
export const seriesByMeter = "series";

/** Where the figures of the report's own period stand in a row. */
export function placesOfPeriod({ id, columns }: Pick<ReportSection, "id" | "columns">): number[] {
  const isBeside = (key: string) => id !== seriesByMeter && besideKeys.has(key);
  return columns.flatMap(({ key, type }, place) => (figureTypes.includes(type) && !isBeside(key) ? [place] : []));
}

const figureTypes: readonly ColumnType[] = ["integer", "decimal", "money"];

/** A figure as a cell of a `decimal` column. */
export function decimalCell(figure: Figure | undefined): string | null {
  return figure === null || figure === undefined ? null : String(figure);
}

/** A custom meter may have the name of another column: the later of the two gets a number behind its key. */
function keepApart(columns: ReportColumn[]): void {
  const taken = new Set<string>();
  for (const column of columns) {
    const { key } = column;
    for (let number = 2; taken.has(column.key); number++) column.key = `${key}_${number}`;
    taken.add(column.key);
  }
}

/** `summed`: the keys of the columns whose rows are parts of a whole. A column of money in several currencies has no sum. */
export function section(
  id: string,
  title: string,
  columns: ReportColumn[],
  rows: ReportCell[][],
  summed: readonly string[] = [],
): ReportSection {
  keepApart(columns);
  if (summed.length === 0 || rows.length === 0) return { id, title, columns, rows, totals: [] };
  const currencyAt = columns.findIndex(({ key }) => key === "currency");
  const currencies = new Set(currencyAt < 0 ? [] : rows.map((row) => row[currencyAt]));
  const totals = columns.map(({ key, type }, index): ReportCell => {
    if (!summed.includes(key)) return null;
    const cells = rows.map((row) => row[index] ?? null).filter((cell) => cell !== null);
    if (type === "integer") return cells.reduce<number>((sum, cell) => sum + Number(cell), 0);
    if (type === "decimal") return sumDecimals(cells.map(String));
    const [currency, ...others] = currencies;
    return others.length > 0 ? null : sumOfAmounts(cells.map(String), String(currency));
  });
  return { id, title, columns, rows, totals: totals.every((cell) => cell === null) ? [] : totals };
}
