/** CSV as RFC 4180 has it: quotes, doubled quotes, line breaks within quotes; lines end with CR LF or LF. */

export interface CsvRow {
  /** Where the row begins, the first line being 1. */
  line: number;
  cells: string[];
}

/** Throws an Error that says the line where a quoted cell does not end. Empty lines are left out. */
export function readCsv(text: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let line = 1;
  let row: CsvRow = { line, cells: [] };
  let at = text.startsWith("\uFEFF") ? 1 : 0;
  const endRow = () => {
    if (row.cells.length > 1 || row.cells[0] !== "") rows.push(row);
    row = { line, cells: [] };
  };
  while (at < text.length) {
    let cell = "";
    if (text[at] === '"') {
      for (;;) {
        const end = text.indexOf('"', at + 1);
        if (end < 0) throw new Error(`line ${row.line}: a quoted cell does not end`);
        cell += text.slice(at + 1, end);
        at = end + 1;
        if (text[at] !== '"') break;
        cell += '"';
      }
      line += cell.split("\n").length - 1;
    }
    const rest = /[^,\n]*/y;
    rest.lastIndex = at;
    cell += rest.exec(text)?.[0] ?? "";
    at = rest.lastIndex;
    const isLast = text[at] !== ",";
    row.cells.push(isLast && cell.endsWith("\r") ? cell.slice(0, -1) : cell);
    if (!isLast && at === text.length - 1) row.cells.push("");
    at++;
    if (!isLast) continue;
    line++;
    endRow();
  }
  if (row.cells.length > 0) endRow();
  return rows;
}
