/**
 * Makes the runs that are queued. Several processes may do so at once: each run is leased to one of them, which renews the
 * lease while it works, so that a run whose process died is made by another. A run is made from the one document that was
 * read first, and keeps what was known then.
 */
import { randomUUID } from "node:crypto";
import { eq } from "drizzle-orm";
import type { Logger } from "pino";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Postgres } from "../postgres/client.ts";
import { reportRuns } from "../postgres/schema/reports.ts";
import { ProblemError } from "../problem.ts";
import { reportSettingsAt } from "../tree/report-settings.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { logoOf } from "./logo.ts";
import { makeDocument } from "./make-document.ts";
import { jsonOfDocument } from "./render/json.ts";
import { renderFormat } from "./render/render-format.ts";
import { type ReportSource, ReportTooLargeError } from "./report-source.ts";
import { type FileKey, keepsTooMuch, keptBytes, mostKeptBytes, removeFiles, storeFile, upTo } from "./run-files.ts";
import {
  claimRun,
  endRun,
  keepLease,
  questionOfRun,
  type RunRecord,
  readRun,
  releaseAbandoned,
  removeExpired,
} from "./runs.ts";

export interface ReportMaker {
  /** Claims what is queued and begins to make it; resolves without waiting for that. */
  tick(): Promise<void>;
  /** Resolves when nothing is made here any more; what was under way is queued again. */
  stop(): Promise<void>;
}

/** How many are made at once here, and of one tenant. A tenant of which none is made has one more before it waits. */
const mostAtOnce = 4;
const mostWithFirst = 6;
const mostOfTenant = 3;
const renewEveryMs = 5_000;
/** A run that takes longer is given up. */
const mostMs = 15 * 60_000;

class CancelledError extends Error {
  override name = "CancelledError";
}
class StoppedError extends Error {
  override name = "StoppedError";
}

