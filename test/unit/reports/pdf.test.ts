import type { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import type { ReportDocument } from "../../../server/contract/reports.ts";
import { pdfOfDocument } from "../../../server/reports/render/pdf.ts";

const document = {
  ...{ name: "Usage", node: "all", node_name: "all", from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z" },
  ...{ tz: "UTC", watermark: "2026-02-01T00:00:00Z", made_at: "2026-02-01T00:00:00Z", definitions: [], sections: [] },
} as unknown as ReportDocument;

test("however many PDFs are asked for, one is set at a time: a core is left for who asks questions", async () => {
  let [running, most] = [0, 0];
  const began = (worker: Worker) => {
    running++;
    most = Math.max(most, running);
    worker.once("exit", () => running--);
  };
  process.on("worker", began);
  const made = await Promise.all([1, 2, 3].map(() => pdfOfDocument(document).next()));
  process.off("worker", began);
  for (const { value } of made) expect(Buffer.from(value).subarray(0, 5).toString()).toBe("%PDF-");
  expect(most).toBe(1);
});
