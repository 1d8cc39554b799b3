import type { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { expect, test } from "vitest";
import type { ReportDocument } from "../../../server/contract/reports.ts";
import { pdfOfDocument } from "../../../server/reports/render/pdf.ts";
import { pdfData, sharesOf } from "../../../server/reports/render/pdf-data.ts";

const document = {
  name: "Usage",
  node: "all",
  node_name: "all",
  from: "2026-01-01T00:00:00Z",
  to: "2026-02-01T00:00:00Z",
  tz: "UTC",
  watermark: "2026-02-01T00:00:00Z",
  made_at: "2026-02-01T00:00:00Z",
  definitions: [],
  sections: [],
} as unknown as ReportDocument;

const turn = { tenant: "reseller:r1" };

test("each PDF is set in a process that ends, one at a time: the server keeps nothing of it, and a core for who asks", async () => {
  let [begun, running, most] = [0, 0, 0];
  const began = (message: unknown) => {
    begun++;
    most = Math.max(most, ++running);
    (message as { process: ChildProcess }).process.once("exit", () => running--);
  };
  subscribe("child_process", began);
  const made = await Promise.all([1, 2, 3].map(() => pdfOfDocument(document, {}, turn).next()));
  unsubscribe("child_process", began);
  for (const { value } of made) expect(Buffer.from(value).subarray(0, 5).toString()).toBe("%PDF-");
  expect({ begun, running, most }).toEqual({ begun: 3, running: 0, most: 1 });
});

test("the process of a PDF ends at once with the run that it is for, and is not begun again without the logo", async () => {
  const ending = new AbortController();
  const reason = new Error("the run was cancelled");
  const begun: ChildProcess[] = [];
  const began = (message: unknown) => {
    const { process } = message as { process: ChildProcess };
    begun.push(process);
    process.once("spawn", () => ending.abort(reason));
  };
  subscribe("child_process", began);
  const logo = { format: "png" as const, content: Buffer.from("no picture") };
  await expect(pdfOfDocument(document, { logo }, { ...turn, signal: ending.signal }).next()).rejects.toBe(reason);
  await expect(pdfOfDocument(document, {}, { ...turn, signal: ending.signal }).next()).rejects.toBe(reason);
  unsubscribe("child_process", began);
  const [setter] = begun;
  if (!setter) throw new Error("no process was begun");
  if (setter.signalCode === null) await once(setter, "exit");
  expect([begun.length, setter.signalCode]).toEqual([1, "SIGKILL"]);
});

test("a PDF whose process was ended, for its time or its memory, is not set again without its logo", async () => {
  const begun: ChildProcess[] = [];
  const began = (message: unknown) => {
    const { process } = message as { process: ChildProcess };
    begun.push(process);
    process.once("spawn", () => process.kill("SIGKILL"));
  };
  subscribe("child_process", began);
  const logo = { format: "png" as const, content: Buffer.from("no picture") };
  await expect(pdfOfDocument(document, { logo }, turn).next()).rejects.toThrow("too long");
  unsubscribe("child_process", began);
  expect(begun).toHaveLength(1);
  expect(begun[0]?.spawnargs).toContainEqual(expect.stringMatching(/^--max-old-space-size=\d+$/));
});

test("a PDF has four thousand rows at most, whatever sections the document has: each what it wants, or an equal part", async () => {
  expect(sharesOf([10, 2_000, 30, 2_000, 2_000], 4_000)).toEqual([10, 1_320, 30, 1_320, 1_320]);
  expect(sharesOf([1, 2], 4_000)).toEqual([1, 2]);
  const columns = [{ key: "name", title: "Name", unit: null, type: "text" }];
  const sectionOf = (rows: string[][]) => ({ id: "s", title: "S", columns, rows, totals: [] });
  const names = (count: number, length: number) => Array.from({ length: count }, () => ["x ".repeat(length / 2)]);
  const made = async (sections: object[]) => {
    const { sections: set } = await pdfData({ ...document, sections } as ReportDocument, {});
    return set.map(({ rows, note }) => ({ rows: rows.length, note }));
  };
  const many = await made(Array.from({ length: 50 }, (_, n) => sectionOf(names(n === 0 ? 20 : 2_000, 10))));
  expect(many[0]).toEqual({ rows: 20, note: null });
  expect(many.reduce((sum, { rows }) => sum + rows, 0)).toBe(4_000);
  for (const { rows, note } of many.slice(1)) {
    expect([81, 82]).toContain(rows);
    expect(note).toContain(`The first ${rows} of 2000 rows`);
  }
  const wide = { ...sectionOf(names(2_000, 10)), columns: Array(48).fill(columns[0]) };
  expect(await made([wide])).toMatchObject([{ rows: 500 }]);
});
