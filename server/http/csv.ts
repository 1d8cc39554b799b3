/** CSV as RFC 4180 has it, made so that no spreadsheet takes what a stranger sent for a formula. */

const formulaStart = /^[=+\-@\t\r]/;
const number = /^-?\d+(?:\.\d+)?$/;
const needsQuotes = /[",\r\n]/;

/** One line with its end. A text that a spreadsheet would run gets an apostrophe in front; numbers stay as they are. */
export function csvLine(cells: readonly (string | null | undefined)[]): string {
  return `${cells.map((cell) => csvCell(cell ?? "")).join(",")}\r\n`;
}

function csvCell(text: string): string {
  const inert = formulaStart.test(text) && !number.test(text) ? `'${text}` : text;
  return needsQuotes.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
