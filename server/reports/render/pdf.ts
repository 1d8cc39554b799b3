/**
 * A document as PDF/UA-1 by Typst: tagged, its fonts embedded, the heads of tables repeated on each page. Texts reach it as
 * data and are never read as markup. It is set in a process of its own, which ends: a long table takes seconds, and hundreds of
 * megabytes that a thread would leave with the server.
 */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { buffer as readBytes, text as readText } from "node:stream/consumers";
import type { ReportDocument } from "../../contract/reports.ts";
import { SerialTurns } from "../../fairness/serial-turns.ts";
import { type Brand, type Logo, pdfData } from "./pdf-data.ts";
import { pdfFonts } from "./pdf-fonts.ts";

const require = createRequire(import.meta.url);

const maxMs = 120_000;
/** Maximum size of the JavaScript heap; what the typesetter takes beside it is bounded by what it is given. */
const maxHeapMegabytes = 256;
/** One at a time: each takes a core and hundreds of megabytes, and whoever asks a question meanwhile needs the other core. */
const documents = new SerialTurns();
/** Somebody waits for the answer, which takes a moment. */
const logos = new SerialTurns();

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

/**
 * What the process runs. It is text, so that it needs no file of its own beside a built server. Setting holds its thread: another one
 * sees a pipe close that the server holds, and ends what nobody waits for.
 */
const compile = `
const { readFileSync } = require("node:fs");
const { Worker } = require("node:worker_threads");
const watch = 'new (require("node:net").Socket)({ fd: 3 }).on("close", () => process.kill(process.pid, "SIGKILL")).resume()';
new Worker(watch, { eval: true }).unref();
const given = readFileSync(0, "utf8");
const end = given.indexOf("\\n");
const { compiler, fonts, template, atSeconds } = JSON.parse(given.slice(0, end));
const { NodeCompiler } = require(compiler);
// Nothing is read from the workspace.
const typst = NodeCompiler.create({ workspace: "/", fontArgs: [{ fontBlobs: fonts.map((path) => readFileSync(path)) }] });
const pdf = typst.pdf({ mainFileContent: template, inputs: { data: given.slice(end + 1) } }, { pdfStandard: "ua-1", creationTimestamp: atSeconds });
process.stdout.write(pdf, () => process.exit(0));
`;

/** For whom one is set. */
export interface PdfTurn {
  /** Those of one tenant wait for each other; of those that wait, the tenant whose last turn was the longest ago is the next. */
  tenant: string;
  /** What aborts it ends the process, and is thrown. */
  signal?: AbortSignal | undefined;
  /** Called while it waits for its turn; what it gives is called when that is over. */
  waiting?: (() => () => void) | undefined;
}

/** The process was ended from outside, by its time or for its memory: it would be again. */
class EndedError extends Error {
  override name = "EndedError";
}

/** A brand whose logo cannot be drawn is left without it: a report is worth more than its looks. */
export async function* pdfOfDocument(
  document: ReportDocument,
  brand: Brand,
  turn: PdfTurn,
): AsyncGenerator<Uint8Array> {
  const atSeconds = Math.floor(Date.parse(document.made_at) / 1000);
  const set = (asked: Brand) =>
    inTurn(documents, turn, async () => await setInProcess(await pdfData(document, asked), atSeconds, turn.signal));
  if (brand.logo === undefined) yield await set(brand);
  else
    yield await set(brand).catch((error: unknown) => {
      if (error instanceof EndedError || turn.signal?.aborted) throw error;
      return set({ ...brand, logo: undefined });
    });
}

/** Whether it is a picture that a PDF can hold. */
export async function drawsLogo(logo: Logo, tenant: string): Promise<boolean> {
  const empty = { report: "", name: "Logo", kind: "usage", node: "all", node_name: "all", tz: "UTC" } as const;
  const times = { from: "2026-01-01", to: "2026-01-02", watermark: "", made_at: "" };
  const data = await pdfData({ ...empty, ...times, definitions: [], sections: [] }, { logo });
  return await inTurn(logos, { tenant }, () => setInProcess(data, 0, undefined)).then(
    () => true,
    () => false,
  );
}

async function inTurn(
  turns: SerialTurns,
  { tenant, signal, waiting }: PdfTurn,
  set: () => Promise<Buffer>,
): Promise<Buffer> {
  const waited = waiting?.();
  const over = await turns.take(tenant, signal).finally(() => waited?.());
  try {
    return await set();
  } finally {
    over();
  }
}

async function setInProcess(data: object, atSeconds: number, signal: AbortSignal | undefined): Promise<Buffer> {
  signal?.throwIfAborted();
  const compiler = require.resolve("@myriaddreamin/typst-ts-node-compiler");
  const given = JSON.stringify({ compiler, fonts: pdfFonts().paths, template, atSeconds });
  const limits = [`--max-old-space-size=${maxHeapMegabytes}`];
  // Without the server's environment, which has its secrets.
  const setter = spawn(process.execPath, [...limits, "--input-type=commonjs", "--eval", compile], {
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    env: {},
    timeout: maxMs,
    killSignal: "SIGKILL",
    signal,
  });
  // It may end before it has read everything; how it ended says why.
  setter.stdin.on("error", () => undefined).end(`${given}\n${JSON.stringify(data)}`);
  const ended = new Promise<number | null>((resolve, reject) =>
    setter.once("error", (error) => reject(signal?.aborted ? signal.reason : error)).once("close", resolve),
  );
  const [pdf, reason, code] = await Promise.all([readBytes(setter.stdout), readText(setter.stderr), ended]);
  if (code === null) throw new EndedError("the PDF could not be set: it took too long, or too much");
  if (code !== 0 || pdf.length === 0) throw new Error("the PDF could not be set", { cause: reason.slice(-2_000) });
  return pdf;
}
