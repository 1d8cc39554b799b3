/** CSV as RFC 4180 has it, made so that no spreadsheet takes what a stranger sent for a formula. */

/** The start of a formula: what a spreadsheet leaves out, then a sign. For text in its compatibility form, where a full-width sign is a plain one. */
const formulaStart = /^(?:\p{Cc}|[\p{Z}\p{Cf}]*[=+\-@])/u;
const number = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;
const needsQuotes = /[",\r\n]/;

/** Nothing that is left out before a sign is longer in any text that is kept. */
const longestStart = 256;

/** One line with its end. A text that a spreadsheet would run gets an apostrophe in front; numbers stay as they are. */
export function csvLine(cells: readonly (string | null | undefined)[]): string {
  return `${cells.map((cell) => csvCell(cell ?? "")).join(",")}\r\n`;
}

function csvCell(text: string): string {
  const isRun = formulaStart.test(text.slice(0, longestStart).normalize("NFKC")) && !number.test(text);
  const inert = isRun ? `'${text}` : text;
  return needsQuotes.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
