/** The files of one run: its document, and the same in each of its formats. */
import { eq } from "drizzle-orm";
import type { Logger } from "pino";
import type { Postgres } from "../postgres/client.ts";
import { reportRuns } from "../postgres/schema/reports.ts";
import { reportSettingsAt } from "../tree/report-settings.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { logoOf } from "./logo.ts";
import { makeDocument } from "./make-document.ts";
import { jsonOfDocument } from "./render/json.ts";
import { renderFormat } from "./render/render-format.ts";
import type { ReportSource } from "./report-source.ts";
import { type FileKey, keepsTooMuch, keptBytes, removeFiles, storeFile, upTo } from "./run-files.ts";
import { questionOfRun, type RunRecord } from "./runs.ts";

export interface MakingFiles {
  source: ReportSource & { postgres: Postgres };
  log: Pick<Logger, "info" | "warn">;
  /** What the files of a tenant may come to. */
  maxBytes: number;
  now: () => number;
}

type Content = Parameters<typeof storeFile>[3];

export interface Ending {
  /** What aborts it ends the making. */
  signal: AbortSignal;
  /** Called while it waits for its turn; what it gives is called when that is over. */
  waiting: () => () => void;
}

/** `reach` is awaited with each percentage that is reached; what it throws ends the making. */
export async function makeFiles(
  making: MakingFiles,
  run: RunRecord,
  { signal, waiting }: Ending,
  reach: (percent: number) => Promise<void>,
): Promise<void> {
  const { source, now } = making;
  const { db } = source.postgres;
  await reach(5);
  // What an attempt before left counts against the tenant otherwise.
  await removeFiles(db, run.id);
  const document = await makeDocument(source, questionOfRun(run), { nowMs: now(), signal });
  await reach(50);
  await storeWithin(making, run, { format: "document", section: "" }, 0, jsonOfDocument(document));
  await db
    .update(reportRuns)
    .set({ watermark: new Date(document.watermark), madeAt: new Date(document.made_at) })
    .where(eq(reportRuns.id, run.id));
  const { branding } = await reportSettingsAt(db, source.tree, run.node);
  const brand = { ...branding, logo: branding?.logo === undefined ? undefined : logoOf(branding.logo) };
  const turn = { tenant: tenantOf(run.node, source.tree), signal, waiting };
  for (const [index, format] of run.formats.entries()) {
    const files = renderFormat(document, format, source.clickhouse, brand, turn);
    for (const [position, { section, content }] of files.entries()) {
      await storeWithin(making, run, { format, section }, position, content);
      signal.throwIfAborted();
    }
    await reach(50 + Math.floor((49 * (index + 1)) / run.formats.length));
  }
}

/** Throws a ProblemError where the tenant keeps too much already. */
async function storeWithin(
  { source, log, maxBytes }: MakingFiles,
  run: RunRecord,
  file: Omit<FileKey, "run">,
  position: number,
  content: Content,
): Promise<void> {
  const { db } = source.postgres;
  const tenant = tenantOf(run.node, source.tree);
  const left = maxBytes - (await keptBytes(db, source.tree, tenant));
  const refusal = () => {
    const about = { run: run.id, tenant, maxBytes };
    log.warn(about, "the storage for report files is full; see TIDEMARK_REPORTS_MAX_BYTES");
    return keepsTooMuch();
  };
  await storeFile(db, { run: run.id, ...file }, position, upTo(left, content, refusal));
}
