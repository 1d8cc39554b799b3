/** What a PDF shows of a document, as the data that it is set from: bounded, whatever the document has. */
import { paperFigure } from "../../contract/paper-figure.ts";
import { cellText, nodeOnPaper, paperColumns } from "../../contract/report-paper.ts";
import type { ReportCell, ReportDocument, ReportSection } from "../../contract/reports.ts";
import { createPace, type Pace } from "../../fairness/pace.ts";
import { formatInstant } from "../../metrics/windows.ts";
import { periodInWords } from "../period-in-words.ts";
import { chartOf } from "./chart.ts";
import { pdfFonts } from "./pdf-fonts.ts";
import { readable } from "./readable.ts";

/** More rows than this of a section, some sixty pages, are for the other formats: 2,000 took 400 MB to set, 5,000 took 600 MB. */
const maxRows = 2_000;
/** The same for all sections together. */
const maxRowsOfDocument = 4_000;
/** Cells of a section, which may have dozens of columns. */
const maxCells = 24_000;
/** Average of the rows of a section: a page has little room for more. */
const charactersPerRow = 800;
/** A cell of more is cut, visibly. */
const maxCharacters = 300;

export interface Logo {
  format: "png" | "jpg";
  content: Buffer;
}

export interface Brand {
  name?: string | undefined;
  color?: string | undefined;
  logo?: Logo | undefined;
}

/** All that a page says, each text with glyphs that the fonts have. It rests between rows. */
export async function pdfData(document: ReportDocument, brand: Brand) {
  const { names, legible } = pdfFonts();
  const { name, node_name, from, to, tz, watermark, made_at, definitions, sections } = document;
  const shares = sharesOf(
    sections.map(({ rows, columns }) =>
      Math.min(rows.length, maxRows, Math.floor(maxCells / Math.max(1, columns.length))),
    ),
    maxRowsOfDocument,
  );
  const pace = createPace();
  const data: Awaited<ReturnType<typeof dataOfSection>>[] = [];
  for (const [index, section] of sections.entries())
    data.push(await dataOfSection(section, shares[index] ?? 0, { legible, color: brand.color, pace }));
  const isOfDays = [from, to].every((one) => midnight.test(one));
  const period = isOfDays
    ? periodInWords(Date.parse(from), Date.parse(to), tz)
    : `${cellText(from, { type: "instant" })} to ${cellText(to, { type: "instant" })}`;
  return {
    fonts: names,
    color: readable(brand.color ?? inkColor),
    brand: brand.name === undefined && brand.logo === undefined ? null : brandData(brand, legible),
    wide: data.some(({ columns }) => columns.length > 7),
    title: legible(name),
    author: legible(node_name),
    foot: legible(`${name} · ${node_name} · ${period}`),
    lines: [
      nodeOnPaper(document),
      `${period} (${tz})`,
      `With everything received until ${clockOf(watermark, tz)}. Made on ${clockOf(made_at, tz)}.`,
    ].map(legible),
    definitions: definitions.map(({ meter, unit, how }) => ({
      meter: legible(meter),
      unit: legible(unit),
      how: legible(how),
    })),
    sections: data,
  };
}

const inkColor = "#111827";

function brandData({ name = "", logo }: Brand, legible: (text: string) => string) {
  return {
    name: legible(name),
    alt: legible(name === "" ? "Logo" : `Logo of ${name}`),
    logo: logo ? [...logo.content] : null,
    format: logo?.format ?? "png",
  };
}

/** Divides `total`: each gets what it wants up to an equal part, and what those leave goes to who wants more, in equal parts. */
export function sharesOf(wanted: readonly number[], total: number): number[] {
  const shares = [...wanted];
  let left = total;
  const ascending = [...wanted.keys()].sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  for (const [done, index] of ascending.entries()) {
    const share = Math.min(wanted[index] ?? 0, Math.floor(left / (ascending.length - done)));
    shares[index] = share;
    left -= share;
  }
  return shares;
}

interface Looks {
  legible: (text: string) => string;
  color: string | undefined;
  pace: Pace;
}

/** `share`: how many rows it may have at most. */
async function dataOfSection(section: ReportSection, share: number, { legible, color, pace }: Looks) {
  const { title, rows, totals } = section;
  const columns = paperColumns(section, paperFigure);
  const texts = (row: readonly ReportCell[]) =>
    columns.map(({ place, textOf }) => breakable(legible(cut(textOf(row[place] ?? null, row)))));
  const data: string[][] = [];
  let characters = 0;
  for (const row of rows.slice(0, share)) {
    const rest = pace.rest();
    if (rest) await rest;
    if (characters > share * charactersPerRow) break;
    const cells = texts(row);
    data.push(cells);
    for (const cell of cells) characters += cell.length;
  }
  return {
    title: legible(title),
    chart: chartData(section, legible, color),
    size: columns.length > 10 ? 6 : columns.length > 7 ? 7 : 8,
    columns: columns.map((column, index) => ({
      title: legible(column.title),
      number: column.isFigure,
      share: column.type === "text" ? shareOf([column.title, ...data.map((row) => row[index] ?? "")]) : null,
    })),
    rows: data,
    totals:
      totals.length === 0 ? [] : texts(totals).map((text, index) => (text === "" && index === 0 ? "Total" : text)),
    note:
      data.length < rows.length
        ? `The first ${data.length} of ${rows.length} rows; CSV, Excel, JSON and Parquet have all of them.`
        : null,
  };
}

/** Words in a picture have no replacement of their own for what no font has. */
function chartData(section: ReportSection, legible: (text: string) => string, color: string | undefined) {
  const columns = section.columns.map(({ title, unit, ...column }) => ({
    ...column,
    title: legible(title),
    unit: unit === null ? null : legible(unit),
  }));
  const chart = chartOf({ ...section, columns }, color);
  return chart ? { svg: chart.svg, alt: legible(chart.alt) } : null;
}

const midnight = /T00:00:00(?:\.0+)?(?:Z|[+-])/;

/** On the clock of the report's zone; empty for anything but an instant. */
function clockOf(instant: string, tz: string): string {
  const ms = Date.parse(instant);
  return Number.isNaN(ms) ? "" : cellText(formatInstant(ms, tz), { type: "instant" });
}

/** The share of a column of texts beside the others: by its longest text, so that a long name does not stand beside empty space. */
function shareOf(texts: readonly string[]): number {
  const longest = texts.reduce((most, { length }) => Math.max(most, length), 0);
  return Math.min(36, Math.max(14, longest + 2));
}

function cut(text: string): string {
  const characters = [...text];
  return characters.length > maxCharacters ? `${characters.slice(0, maxCharacters).join("")}…` : text;
}

/** Long words may break anywhere, so that no cell leaves its column. */
function breakable(text: string): string {
  return text.replace(/\S{24}/gu, "$&\u200B");
}
