/**
 * A document as PDF/UA-1 by Typst: tagged, its fonts embedded, the heads of tables repeated on each page. Texts reach it as
 * data and are never read as markup. It is set in a process of its own, which ends: a long table takes seconds, and hundreds of
 * megabytes that a thread would leave with the server.
 */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { buffer as readBytes, text as readText } from "node:stream/consumers";
import pLimit from "p-limit";
import { cellText, paperColumns } from "../../contract/report-paper.ts";
import type { ReportCell, ReportDocument, ReportSection } from "../../contract/reports.ts";
import { formatInstant } from "../../metrics/windows.ts";
import { periodInWords } from "../period-in-words.ts";
import { chartOf } from "./chart.ts";
import { pdfFonts } from "./pdf-fonts.ts";
import { readable } from "./readable.ts";

const require = createRequire(import.meta.url);

/** More rows than this of a section, some sixty pages, are for the other formats: 2,000 took 400 MB to set, 5,000 took 600 MB. */
const maxRows = 2_000;
/** A cell of more is cut, visibly. */
const maxCharacters = 300;
const maxMs = 120_000;
/** One at a time: each takes a core and hundreds of megabytes, and whoever asks a question meanwhile needs the other core. */
const inTurn = pLimit(1);

const template = `
#let data = json(bytes(sys.inputs.data))
#set document(title: data.title, author: data.author)
#set text(font: data.fonts, size: 9pt, lang: "en", fill: rgb("#111827"))
#set page(
  paper: "a4", flipped: data.wide, margin: (x: 1.6cm, top: 1.8cm, bottom: 1.8cm),
  footer: context grid(columns: (1fr, auto), text(size: 7pt, data.foot), text(size: 7pt)[Page #counter(page).display() of #counter(page).final().first()]),
)
#show heading.where(level: 1): set text(size: 18pt)
#show heading.where(level: 2): set text(size: 12pt)
#set par(justify: false)
#set table.cell(breakable: false)
#let cell-of(cell) = if cell.match(regex("^[^\\p{L}]*[\\p{Hebrew}\\p{Arabic}]")) != none { text(dir: rtl, cell) } else { text(cell) }
#if data.brand != none {
  grid(columns: (auto, 1fr), column-gutter: 8pt, align: horizon,
    if data.brand.logo != none { image(bytes(data.brand.logo), format: data.brand.format, height: 28pt, width: 120pt, fit: "contain", alt: data.brand.alt) },
    text(size: 12pt, weight: "bold", data.brand.name))
  v(6pt)
}
#show heading: set text(fill: rgb(data.color))
= #data.title
#for line in data.lines [#text(fill: rgb("#374151"), line) \\ ]
#for part in data.sections {
  heading(level: 2, part.title)
  if part.chart != none { figure(image(bytes(part.chart.svg), format: "svg", width: 100%, alt: part.chart.alt), alt: part.chart.alt) }
  if part.rows.len() == 0 { text(fill: rgb("#374151"))[Nothing in this period.] } else {
    set text(size: part.size * 1pt)
    table(
      columns: part.columns.map(c => if c.share == none { auto } else { c.share * 1fr }),
      align: (x, y) => if part.columns.at(x).number { right } else { left },
      stroke: (x, y) => (bottom: 0.4pt + rgb("#d1d5db")),
      inset: (x: 3pt, y: 3pt),
      table.header(repeat: true, ..part.columns.map(c => strong(c.title))),
      ..part.rows.flatten().map(cell-of),
      ..part.totals.map(cell => strong(cell)),
    )
    if part.note != none { text(size: 8pt, part.note) }
  }
}
#if data.definitions.len() > 0 {
  heading(level: 2)[Definitions]
  for one in data.definitions [#strong(one.meter) (#one.unit): #one.how \\ ]
}
`;

