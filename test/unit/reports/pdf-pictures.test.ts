/**
 * PDFs as a person sees them, beside pictures that somebody looked at: `pictures/*.png`. After a wanted change look at what was
 * drawn, in the folder that the failure names, and put it in their place.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PNG } from "pngjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ReportDocument } from "../../../server/contract/reports.ts";
import { pdfOfDocument } from "../../../server/reports/render/pdf.ts";
import { longDocument, shortDocument } from "../../support/report-documents.ts";

const run = promisify(execFile);
const pictures = new URL("pictures/", import.meta.url);
/** Edges of letters may be drawn otherwise by another version of the reader. */
const maxApart = 64;
const maxShare = 0.01;

let folder: string;
let isAlike = true;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidemark-pictures-"));
});
afterAll(async () => {
  if (isAlike) await rm(folder, { recursive: true, force: true });
});

async function setTo(name: string, document: ReportDocument): Promise<string> {
  const path = join(folder, `${name}.pdf`);
  for await (const bytes of pdfOfDocument(document, {}, { tenant: "all" })) await writeFile(path, bytes, { flag: "a" });
  return path;
}

async function pagesOf(path: string): Promise<number> {
  const { stdout } = await run("pdfinfo", [path]);
  return Number(/^Pages:\s+(\d+)$/m.exec(stdout)?.[1]);
}

async function draw(path: string, name: string, page: number): Promise<string> {
  const drawn = join(folder, name);
  await run("pdftoppm", [
    "-png",
    "-gray",
    "-r",
    "60",
    "-singlefile",
    "-f",
    String(page),
    "-l",
    String(page),
    path,
    drawn,
  ]);
  return `${drawn}.png`;
}

async function checkPicture(path: string, name: string, page: number): Promise<PNG> {
  const drawnAt = await draw(path, name, page);
  const drawn = PNG.sync.read(await readFile(drawnAt));
  const wanted = PNG.sync.read(await readFile(new URL(`${name}.png`, pictures)));
  isAlike &&= drawn.width === wanted.width && drawn.height === wanted.height && shareApart(drawn, wanted) <= maxShare;
  expect([drawn.width, drawn.height]).toEqual([wanted.width, wanted.height]);
  expect(shareApart(drawn, wanted), `${drawnAt} beside ${name}.png`).toBeLessThanOrEqual(maxShare);
  return drawn;
}

/** The share among the pixels that either has anything in. */
function shareApart(one: PNG, other: PNG): number {
  let [inked, apart] = [0, 0];
  for (let at = 0; at < one.data.length; at += 4) {
    const [first = 0, second = 0] = [one.data[at], other.data[at]];
    if (Math.min(first, second) < 250) inked++;
    if (Math.abs(first - second) > maxApart) apart++;
  }
  return apart / inked;
}

test("a month stands on one page with its chart and sums, dark on white", async () => {
  const path = await setTo("month", shortDocument());
  expect(await pagesOf(path)).toBe(1);
  const { data } = await checkPicture(path, "month", 1);
  const light = data.filter((level, at) => at % 4 === 0 && level > 200).length;
  expect(light / (data.length / 4)).toBeGreaterThan(0.7);
});

test("pages of long names, in both directions and of every script, repeat their heads and break no row", async () => {
  const path = await setTo("names", longDocument(400));
  const pages = await pagesOf(path);
  expect(pages).toBeGreaterThan(9);
  await checkPicture(path, "names", 5);
  const { stdout } = await run("pdftotext", ["-layout", path, "-"], { maxBuffer: 64e6 });
  const texts = stdout.split("\f").slice(0, pages);
  expect(texts).toHaveLength(pages);
  for (const [index, text] of texts.entries()) {
    const [head = "", first = ""] = text
      .split("\n")
      .filter((line) => line.trim() !== "")
      .slice(index === 0 ? -100 : 0);
    if (index > 0) expect(head).toMatch(/Node\s+Name\s+Status/);
    if (index > 0) expect(first).toMatch(/^\s*organization:customer-\d+/);
    expect(text).toContain(`Page ${index + 1} of ${pages}`);
  }
});

test("a picture of another page differs from the one that is wanted", async () => {
  const path = await setTo("other", { ...longDocument(60), name: "Another" });
  const other = PNG.sync.read(await readFile(await draw(path, "other", 1)));
  const wanted = PNG.sync.read(await readFile(new URL("names.png", pictures)));
  expect(shareApart(other, wanted)).toBeGreaterThan(10 * maxShare);
});
