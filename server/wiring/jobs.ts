/** What the service does by itself: alerts, statements, reports, deliveries, upkeep of the rollups. */
import { Evaluator } from "../alerts/evaluator.ts";
import { beginAlerts } from "../alerts/rules.ts";
import type { StatementSource } from "../billing/statements/close-statements.ts";
import { askedFor } from "../clickhouse/client.ts";
import { readBacklogShare } from "../cluster/backlog-share.ts";
import { allJobs, onMaterializer } from "../jobs/all-jobs.ts";
import { createJobNotes, readFailedJobs } from "../jobs/failed-jobs.ts";
import { startJobs } from "../jobs/start-jobs.ts";
import { OrganizationFigures } from "../overview/organization-figures.ts";
import { createFileLinks } from "../reports/file-link.ts";
import { createReportMaker } from "../reports/make-runs.ts";
import type { ReportSource } from "../reports/report-source.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { Boot, Viewers } from "./boot.ts";
import type { StartedIngest } from "./ingest.ts";
import type { Directory, Stores } from "./stores.ts";

export type PreparedJobs = Awaited<ReturnType<typeof prepareJobs>>;

/** Makes the table; `start` runs what this process's roles are for. */
export async function prepareJobs(
  { config, log, started }: Boot,
  { clickhouse, postgres, postgresStore, telemetry }: Stores,
  { tree, customMeters, delivery }: Directory,
  { running, watermark, settledBatch, changing, corrections }: StartedIngest,
  viewers: Viewers,
) {
  const { publicUrl, roles, redisUrl } = config;
  const statements: StatementSource = {
    clickhouse,
    postgres,
    tree,
    watermark,
    settledBatch,
    log,
    meterOf: (...asked) => customMeters.find(...asked),
  };
  const reportMaker = roles.has("worker")
    ? createReportMaker(reportSource(statements, tree), log, { maxBytes: config.reportsMaxBytes })
    : undefined;
  started.push(async () => await reportMaker?.stop());
  await beginAlerts(postgres);
  const jobNotes = createJobNotes(postgres, log);
  const evaluator = new Evaluator({
    ...statements,
    tree,
    publicUrl,
    onEvaluated: telemetry.rulesEvaluated,
    failedJobs: () => readFailedJobs(postgres, namesOf(table)),
    backlogShare: () => readBacklogShare(postgres),
  });
  telemetry.read("alertLagSeconds", () => evaluator.lagSeconds);
  const schedules = {
    ...statements,
    tree,
    log,
    publicUrl,
    links: createFileLinks(postgres),
    hasBucket: config.reportsBucket !== undefined,
    wake: () => void reportMaker?.tick().catch((err: unknown) => log.warn({ err }, "report runs could not be claimed")),
  };
  const table = allJobs({
    clickhouse,
    postgres,
    tree,
    ingest: changing,
    corrections,
    statements,
    evaluator,
    digests: { postgres, tree, publicUrl },
    reportMaker,
    schedules,
    delivery,
    announce: (nodes) => viewers.announce(nodes),
    log,
  });
  const led = running ? onMaterializer(table, running) : undefined;
  return {
    /** Absent without the role `worker`. */
    reportMaker,
    /** One run of the job here and now, whatever else runs. */
    runHere: async (name: string) => await table.find((job) => job.name === name)?.handler(),
    /** For the other nodes of a cluster. */
    runJob: led?.runJob,
    async start() {
      const jobs = await startJobs({
        jobs: led?.jobs ?? table,
        roles,
        databaseUrl: postgresStore.url,
        redisUrl,
        log,
        onRun: (job, outcome, seconds) => {
          telemetry.jobRan(job, outcome, seconds);
          if (outcome !== "left_out") void jobNotes.note(job, outcome);
        },
      });
      started.push(() => jobs.close());
    },
  };
}

const namesOf = (jobs: readonly { name: string }[]) => jobs.map(({ name }) => name);

function reportSource(statements: StatementSource, tree: NodeTree): ReportSource {
  const source = { ...statements, tree, clickhouse: askedFor(statements.clickhouse) };
  return { ...source, figures: new OrganizationFigures(source) };
}