/** What the process runs. It is text, so that it needs no file of its own beside a built server. */
const compile = `
const { readFileSync } = require("node:fs");
const { compiler, fonts, template, data, atSeconds } = JSON.parse(readFileSync(0, "utf8"));
const { NodeCompiler } = require(compiler);
// Nothing is read from the workspace.
const typst = NodeCompiler.create({ workspace: "/", fontArgs: [{ fontBlobs: fonts.map((path) => readFileSync(path)) }] });
const pdf = typst.pdf({ mainFileContent: template, inputs: { data } }, { pdfStandard: "ua-1", creationTimestamp: atSeconds });
process.stdout.write(pdf);
`;

export interface Logo {
  format: "png" | "jpg";
  content: Buffer;
}

export interface Brand {
  name?: string | undefined;
  color?: string | undefined;
  logo?: Logo | undefined;
}

/**
 * A brand whose logo cannot be drawn is left without it: a report is worth more than its looks. What aborts `signal` ends the
 * process, and is thrown.
 */
export async function* pdfOfDocument(
  document: ReportDocument,
  brand: Brand = {},
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const atSeconds = Math.floor(Date.parse(document.made_at) / 1000);
  if (brand.logo === undefined) yield await setPdf(dataOf(document, brand), atSeconds, signal);
  else
    yield await setPdf(dataOf(document, brand), atSeconds, signal).catch(() =>
      setPdf(dataOf(document, { ...brand, logo: undefined }), atSeconds, signal),
    );
}

/** Whether it is a picture that a PDF can hold. */
export async function drawsLogo(logo: Logo): Promise<boolean> {
  const empty = { report: "", name: "Logo", kind: "usage", node: "all", node_name: "all", tz: "UTC" } as const;
  const times = { from: "2026-01-01", to: "2026-01-02", watermark: "", made_at: "" };
  const data = dataOf({ ...empty, ...times, definitions: [], sections: [] }, { logo });
  return await setPdf(data, 0).then(
    () => true,
    () => false,
  );
}

const setPdf = (data: object, atSeconds: number, signal?: AbortSignal) =>
  inTurn(() => setInProcess(data, atSeconds, signal));

async function setInProcess(data: object, atSeconds: number, signal: AbortSignal | undefined): Promise<Buffer> {
  signal?.throwIfAborted();
  const given = {
    compiler: require.resolve("@myriaddreamin/typst-ts-node-compiler"),
    fonts: pdfFonts().paths,
    ...{ template, data: JSON.stringify(data), atSeconds },
  };
  // Without the server's environment, which has its secrets.
  const setter = spawn(process.execPath, ["--input-type=commonjs", "--eval", compile], {
    ...{ stdio: "pipe", env: {}, timeout: maxMs, killSignal: "SIGKILL", signal },
  });
  // It may end before it has read everything; how it ended says why.
  setter.stdin.on("error", () => undefined).end(JSON.stringify(given));
  const ended = new Promise<number | null>((resolve, reject) =>
    setter.once("error", (error) => reject(signal?.aborted ? signal.reason : error)).once("close", resolve),
  );
  const [pdf, reason, code] = await Promise.all([readBytes(setter.stdout), readText(setter.stderr), ended]);
  if (code !== 0 || pdf.length === 0)
    throw new Error("the PDF could not be set", { cause: code === null ? "it took too long" : reason.slice(-2_000) });
  return pdf;
}

function dataOf(document: ReportDocument, brand: Brand) {
  const { names, legible } = pdfFonts();
  const { name, node, node_name, from, to, tz, watermark, made_at, definitions, sections } = document;
  const shown = node === node_name ? node : `${node_name} (${node})`;
  const data = sections.map((section) => dataOfSection(section, legible, brand.color));
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
      shown,
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

function dataOfSection(section: ReportSection, legible: (text: string) => string, color: string | undefined) {
  const { title, rows, totals } = section;
  const columns = paperColumns(section);
  const isCut = rows.length > maxRows;
  const texts = (row: readonly ReportCell[]) =>
    columns.map(({ place, textOf }) => breakable(legible(cut(textOf(row[place] ?? null)))));
  const data = rows.slice(0, maxRows).map(texts);
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
    note: isCut ? `The first ${maxRows} of ${rows.length} rows; CSV, Excel, JSON and Parquet have all.` : null,
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

/** On the clock of the report's zone; empty of what is no instant. */
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
