/**
 * Makes the runs that are queued. Several processes may do so at once: each run is leased to one of them, which renews the
 * lease while it works, so that a run whose process died is made by another. A run is made from the one document that was
 * read first, and keeps what was known then.
 */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { StatementTooHeavyError, StoreUnavailableError } from "../clickhouse/client.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { TimeLimit } from "../fairness/time-limit.ts";
import { isPostgresUnavailable, type Postgres } from "../postgres/client.ts";
import { ProblemError } from "../problem.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { type MakingFiles, makeFiles } from "./make-files.ts";
import { type ReportSource, ReportTooLargeError } from "./report-source.ts";
import { maxKeptBytes, removeFiles } from "./run-files.ts";
import {
  claimRun,
  endRun,
  keepLease,
  maxAttempts,
  pauseRun,
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
const maxAtOnce = 4;
const maxWithFirst = 6;
const maxOfTenant = 3;
const renewEveryMs = 5_000;
/** A run that takes longer, without what it waits for others, is given up. */
const maxMs = 15 * 60_000;
/** A store that is away is waited for so long, and longer after each attempt. */
const awayPauseMs = 10_000;

class CancelledError extends Error {
  override name = "CancelledError";
}
class StoppedError extends Error {
  override name = "StoppedError";
}

/** Whether the same may be answered later. What a statement took too much for, it takes again. */
function isStoreAway(error: unknown): boolean {
  if (error instanceof StatementTooHeavyError) return false;
  return error instanceof StoreUnavailableError || isPostgresUnavailable(error);
}

interface RunningReport {
  tenant: string;
  ending: AbortController;
  done: Promise<void>;
}

export function createReportMaker(
  source: ReportSource & { postgres: Postgres },
  log: Pick<Logger, "info" | "warn">,
  { maxBytes = maxKeptBytes, now = Date.now }: { maxBytes?: number; now?: () => number } = {},
): ReportMaker {
  return new LeasingReportMaker({ source, log, maxBytes, now });
}

class LeasingReportMaker implements ReportMaker {
  readonly #making: MakingFiles;
  readonly #running = new Map<string, RunningReport>();
  #isStopped = false;
  #isAsked = false;
  #claiming: Promise<void> | undefined;

  constructor(making: MakingFiles) {
    this.#making = making;
  }

  /** One claim after another: a run counts against the bounds only once its claim is here. */
  tick(): Promise<void> {
    this.#isAsked = true;
    this.#claiming ??= this.#claimWhileAsked();
    return this.#claiming;
  }

  async #claimWhileAsked(): Promise<void> {
    try {
      while (this.#isAsked) {
        this.#isAsked = false;
        await this.#claimQueued();
      }
    } finally {
      this.#claiming = undefined;
    }
  }

  async #claimQueued(): Promise<void> {
    const { source, log, now } = this.#making;
    const { db } = source.postgres;
    const ofTenant = (node: NodeAddress) => tenantOf(node, source.tree);
    await releaseAbandoned(db, now());
    await removeExpired(db, now());
    while (!this.#isStopped && this.#running.size < maxWithFirst) {
      const lease = randomUUID();
      const run = await claimRun(db, lease, now(), { tenantOf: ofTenant, mayRun: (tenant) => this.#mayRun(tenant) });
      if (!run) return;
      const ending = new AbortController();
      const done = this.#make(run, lease, ending)
        .catch((err: unknown) => log.warn({ err, run: run.id }, "how a report run ended could not be stored"))
        .finally(() => {
          this.#running.delete(run.id);
          if (!this.#isStopped)
            this.tick().catch((err: unknown) => log.warn({ err }, "report runs could not be claimed"));
        });
      this.#running.set(run.id, { tenant: ofTenant(run.node), ending, done });
    }
  }

  #mayRun(tenant: string): boolean {
    const own = [...this.#running.values()].filter((one) => one.tenant === tenant).length;
    return own < (this.#running.size < maxAtOnce ? maxOfTenant : 1);
  }

  async #make(run: RunRecord, lease: string, ending: AbortController): Promise<void> {
    const { source, log, now } = this.#making;
    const { db } = source.postgres;
    let progress = 0;
    const keep = () => keepLease(db, { id: run.id, lease, nowMs: now(), progress });
    const cancelled = () => new CancelledError("the run was cancelled");
    const timer = setInterval(() => {
      keep().then(
        (isKept) => isKept || ending.abort(cancelled()),
        () => undefined,
      );
    }, renewEveryMs);
    const limit = new TimeLimit(maxMs, () => ending.abort(new Error(`it took longer than ${maxMs / 60_000} minutes`)));
    const reach = async (percent: number) => {
      ending.signal.throwIfAborted();
      progress = percent;
      if (!(await keep())) throw cancelled();
    };
    try {
      await makeFiles(this.#making, run, { signal: ending.signal, waiting: () => limit.pause() }, reach);
      const isDone = await endRun(db, run.id, lease, { state: "done", progress: 100, error: null });
      if (isDone) log.info({ run: run.id, kind: run.kind }, "made a report");
    } catch (error) {
      await this.#endUnmade(run, lease, error);
    } finally {
      clearInterval(timer);
      limit.end();
    }
  }

  async #endUnmade(run: RunRecord, lease: string, error: unknown): Promise<void> {
    const { source, log, now } = this.#making;
    const { db } = source.postgres;
    if (error instanceof CancelledError) {
      const current = await readRun(db, run.id);
      if (current?.state === "cancelled" || current?.state === "failed") await removeFiles(db, run.id);
      return;
    }
    if (error instanceof StoppedError) {
      await endRun(db, run.id, lease, { state: "queued", progress: 0 });
      return;
    }
    const isAway = isStoreAway(error);
    if (isAway && run.attempts < maxAttempts) {
      log.warn({ err: error, run: run.id }, "a report waits for a store that is away");
      const untilMs = now() + awayPauseMs * run.attempts;
      return await pauseRun(db, { id: run.id, lease, untilMs, error: "a store is away; it is tried again" });
    }
    const isExplained = error instanceof ReportTooLargeError || error instanceof ProblemError;
    if (!isExplained) log.warn({ err: error, run: run.id }, "a report could not be made");
    const reason = isExplained ? error.message : isAway ? "a database was unavailable" : "it could not be created";
    if (await endRun(db, run.id, lease, { state: "failed", error: reason })) await removeFiles(db, run.id);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    // What is being claimed counts as under way.
    await this.#claiming?.catch(() => undefined);
    const under = [...this.#running.values()];
    for (const { ending } of under) ending.abort(new StoppedError("the process is stopping"));
    await Promise.all(under.map(({ done }) => done));
  }
}
