/** A section as CSV: a line of column keys, then its rows. Sums are not among the rows: whoever adds a column up would count twice. */
import type { ReportCell, ReportSection } from "../../contract/reports.ts";
import { csvLine } from "./csv-line.ts";

const linesPerPiece = 200;

export function* csvOfSection({ columns, rows }: ReportSection): Generator<Buffer> {
  yield Buffer.from(csvLine(columns.map(({ key }) => key)));
  for (let start = 0; start < rows.length; start += linesPerPiece) {
    const lines = rows.slice(start, start + linesPerPiece).map((row) => csvLine(row.map(textOf)));
    yield Buffer.from(lines.join(""));
  }
}

function textOf(cell: ReportCell): string | null {
  return cell === null ? null : String(cell);
}
