import { expect, test, vi } from "vitest";
import type { ReportDocument } from "../../../server/contract/reports.ts";
import { pdfOfDocument } from "../../../server/reports/render/pdf.ts";

const processes = vi.hoisted(() => ({ begun: 0, running: 0, most: 0 }));
vi.mock("node:child_process", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:child_process")>();
  const spawn = (...asked: Parameters<typeof original.spawn>) => {
    const child = original.spawn(...asked);
    processes.begun++;
    processes.most = Math.max(processes.most, ++processes.running);
    child.once("exit", () => processes.running--);
    return child;
  };
  return { ...original, spawn };
});

const document = {
  ...{ name: "Usage", node: "all", node_name: "all", from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z" },
  ...{ tz: "UTC", watermark: "2026-02-01T00:00:00Z", made_at: "2026-02-01T00:00:00Z", definitions: [], sections: [] },
} as unknown as ReportDocument;

test("each PDF is set in a process that ends, one at a time: the server keeps nothing of it, and a core for who asks", async () => {
  const made = await Promise.all([1, 2, 3].map(() => pdfOfDocument(document).next()));
  for (const { value } of made) expect(Buffer.from(value).subarray(0, 5).toString()).toBe("%PDF-");
  expect(processes).toEqual({ begun: 3, running: 0, most: 1 });
});
