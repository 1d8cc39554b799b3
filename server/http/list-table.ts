/** A list as a table that is made while it is sent: CSV, a workbook, or Parquet. */
import type { Context } from "hono";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { ColumnType, ReportCell, ReportColumn } from "../contract/reports.ts";
import { csvLine } from "../reports/render/csv-line.ts";
import { parquetOfSection } from "../reports/render/parquet.ts";
import { workbook } from "../reports/render/workbook.ts";
import type { HttpEnv } from "./http-env.ts";
import { type ListForm, listMediaTypes, mapped, streamOf } from "./list-form.ts";

type Cell = ReportCell | undefined;

export interface Table {
  columns: ReportColumn[];
  rows: AsyncIterable<readonly Cell[]> | Iterable<readonly Cell[]>;
  /** The rows are made of what is in memory, and hold figures of any length: a form that must know the longest first may gather them. */
  isGathered?: boolean;
}

export type TableForm = Extract<ListForm, "csv" | "xlsx" | "parquet">;

export function isTableForm(form: ListForm): form is TableForm {
  return form === "csv" || form === "xlsx" || form === "parquet";
}

/** Columns by their names, text unless `types` has another. */
export function tableColumns(
  names: readonly string[],
  types: Readonly<Record<string, ColumnType>> = {},
): ReportColumn[] {
  return names.map((name) => ({ key: name, title: name, unit: null, type: types[name] ?? "text" }));
}

/** What each column says of an item, by the column's name. */
export type CellsOf<Item> = Readonly<Record<string, (item: Item) => Cell>>;

/** A row for each item; columns are text unless `types` has another. */
export function tableOf<Item>(
  cells: CellsOf<Item>,
  items: AsyncIterable<Item> | Iterable<Item>,
  types: Readonly<Record<string, ColumnType>>,
): Table {
  const made = Object.values(cells);
  return {
    columns: tableColumns(Object.keys(cells), types),
    rows: mapped(items, (item) => made.map((cellOf) => cellOf(item))),
  };
}

/** The answer as a file of that name. `clickhouse` writes Parquet. */
export async function sendTable(
  c: Context<HttpEnv>,
  form: TableForm,
  { name, table, clickhouse }: { name: string; table: Table; clickhouse: Pick<ClickHouse, "selectFrom"> },
): Promise<Response> {
  if (form !== "parquet") return await sendSheet(c, form, { name, table });
  return await sendPieces(c, form, name, parquetOf(table, clickhouse));
}

/** The same in a form that needs no store. */
export async function sendSheet(
  c: Context<HttpEnv>,
  form: Exclude<TableForm, "parquet">,
  { name, table }: { name: string; table: Table },
): Promise<Response> {
  return await sendPieces(c, form, name, form === "csv" ? csvOfTable(table) : workbookOf(table, name));
}

async function sendPieces(
  c: Context<HttpEnv>,
  form: TableForm,
  name: string,
  pieces: AsyncGenerator<string | Uint8Array>,
): Promise<Response> {
  c.header("content-type", listMediaTypes[form]);
  c.header("content-disposition", `attachment; filename="${name}.${form}"`);
  return c.body(await streamOf(pieces, c.get("question")), 200);
}

export async function* csvOfTable({ columns, rows }: Table): AsyncGenerator<string> {
  yield csvLine(columns.map(({ key }) => key));
  for await (const row of rows)
    yield csvLine(row.map((cell) => (cell === null || cell === undefined ? "" : String(cell))));
}

function workbookOf({ columns, rows }: Table, name: string): AsyncGenerator<Uint8Array> {
  return workbook([{ name, columns, rows: typedRows({ columns, rows }) }]);
}

async function* parquetOf(table: Table, clickhouse: Pick<ClickHouse, "selectFrom">): AsyncGenerator<Buffer> {
  const rows = typedRows(table);
  yield* parquetOfSection(clickhouse, { columns: table.columns, rows: table.isGathered ? await gathered(rows) : rows });
}

async function gathered(rows: AsyncIterable<ReportCell[]>): Promise<ReportCell[][]> {
  const all: ReportCell[][] = [];
  for await (const row of rows) all.push(row);
  return all;
}

async function* typedRows({ columns, rows }: Table): AsyncGenerator<ReportCell[]> {
  for await (const row of rows) yield columns.map(({ type }, index) => typed(row[index], type));
}

/** Converts a text of a list to the type of its column. */
function typed(cell: Cell, type: ColumnType): ReportCell {
  if (cell === undefined || cell === null) return null;
  if (type === "text") return cell;
  if (cell === "") return null;
  if (type === "boolean") return cell === true || cell === "true";
  return type === "integer" || type === "percent" ? Number(cell) : cell;
}
