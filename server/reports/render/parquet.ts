/**
 * A section as Parquet, written by ClickHouse: figures are exact decimals, instants points in time. A column of rows that are all at
 * hand has decimals of 76 digits where one of its figures needs them, else of 38, which is what most readers take.
 */
import { type ClickHouse, readSql } from "../../clickhouse/client.ts";
import { amountDigits } from "../../contract/decimals.ts";
import type { ColumnType, ReportCell, ReportColumn, ReportSection } from "../../contract/reports.ts";

const sql = readSql("queries/report_rows.sql");

const types: Readonly<Record<ColumnType, string>> = {
  text: "Nullable(String)",
  instant: "Nullable(DateTime64(3, 'UTC'))",
  integer: "Nullable(Int64)",
  decimal: "Nullable(Decimal(38, 9))",
  money: "Nullable(Decimal(38, 9))",
  percent: "Nullable(Float64)",
  boolean: "Nullable(Bool)",
};

const longTypes: Readonly<Partial<Record<ColumnType, string>>> = {
  decimal: "Nullable(Decimal(76, 9))",
  money: "Nullable(Decimal(76, 9))",
};

export function parquetOfSection(
  clickhouse: Pick<ClickHouse, "selectFrom">,
  { columns, rows }: Pick<ReportSection, "columns"> & { rows: Rows },
): AsyncGenerator<Buffer> {
  const structure = columns.map(({ key, type }, index) => `${quoted(key)} ${typeOf(type, index, rows)}`).join(", ");
  return clickhouse.selectFrom(sql, { name: "report_rows", structure, rows: lines(columns, rows) });
}

const quoted = (name: string) => `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;

type Rows = Iterable<readonly ReportCell[]> | AsyncIterable<readonly ReportCell[]>;

function typeOf(type: ColumnType, index: number, rows: Rows): string {
  const long = longTypes[type];
  if (long === undefined || !Array.isArray(rows)) return types[type];
  return rows.some((row: readonly ReportCell[]) => isLongFigure(row[index])) ? long : types[type];
}

/** Whether it has more digits before the point than Decimal(38, 9) holds. */
function isLongFigure(cell: ReportCell | undefined): boolean {
  return typeof cell === "string" && cell.length > amountDigits.wholes && longFigure.test(cell);
}
const longFigure = new RegExp(`^-?\\d{${amountDigits.wholes + 1}}`);

const pieceCharacters = 64 * 1024;

async function* lines(columns: readonly ReportColumn[], rows: Rows): AsyncGenerator<Buffer> {
  let piece = "";
  for await (const row of rows) {
    piece += `${JSON.stringify(row.map((cell, index) => cellValue(cell, columns[index]?.type ?? "text")))}\n`;
    if (piece.length < pieceCharacters) continue;
    yield Buffer.from(piece);
    piece = "";
  }
  yield Buffer.from(piece);
}

function cellValue(cell: ReportCell, type: ColumnType): ReportCell {
  if (cell === null) return null;
  if (type === "text") return String(cell);
  if (type !== "instant") return cell;
  const ms = Date.parse(String(cell));
  return Number.isNaN(ms) ? null : new Date(ms).toISOString().replace("T", " ").replace("Z", "");
}
