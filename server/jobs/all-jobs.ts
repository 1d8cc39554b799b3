/** The table of all jobs, the same in every process; those of the role `ingest` run only where there is an ingest. */
import type { Logger } from "pino";
import type { Evaluator } from "../alerts/evaluator.ts";
import { type DigestSource, sendDigests } from "../alerts/send-digests.ts";
import { adjustStatements } from "../billing/statements/adjust-statements.ts";
import { closeStatements, type StatementSource } from "../billing/statements/close-statements.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { RunningCluster } from "../cluster/run-node.ts";
import { hourMs, minuteMs, secondMs } from "../contract/durations.ts";
import type { Corrections } from "../corrections/corrections.ts";
import type { Delivery } from "../delivery/start-delivery.ts";
import { pruneKeptAnswers } from "../http/kept-answers.ts";
import type { Ingest } from "../ingest/flush/start-ingest.ts";
import type { Postgres } from "../postgres/client.ts";
import { advanceSchedules, type ScheduleSource } from "../reports/advance-schedules.ts";
import type { ReportMaker } from "../reports/make-runs.ts";
import { applyMoves } from "../rollups/apply-moves.ts";
import { compactIngestOutcomes } from "../rollups/compact-outcomes.ts";
import { compactUsage } from "../rollups/compact-usage.ts";
import { expireIntervals } from "../rollups/expire-intervals.ts";
import { runRebuilds } from "../rollups/rebuild.ts";
import { reconcileRecent } from "../rollups/reconcile-recent.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { JobDefinition } from "./job-table.ts";

/** What changes what is stored, without anything being stored meanwhile. */
export type ChangingStore = Pick<Ingest, "log" | "materializer" | "sequence"> & {
  flush: Pick<Ingest["flush"], "exclusive" | "whenStored" | "watermark" | "settledBatch">;
};

export interface JobSources {
  clickhouse: ClickHouse;
  postgres: Postgres;
  tree: NodeTree;
  /** Undefined in a process that does not ingest. */
  ingest: ChangingStore | undefined;
  corrections: Corrections;
  statements: StatementSource;
  evaluator: Evaluator;
  digests: DigestSource;
  reportMaker: ReportMaker | undefined;
  schedules: ScheduleSource;
  delivery: Delivery;
  announce: (nodes: Iterable<string>) => void;
  log: Logger;
}

export function allJobs(sources: JobSources): JobDefinition[] {
  return [...ingestJobs(sources), ...workerJobs(sources)];
}

function ingestJobs({ clickhouse, postgres, tree, ingest, corrections, announce, log }: JobSources): JobDefinition[] {
  const ingesting = () => {
    if (!ingest) throw new Error("this process does not ingest");
    return ingest;
  };
  const changing = () => {
    const { materializer, sequence, flush } = ingesting();
    return { clickhouse, postgres, tree, materializer, sequence, flush };
  };
  const job = (name: string, ms: number, handler: () => Promise<void>): JobDefinition => {
    return { name, every: { ms }, role: "ingest", handler };
  };
  return [
    job("intervals-expire", 2 * secondMs, async () => {
      const { materializer, sequence } = ingesting();
      const notes = { postgres, tree };
      const derivation = await expireIntervals(clickhouse, materializer.derive, sequence, Date.now(), notes);
      if (derivation) announce(derivation.changedNodes);
    }),
    job("corrections-apply", 2 * secondMs, () => corrections.applyPending()),
    job("moves-apply", 2 * secondMs, async () => {
      await applyMoves(changing());
    }),
    job("usage-compact", hourMs, async () => {
      const { sequence, flush } = ingesting();
      const { foldedRows } = await compactUsage(clickhouse, sequence, flush.settledBatch, Date.now());
      if (foldedRows > 0) log.info({ foldedRows }, "folded the counters of closed hours");
    }),
    job("ingest-outcomes-compact", 10 * minuteMs, async () => {
      const { sequence, flush } = ingesting();
      await compactIngestOutcomes(clickhouse, sequence, flush.settledBatch, Date.now());
    }),
    job("usage-reconcile", 10 * minuteMs, async () => {
      await reconcileRecent({ ...changing(), log });
    }),
    job("rebuilds-run", 2 * secondMs, async () => {
      await runRebuilds({ ...changing(), log });
    }),
  ];
}

function workerJobs(sources: JobSources): JobDefinition[] {
  const { evaluator, digests, statements, reportMaker, schedules, delivery, postgres, log } = sources;
  const job = (name: string, ms: number, handler: () => Promise<void>): JobDefinition => {
    return { name, every: { ms }, role: "worker", handler };
  };
  return [
    job("alerts-evaluate", 2 * secondMs, () => evaluator.run()),
    job("digests-send", 5 * secondMs, () => sendDigests(digests, Date.now())),
    job("statements-close", minuteMs, async () => {
      // First what is known of closed ones: what is closed next carries it.
      const [adjusting] = await Promise.allSettled([adjustStatements(statements, Date.now())]);
      const closed = await closeStatements(statements, Date.now());
      if (closed > 0) log.info({ closed }, "closed statements");
      if (adjusting.status === "rejected") throw adjusting.reason;
    }),
    // Runs that no route woke this process for: those that other processes took, and those that were abandoned.
    job("reports-make", 2 * secondMs, async () => {
      await reportMaker?.tick();
    }),
    // Any number of processes may run it beside each other.
    job("schedules-advance", 5 * secondMs, () => advanceSchedules(schedules, Date.now())),
    // Notices and the courier's own clock are faster; the ticks find what both have missed.
    job("deliveries-send", 10 * secondMs, async () => delivery.send()),
    job("idempotency-keys-prune", minuteMs, () => pruneKeptAnswers(postgres, Date.now())),
    job("deliveries-prune", 24 * hourMs, () => delivery.prune()),
  ];
}

/** Jobs of the role `ingest` run on the node that derives, whichever of them the tick comes to. */
export function onMaterializer(jobs: readonly JobDefinition[], cluster: RunningCluster) {
  const runs = new Map<string, Promise<void>>();
  async function runJob(name: string): Promise<void> {
    const job = jobs.find((one) => one.name === name && one.role === "ingest");
    if (!job) return;
    const run = runs.get(name) ?? job.handler().finally(() => runs.delete(name));
    runs.set(name, run);
    await run;
  }
  const led = jobs.map((job) =>
    job.role === "ingest"
      ? { ...job, handler: () => (cluster.isMaterializer() ? runJob(job.name) : cluster.runThere(job.name)) }
      : job,
  );
  return { jobs: led, runJob };
}
