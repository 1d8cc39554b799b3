/** Each report in each format, opened by a reader that did not write it: every figure is the document's. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { strFromU8, unzipSync } from "fflate";
import readWorkbook from "read-excel-file/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ReportDocument, ReportFormat, ReportRun, ReportSection } from "../../../server/contract/reports.ts";
import { parseCsv } from "../../support/parse-csv.ts";
import { createReportsWorld, hostileNames, type ReportsWorld, reseller } from "../../support/reports-world.ts";

const run = promisify(execFile);
const formats: ReportFormat[] = ["csv", "xlsx", "pdf", "json", "parquet"];
const kinds = ["usage", "billing", "activity", "organizations", "financial", "audit", "custom"];

let world: ReportsWorld;
let folder: string;
const made = new Map<string, { run: ReportRun; document: ReportDocument }>();

beforeAll(async () => {
  world = await createReportsWorld();
  folder = await mkdtemp(join(tmpdir(), "tidemark-reports-"));
  const options = { meters: ["transcribed_minutes"], group_by: "organization", window: "day" };
  const body = { name: hostileNames[0], kind: "custom", node: reseller, options };
  const saved = await world.ask("POST", "/v1/reports", { key: world.key, body });
  for (const kind of kinds) {
    const until = kind === "audit" ? { to: "2050-01-01" } : {};
    const one = await world.run(kind === "custom" ? saved.body.id : kind, { formats, ...until });
    made.set(kind, { run: one, document: await world.document(one) });
  }
});
afterAll(async () => {
  await world?.close();
  await rm(folder, { recursive: true, force: true });
});

const documentOf = (kind: string) => made.get(kind)?.document as ReportDocument;
async function fileOf(kind: string, format: ReportFormat, section?: string): Promise<Buffer> {
  const file = made.get(kind)?.run.files.find((one) => one.format === format);
  const url = section === undefined ? file?.url : file?.sections?.find((one) => one.section === section)?.url;
  return await world.bytes(url ?? "nothing");
}
const isNumeric = (type: string) => ["integer", "decimal", "money", "percent"].includes(type);

test.each(kinds)("CSV of %s has every cell, texts inert and figures exact", async (kind) => {
  for (const { id, columns, rows } of documentOf(kind).sections) {
    const [head, ...lines] = parseCsv((await fileOf(kind, "csv", id)).toString("utf8"));
    expect(head).toEqual(columns.map(({ key }) => key));
    const said = rows.map((row) => row.map((cell) => (cell === null ? "" : String(cell))));
    expect(lines.map((line) => line.map((cell) => cell.replace(/^'(?=[=+\-@\p{Z}\p{Cf}])/u, "")))).toEqual(said);
    for (const cell of lines.flat()) expect(cell).not.toMatch(/^(?:[=+@]|-\D)/);
  }
});

test.each(kinds)("Excel of %s has a sheet for each section with typed cells", async (kind) => {
  const bytes = await fileOf(kind, "xlsx");
  const sheets = await readWorkbook(bytes);
  const { sections } = documentOf(kind);
  expect(sheets).toHaveLength(sections.length + 1);
  for (const [index, section] of sections.entries()) checkSheet(sheets[index]?.data as unknown[][], section);
});

function checkSheet(data: unknown[][], { id, columns, rows, totals }: ReportSection): void {
  expect(data[0]?.length, id).toBe(columns.length);
  expect(data.length).toBe(1 + rows.length + (totals.length > 0 ? 1 : 0));
  for (const [at, row] of rows.entries())
    for (const [index, { type }] of columns.entries()) {
      const [cell, wanted] = [data[at + 1]?.[index] ?? null, row[index] ?? null];
      if (wanted === null) expect(cell).toBeNull();
      else if (isNumeric(type)) expect(cell).toBe(Number(wanted));
      else if (type === "text") expect(cell).toBe(String(wanted).trim());
      else if (type === "boolean") expect(cell).toBe(wanted);
      else expect((cell as Date).toISOString().slice(0, 19)).toBe(String(wanted).slice(0, 19));
    }
}

test("a workbook has frozen heads, filters, sums as formulas, and no formula of a stranger", async () => {
  const parts = unzipSync(await fileOf("organizations", "xlsx"));
  const sheet = strFromU8(parts["xl/worksheets/sheet1.xml"] as Uint8Array);
  expect(sheet).toContain('state="frozen"');
  expect(sheet).toContain('<autoFilter ref="A1:O3"/>');
  expect(sheet).toMatch(/<f>SUM\(J2:J3\)<\/f><v>19\.623456789<\/v>/);
  const formulas = Object.values(parts).flatMap((part) => strFromU8(part).match(/<f>[^<]*<\/f>/g) ?? []);
  for (const formula of formulas) expect(formula).toMatch(/^<f>SUM\([A-Z]+2:[A-Z]+\d+\)<\/f>$/);
});

test.each(kinds)("ClickHouse reads what it needs of the Parquet of %s", async (kind) => {
  for (const { id, columns, rows } of documentOf(kind).sections) {
    const path = join(folder, `${kind}-${id}.parquet`);
    const bytes = await fileOf(kind, "parquet", id);
    await writeFile(path, bytes);
    expect(bytes.subarray(0, 4).toString()).toBe("PAR1");
    if (rows.length === 0) continue;
    const sql = `SELECT * FROM format(Parquet, unhex('${bytes.toString("hex")}')) FORMAT JSONCompactEachRow`;
    const parts: Buffer[] = [];
    for await (const part of world.deps.clickhouse.selectBytes(sql, {})) parts.push(part);
    const read = Buffer.concat(parts)
      .toString("utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown[]);
    expect(read).toHaveLength(rows.length);
    for (const [at, row] of rows.entries())
      for (const [index, { type }] of columns.entries()) {
        const [cell, wanted] = [read[at]?.[index] ?? null, row[index] ?? null];
        if (wanted === null) expect(cell).toBeNull();
        else if (type === "decimal" || type === "money") expect(Number(cell)).toBe(Number(wanted));
        else if (type === "instant")
          expect(Date.parse(`${String(cell).replace(" ", "T")}Z`)).toBe(Date.parse(String(wanted)));
        else expect(cell).toEqual(wanted);
      }
  }
});

test.each(kinds)("the PDF of %s is tagged, its fonts embedded, and has every figure", async (kind) => {
  const path = join(folder, `${kind}.pdf`);
  await writeFile(path, await fileOf(kind, "pdf"));
  const { stdout: info } = await run("pdfinfo", [path]);
  expect(info).toMatch(/Tagged:\s+yes/);
  const { stdout: fonts } = await run("pdffonts", [path]);
  const lines = fonts.trim().split("\n").slice(2);
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).toMatch(/ yes yes yes\s+\d+\s+\d+$/);
  const { stdout } = await run("pdftotext", ["-raw", path, "-"], { maxBuffer: 64e6 });
  const words = stdout.split(/\s+/);
  expect(words.join(" ")).toMatch(/Page 1 of \d+/);
  // In the order of its sections, rows and columns, so that no figure stands in for another.
  let place = 0;
  for (const { id, columns, rows, totals } of documentOf(kind).sections)
    for (const row of [...rows, totals])
      for (const [index, { type }] of columns.entries()) {
        const cell = row[index] ?? null;
        if (!isNumeric(type) || cell === null) continue;
        place = words.findIndex((word, at) => at >= place && isOnPaper(word, Number(cell))) + 1;
        expect(place, `${id}: ${cell}`).toBeGreaterThan(0);
      }
});

/** With its thousands apart, and the figure but for what its last decimal is rounded by. */
function isOnPaper(word: string, figure: number): boolean {
  const [, sign, whole = "", decimals = ""] = /^(−?)(\d{1,3}(?:,\d{3})*)(?:\.(\d+))?$/.exec(word) ?? [];
  if (whole === "") return false;
  const read = Number(`${sign ? "-" : ""}${whole.replaceAll(",", "")}.${decimals}`);
  return Math.abs(read - figure) <= 0.5000001 * 10 ** -decimals.length && (decimals.length > 0 || read === figure);
}

test("hostile names are legible in a PDF and nothing in them is markup", async () => {
  const path = join(folder, "names.pdf");
  await writeFile(path, await fileOf("organizations", "pdf"));
  const text = (await run("pdftotext", ["-raw", path, "-"])).stdout.replace(/\s+/g, "");
  for (const part of ['#panic("x")', "*bold*", "{{7*7}}", "<script>", "漢字", "한글", "😀", "Ωμέγα", "Привет"])
    expect(text, part).toContain(part.replace(/\s+/g, ""));
  // What no font has, and what would turn the rest around, is seen to be missing.
  expect(text).toContain("\uFFFD");
  expect(text).not.toContain("\u202E");
});
