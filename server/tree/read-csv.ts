/**
 * CSV as RFC 4180 has it: quotes, doubled quotes, line breaks within quotes; lines end with CR LF or LF. By hand,
 * because `csv-parse` cannot bound the cells of a row: four million commas became an array of as many cells.
 */
import type { Pace } from "../fairness/pace.ts";

export interface CsvRow {
  /** Where the row begins, the first line being 1. */
  line: number;
  cells: string[];
}

/** What is wrong with the text as CSV, and on which line. */
export class CsvError extends Error {
  override name = "CsvError";
}

/** More cells in a row than any table has that people write. */
const maxCells = 500;
/** More characters than any text that a cell may hold. */
const maxCellLength = 10_000;

/**
 * The rows one by one, between which everybody else has a turn. Empty lines are left out. Throws a CsvError that says the line
 * where a quoted cell does not end, a cell has more than 10,000 characters or a row has more than 500 cells.
 */
export async function* readCsv(text: string, pace: Pace): AsyncGenerator<CsvRow> {
  let line = 1;
  let row: CsvRow = { line, cells: [] };
  let at = text.startsWith("\uFEFF") ? 1 : 0;
  while (at < text.length) {
    const rest = pace.rest();
    if (rest) await rest;
    if (row.cells.length === maxCells) throw new CsvError(`line ${row.line}: there are more than ${maxCells} cells`);
    let cell = "";
    if (text[at] === '"') {
      for (;;) {
        const end = text.indexOf('"', at + 1);
        if (end < 0) throw new CsvError(`line ${row.line}: a quoted cell does not end`);
        cell += text.slice(at + 1, end);
        at = end + 1;
        if (cell.length > maxCellLength) throw tooLong(row);
        if (text[at] !== '"') break;
        cell += '"';
      }
      line += cell.split("\n").length - 1;
    }
    const unquoted = /[^,\n]*/y;
    unquoted.lastIndex = at;
    cell += unquoted.exec(text)?.[0] ?? "";
    if (cell.length > maxCellLength) throw tooLong(row);
    at = unquoted.lastIndex;
    const isLast = text[at] !== ",";
    row.cells.push(isLast && cell.endsWith("\r") ? cell.slice(0, -1) : cell);
    if (!isLast && at === text.length - 1) row.cells.push("");
    at++;
    if (!isLast) continue;
    line++;
    if (!isEmpty(row)) yield row;
    row = { line, cells: [] };
  }
  if (row.cells.length > 0) yield row;
}

function isEmpty({ cells }: CsvRow): boolean {
  return cells.length === 1 && cells[0] === "";
}

function tooLong({ line }: CsvRow): CsvError {
  return new CsvError(`line ${line}: a cell has more than ${maxCellLength} characters`);
}
