/** The files of a scheduled report in the operator's bucket: one folder for each slot, which has all of them once `report.json` is in it. */
import { hash } from "node:crypto";
import type { Logger } from "pino";
import type { DeliveryRow, Outcome } from "../delivery/outbox.ts";
import { again, never } from "../delivery/posted.ts";
import type { Postgres } from "../postgres/client.ts";
import { type Bucket, pathSegment } from "./bucket.ts";
import { fileName } from "./file-name.ts";
import { mediaTypes } from "./render/render-format.ts";
import { listFiles, readFile } from "./run-files.ts";
import { readRun } from "./runs.ts";

/** The part of a message that says which files are put, beside all that `report.json` says. */
interface PutMessage {
  run: string;
}

/** Such as `organization/acme/sch_1/2026-03-01_2026-04-01_slt_1`: the same at each attempt, and of no other slot. */
export function folderOf(
  { node, id: schedule }: { node: string; id: string },
  { id: slot, from, to }: { id: string; from: string; to: string },
): string {
  const [kind = "", ...id] = node.split(":");
  const place = id.length === 0 ? [kind] : [kind, id.join(":")];
  const instant = (text: string) => text.replace(/T00:00:00.*$/, "").replace(/:/g, "-");
  return [...place, schedule, `${instant(from)}_${instant(to)}_${slot}`].map(pathSegment).join("/");
}

/** Stores again what an attempt before has stored: it is the same. */
export async function putReport(
  { postgres: { db }, log }: { postgres: Postgres; log: Pick<Logger, "warn"> },
  bucket: Bucket,
  { id, to, message }: Pick<DeliveryRow, "id" | "to" | "message">,
): Promise<Outcome> {
  const data = message.data as PutMessage;
  const run = await readRun(db, data.run);
  if (!run || to === null) return never("the report's files are no longer kept");
  try {
    for (const file of await listFiles(db, [run.id])) {
      if (file.format === "document") continue;
      const { bytes, sha256 } = file;
      const path = `${to}/${pathSegment(fileName(run, file))}`;
      await bucket.put({ path, contentType: mediaTypes[file.format], bytes, sha256, content: readFile(db, file) });
    }
    await bucket.put({ path: `${to}/report.json`, ...aboutFile(data) });
  } catch (error) {
    log.warn({ err: error, delivery: id }, "a report could not be put into the bucket: see TIDEMARK_REPORTS_BUCKET");
    // Where the operator keeps them is nobody else's business.
    const { code, name } = error as { code?: unknown; name?: string };
    return again(`the files could not be stored (${String(code ?? name).slice(0, 60)})`);
  }
  return { result: "sent", status: null, excerpt: "stored" };
}

function aboutFile(data: PutMessage) {
  const content = Buffer.from(`${JSON.stringify(data, undefined, 2)}\n`);
  const sha256 = hash("sha256", content, "hex");
  return { contentType: "application/json", bytes: content.length, sha256, content: onePiece(content) };
}

async function* onePiece(content: Buffer): AsyncGenerator<Buffer> {
  yield content;
}
