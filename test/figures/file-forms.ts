/** The files of a question: CSV, XLSX and lines have the same cells, and their numbers are those of the JSON. */
import type { Api } from "./ask-api.ts";
import type { Compared } from "./compared.ts";
import { plain } from "./decimals.ts";
import { collect } from "./recorded-answers.ts";

/** Of long lists the first rows: of a file all rows are made alike. */
const rowsOfList = 100;
/** What moves while it is asked is asked again. */
const attempts = 4;

/** Asks until the JSON was the same before and after, so that all forms are of one moment; undefined where it never is. */
export async function ofOneMoment<Answer, Rest>(
  api: Api,
  path: string,
  rest: () => Promise<Rest>,
): Promise<{ answer: Answer; rest: Rest } | undefined> {
  let before = await api.json<Answer>(path);
  for (let attempt = 0; attempt < attempts; attempt++) {
    const found = await rest();
    const after = await api.json<Answer>(path);
    if (still(before) === still(after)) return { answer: before, rest: found };
    before = after;
  }
  return undefined;
}

/** Without what says when it was asked. */
const still = (answer: unknown): string =>
  JSON.stringify(answer, (key, value: unknown) => (/^(watermark|at|next_cursor)$/.test(key) ? undefined : value));

/** CSV beside those of the others that the page offers. */
export async function compareForms(
  api: Api,
  compared: Compared,
  place: string,
  asked: string,
  offered: ReadonlySet<string>,
): Promise<void> {
  const path = await bounded(api, asked);
  const both = await ofOneMoment(api, path, async () => ({
    csv: await api.csv(path),
    sheet: offered.has("xlsx") ? await api.sheet(path) : undefined,
    lines: offered.has("ndjson") ? await api.lines(path) : undefined,
  }));
  if (!both) {
    compared.count(place, "files that moved");
    return;
  }
  const { csv, sheet, lines } = both.rest;
  const numbers = new Set<string>();
  collect(both.answer, numbers);
  if (sheet) sameCells(compared, place, asked, csv, sheet);
  const [head = [], ...rows] = csv;
  const listed = rowsListed(both.answer);
  if (lines && rows.length !== lines.length)
    compared.differ(place, `${asked}: ${rows.length} rows of CSV, ${lines.length} lines of JSON`);
  for (const [at, row] of rows.entries())
    for (const [column, name] of head.entries()) {
      const cell = row[column] ?? "";
      const number = plain(cell);
      const line = lines?.[at] ?? {};
      // A line is an object as the JSON has it, which a table writes in several columns.
      if (lines && name in line && typeof line[name] !== "object")
        compared.same(place, "CSV = lines", `${asked} row ${at + 1} ${name}`, textOf(line[name]), number ?? cell);
      if (number === undefined || at >= listed) continue;
      compared.count(place, "CSV = JSON");
      if (!numbers.has(number))
        compared.differ(place, `${asked}: the CSV has ${number} (row ${at + 1}, ${name}), the JSON does not`);
    }
}

/** Some files have all rows, however many one answer lists. */
function rowsListed(answer: unknown): number {
  const { next_cursor: more, ...parts } = answer as { next_cursor?: string | null };
  const lengths = Object.values(parts).map((part: unknown) => (Array.isArray(part) ? part.length : 0));
  return typeof more === "string" ? Math.max(...lengths) : Number.POSITIVE_INFINITY;
}

async function bounded(api: Api, path: string): Promise<string> {
  const { next_cursor: more } = await api.json<{ next_cursor?: string | null }>(path);
  return typeof more === "string" ? `${path}${path.includes("?") ? "&" : "?"}limit=${rowsOfList}` : path;
}

const textOf = (value: unknown): string =>
  plain(value) ??
  (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));

/** XLSX has doubles for numbers, and dates for instants, which have no zone there. */
export function sameCells(
  compared: Compared,
  place: string,
  asked: string,
  csv: readonly (readonly string[])[],
  sheet: readonly (readonly unknown[])[],
): void {
  if (csv.length !== sheet.length)
    compared.differ(place, `${asked}: ${csv.length} rows of CSV, ${sheet.length} of the sheet`);
  for (const [at, row] of csv.entries())
    for (const [column, cell] of row.entries()) {
      const found = sheet[at]?.[column] ?? "";
      const which = `${asked} row ${at} column ${column}`;
      if (at === 0 || found instanceof Date) continue;
      if (typeof found === "number" && plain(cell) !== undefined)
        compared.same(place, "CSV = XLSX", which, String(found), String(Number(cell)));
      else compared.same(place, "CSV = XLSX", which, textOf(found), textOf(cell));
    }
}
