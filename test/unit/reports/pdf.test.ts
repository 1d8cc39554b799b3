import type { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { expect, test } from "vitest";
import type { ReportDocument } from "../../../server/contract/reports.ts";
import { pdfOfDocument } from "../../../server/reports/render/pdf.ts";

const document = {
  ...{ name: "Usage", node: "all", node_name: "all", from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z" },
  ...{ tz: "UTC", watermark: "2026-02-01T00:00:00Z", made_at: "2026-02-01T00:00:00Z", definitions: [], sections: [] },
} as unknown as ReportDocument;

test("each PDF is set in a process that ends, one at a time: the server keeps nothing of it, and a core for who asks", async () => {
  let [begun, running, most] = [0, 0, 0];
  const began = (message: unknown) => {
    begun++;
    most = Math.max(most, ++running);
    (message as { process: ChildProcess }).process.once("exit", () => running--);
  };
  subscribe("child_process", began);
  const made = await Promise.all([1, 2, 3].map(() => pdfOfDocument(document).next()));
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
  await expect(pdfOfDocument(document, { logo }, ending.signal).next()).rejects.toBe(reason);
  await expect(pdfOfDocument(document, {}, ending.signal).next()).rejects.toBe(reason);
  unsubscribe("child_process", began);
  const [setter] = begun;
  if (!setter) throw new Error("no process was begun");
  if (setter.signalCode === null) await once(setter, "exit");
  expect([begun.length, setter.signalCode]).toEqual([1, "SIGKILL"]);
});