export function createReportMaker(
  source: ReportSource & { postgres: Postgres },
  log: Pick<Logger, "info" | "warn">,
  { mostBytes = mostKeptBytes, now = Date.now }: { mostBytes?: number; now?: () => number } = {},
): ReportMaker {
  const { db } = source.postgres;
  const running = new Map<string, { tenant: string; ending: AbortController; done: Promise<void> }>();
  const ofTenant = (node: NodeAddress) => tenantOf(node, source.tree);
  const mayRun = (tenant: string) => {
    const own = [...running.values()].filter((one) => one.tenant === tenant).length;
    return own < (running.size < mostAtOnce ? mostOfTenant : 1);
  };
  let isStopped = false;

  let isAsked = false;
  let claiming: Promise<void> | undefined;

  /** One claim after another: a run counts against the bounds only once its claim is here. */
  function tick(): Promise<void> {
    isAsked = true;
    claiming ??= claimWhileAsked();
    return claiming;
  }

  async function claimWhileAsked(): Promise<void> {
    try {
      while (isAsked) {
        isAsked = false;
        await claimQueued();
      }
    } finally {
      claiming = undefined;
    }
  }

  async function claimQueued(): Promise<void> {
    await releaseAbandoned(db, now());
    await removeExpired(db, now());
    while (!isStopped && running.size < mostWithFirst) {
      const lease = randomUUID();
      const run = await claimRun(db, lease, now(), { tenantOf: ofTenant, mayRun });
      if (!run) return;
      const ending = new AbortController();
      const done = make(run, lease, ending)
        .catch((err: unknown) => log.warn({ err, run: run.id }, "how a report run ended could not be stored"))
        .finally(() => {
          running.delete(run.id);
          if (!isStopped) void tick().catch((err: unknown) => log.warn({ err }, "report runs could not be claimed"));
        });
      running.set(run.id, { tenant: ofTenant(run.node), ending, done });
    }
  }

  async function make(run: RunRecord, lease: string, ending: AbortController): Promise<void> {
    let progress = 0;
    const timer = setInterval(() => {
      keepLease(db, { id: run.id, lease, nowMs: now(), progress }).then(
        (isKept) => isKept || ending.abort(new CancelledError("the run was cancelled")),
        () => undefined,
      );
    }, renewEveryMs);
    const tooLong = setTimeout(() => ending.abort(new Error(`it took longer than ${mostMs / 60_000} minutes`)), mostMs);
    const reach = async (percent: number) => {
      ending.signal.throwIfAborted();
      progress = percent;
      if (!(await keepLease(db, { id: run.id, lease, nowMs: now(), progress })))
        throw new CancelledError("the run was cancelled");
    };
    try {
      await makeFiles(run, ending.signal, reach);
      const isDone = await endRun(db, run.id, lease, { state: "done", progress: 100, error: null });
      if (isDone) log.info({ run: run.id, kind: run.kind }, "made a report");
    } catch (error) {
      if (error instanceof CancelledError) {
        const current = await readRun(db, run.id);
        if (current?.state === "cancelled" || current?.state === "failed") await removeFiles(db, run.id);
        return;
      }
      if (error instanceof StoppedError) {
        await endRun(db, run.id, lease, { state: "queued", progress: 0 });
        return;
      }
      const isTold = error instanceof ReportTooLargeError || error instanceof ProblemError;
      if (!isTold) log.warn({ err: error, run: run.id }, "a report could not be made");
      const failed = { state: "failed", error: isTold ? error.message : "it could not be made" } as const;
      if (await endRun(db, run.id, lease, failed)) await removeFiles(db, run.id);
    } finally {
      clearInterval(timer);
      clearTimeout(tooLong);
    }
  }

  async function makeFiles(
    run: RunRecord,
    signal: AbortSignal,
    reach: (percent: number) => Promise<void>,
  ): Promise<void> {
    await reach(5);
    // What an attempt before left counts against the tenant otherwise.
    await removeFiles(db, run.id);
    const document = await makeDocument(source, questionOfRun(run), { nowMs: now(), signal });
    await reach(50);
    const tenant = ofTenant(run.node);
    const store = async (file: Omit<FileKey, "run">, position: number, content: Parameters<typeof storeFile>[3]) => {
      const room = mostBytes - (await keptBytes(db, source.tree, tenant));
      const refusal = () => {
        const about = { run: run.id, tenant, mostBytes };
        log.warn(about, "a tenant keeps as much of report files as it may: see TIDEMARK_REPORTS_MAX_BYTES");
        return keepsTooMuch();
      };
      const bounded = upTo(room, content, refusal);
      await storeFile(db, { run: run.id, ...file }, position, bounded);
    };
    await store({ format: "document", section: "" }, 0, jsonOfDocument(document));
    await rememberMade(run.id, document.watermark, document.made_at);
    const { branding } = await reportSettingsAt(db, source.tree, run.node);
    const brand = { ...branding, logo: branding?.logo === undefined ? undefined : logoOf(branding.logo) };
    for (const [index, format] of run.formats.entries()) {
      const files = renderFormat(document, format, source.clickhouse, brand);
      for (const [position, { section, content }] of files.entries()) {
        await store({ format, section }, position, content);
        signal.throwIfAborted();
      }
      await reach(50 + Math.floor((49 * (index + 1)) / run.formats.length));
    }
  }

  async function rememberMade(id: string, watermark: string, madeAt: string): Promise<void> {
    await db
      .update(reportRuns)
      .set({ watermark: new Date(watermark), madeAt: new Date(madeAt) })
      .where(eq(reportRuns.id, id));
  }

  return {
    tick,
    async stop() {
      isStopped = true;
      // What is being claimed counts as under way.
      await claiming?.catch(() => undefined);
      const under = [...running.values()];
      for (const { ending } of under) ending.abort(new StoppedError("the process stops"));
      await Promise.all(under.map(({ done }) => done));
    },
  };
}
