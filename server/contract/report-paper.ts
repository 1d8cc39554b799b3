/**
 * How a section of a report stands before people, on paper and on the page: in words, and without the columns that say nothing
 * there. Every figure stays. Pure.
 */
import type { ColumnType, ReportCell, ReportColumn, ReportDocument, ReportSection } from "./reports.ts";

export interface PaperColumn {
  /** Where its cells stand in a row of the section. */
  place: number;
  title: string;
  type: ColumnType;
  isFigure: boolean;
  /** What stands in its cell of a row, or of the totals. */
  textOf(cell: ReportCell, row?: readonly ReportCell[]): string;
}

/** What a figure is of, as far as its column or its row say. */
export interface FigureAbout {
  type: ColumnType;
  unit: string | null;
  currency: string | null;
  /** Whether any figure of its column has decimals. */
  hasDecimals: boolean;
}

export type WriteFigure = (cell: string | number, about: FigureAbout) => string;

const figureTypes: ReadonlySet<ColumnType> = new Set(["integer", "decimal", "money", "percent"]);

export function isFigure({ type }: Pick<ReportColumn, "type">): boolean {
  return figureTypes.has(type);
}

/** Such as `Total (EUR)`; what is counted has no unit, and a unit that its title ends with is not said twice. */
export function columnTitle({ title, unit }: Pick<ReportColumn, "title" | "unit">): string {
  const isSaid = unit === null || unit === "count" || title.toLowerCase().endsWith(unit.toLowerCase());
  return isSaid ? title : `${title} (${unit})`;
}

/** All digits that were given; instants as the clock of the report's zone shows them. */
export function cellText(
  cell: ReportCell,
  { type }: Pick<ReportColumn, "type">,
  writeFigure: (cell: string | number) => string = (figure) => String(figure),
): string {
  if (cell === null || cell === "") return "";
  if (typeof cell === "boolean") return cell ? "yes" : "no";
  if (type === "instant") return String(cell).slice(0, 16).replace("T", " ");
  return figureTypes.has(type) ? writeFigure(cell).replace(/^-/, "−") : String(cell);
}

/** The columns of a section with its rows; `writeFigure` turns a figure into its digits. */
export function paperColumns(
  { columns, rows }: Pick<ReportSection, "columns" | "rows">,
  writeFigure: WriteFigure = (figure) => String(figure),
): PaperColumn[] {
  const table = { columns, rows };
  const wordIn = (row: readonly ReportCell[], key: string) => {
    const word = row[placeOf(table, key)];
    return typeof word === "string" ? word : null;
  };
  const [firstCurrency, ...otherCurrencies] = new Set(rows.map((row) => wordIn(row, "currency")));
  const days = new Set(["", "compared_"].filter((of) => isOfDays(table, of)));
  return columns.flatMap((column, place) => {
    if (saysNothing(table, column, place, days)) return [];
    const { key, type } = column;
    const ofDays = startOf(key);
    const title = ofDays !== undefined && days.has(ofDays) ? dayTitles[ofDays] : undefined;
    const isDated = type === "instant" && rows.every((row) => isMidnight(row[place] ?? null));
    const hasDecimals = isFigure(column) && rows.some((row) => /\.\d*[1-9]/.test(String(row[place] ?? "")));
    const currencyOf = (row: readonly ReportCell[]) =>
      wordIn(row, "currency") ?? (otherCurrencies.length === 0 ? (firstCurrency ?? null) : null);
    const textOf = (cell: ReportCell, row: readonly ReportCell[] = []) => {
      const about = { type, unit: column.unit ?? wordIn(row, "unit"), currency: currencyOf(row), hasDecimals };
      if (!isDated || cell === null) return cellText(cell, column, (figure) => writeFigure(figure, about));
      return ends.has(key) ? dayBefore(String(cell)) : String(cell).slice(0, 10);
    };
    return [{ place, title: title ?? columnTitle(column), type, isFigure: isFigure(column), textOf }];
  });
}

type Table = Pick<ReportSection, "columns" | "rows">;

/** Ids of programs, by the column that has their name. */
const namedBy: Readonly<Record<string, string>> = { meter: "title", feature: "title", quota_feature: "quota_title" };
/** Only worth a column where one of them is true. */
const remarks: ReadonlySet<string> = new Set(["is_other", "partial"]);
/** The first instant after what is meant: as a date, the day before it. */
const ends: ReadonlySet<string> = new Set(["end", "to"]);
const dayTitles: Readonly<Record<string, string>> = { "": "Day", compared_: "Compared day" };

const startOf = (key: string) => /^(compared_|)start$/.exec(key)?.[1];
const placeOf = ({ columns }: Table, key: string) => columns.findIndex((one) => one.key === key);

function saysNothing(table: Table, column: ReportColumn, place: number, days: ReadonlySet<string>): boolean {
  const { key, type } = column;
  const { rows } = table;
  const name = namedBy[key];
  if (name !== undefined && placeOf(table, name) >= 0) return true;
  if (key === "node" && isNamed(table, place)) return true;
  // Whose it is and for which time says more to people.
  if (key === "id" && ["kind", "name", "to"].every((other) => placeOf(table, other) >= 0)) return true;
  if (remarks.has(key) && type === "boolean") return rows.every((row) => row[place] !== true);
  if (key === "end" && days.has("")) return true;
  if (place > 0 && rows.length > 0 && rows.every((row) => (row[place] ?? "") === "")) return true;
  if (key !== "key") return false;
  const nameAt = placeOf(table, "name");
  return nameAt >= 0 && rows.every((row) => row[nameAt] === row[place]);
}

/** Whether the name beside it says whose a row is: a name of two nodes does not. */
function isNamed(table: Table, place: number): boolean {
  const nameAt = placeOf(table, "name");
  if (nameAt < 0) return false;
  const nodes = new Map<ReportCell, ReportCell>();
  return table.rows.every((row) => {
    const [node, name] = [row[place] ?? null, row[nameAt] ?? null];
    if (name === null || name === "" || (nodes.has(name) && nodes.get(name) !== node)) return false;
    nodes.set(name, node);
    return true;
  });
}

/** Whether every window is one day; those that a comparison has begin as these do. */
function isOfDays(table: Table, prefix: string): boolean {
  const { rows } = table;
  const [start, end] = [placeOf(table, "start"), placeOf(table, "end")];
  if (start < 0 || end < 0 || rows.length === 0) return false;
  if (
    !rows.every(
      (row) => isMidnight(row[end] ?? null) && String(row[start]).slice(0, 10) === dayBefore(String(row[end])),
    )
  )
    return false;
  const own = placeOf(table, `${prefix}start`);
  return own >= 0 && rows.every((row) => isMidnight(row[own] ?? null));
}

const isMidnight = (cell: ReportCell) => cell === null || midnight.test(String(cell));
const midnight = /T00:00:00(?:\.0+)?(?:Z|[+-]\d\d:\d\d)$/;

function dayBefore(instant: string): string {
  const [year = 0, month = 1, day = 1] = instant.slice(0, 10).split("-").map(Number);
  return new Date(Date.UTC(year, month - 1, day - 1)).toISOString().slice(0, 10);
}

/** Whom a document is about: a node by its name, and by its address, which no other node has. */
export function nodeOnPaper({ node, node_name }: Pick<ReportDocument, "node" | "node_name">): string {
  if (node === "all") return "All organizations";
  return node === node_name ? node : `${node_name} (${node})`;
}
