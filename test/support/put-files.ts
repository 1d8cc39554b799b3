/** Where the operator keeps what schedules put there: what it holds, beside what the run says. */
import { hash } from "node:crypto";
import { expect } from "vitest";
import type { ReportRun } from "../../server/contract/reports.ts";
import type { Bucket } from "../../server/reports/bucket.ts";

interface PutFile {
  name: string;
  sha256: string;
}

/** The bucket, whose disk is full at the first file that ends with `.json`, and free again after it. */
export function fullOnce(bucket: Bucket): Bucket {
  let wasFull = false;
  return {
    async put(file) {
      if (!wasFull && file.path.endsWith(".json")) {
        wasFull = true;
        throw Object.assign(new Error("/secret/place is full"), { code: "ENOSPC" });
      }
      await bucket.put(file);
    },
  };
}

/** Every file that `report.json` names is there as the run has it, and nothing else is. */
export async function checkPut(
  { slot, path, run }: { slot: { id: string; from: string; to: string }; path: string; run: ReportRun },
  read: (path: string) => Promise<Buffer>,
): Promise<string[]> {
  const about = JSON.parse((await read(`${path}/report.json`)).toString("utf8"));
  expect(about).toMatchObject({ slot: slot.id, run: run.id, from: slot.from, to: slot.to, node: run.node });
  expect(JSON.stringify(about)).not.toContain("signature");
  const files = about.files as PutFile[];
  for (const { name, sha256 } of files) expect(hash("sha256", await read(`${path}/${name}`), "hex"), name).toBe(sha256);
  const ofRun = run.files.flatMap(({ sections, sha256 }) => (sections ?? [{ sha256 }]).map((one) => one.sha256));
  expect(files.map(({ sha256 }) => sha256)).toEqual(ofRun);
  return [...files.map(({ name }) => name), "report.json"].sort();
}
