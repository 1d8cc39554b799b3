/** The state of jobs, a pure function of the events that name them: order of arrival and repeats change nothing. */
import { z } from "zod";
import { stepsOfTypes } from "../catalog/catalog.ts";
import { type Filter, filterParams, paramsOfFilters } from "../catalog/filters.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { instantKeySchema } from "../contract/cursors.ts";
import { type Job, jobSteps } from "../contract/jobs.ts";
import { amountOf } from "../ingest/accept/amount-unit.ts";
import { type AsOf, asOfParams, paramsOfAsOf } from "../metrics/as-of.ts";
import { nodeFilter, nodeParams } from "../metrics/node-filter.ts";
import { amountOfSixtieths } from "../numbers/figures.ts";

const jobRow = z.object({
  organization: z.string(),
  job: z.string(),
  status: z.enum(jobSteps),
  changed_ms: numberColumn,
  requested_ms: numberColumn,
  begun_ms: numberColumn,
  completed_ms: numberColumn,
  failed_ms: numberColumn,
  value: z.string().nullable(),
  value_dims: z.string(),
  user: z.string(),
  agent: z.string(),
  session: z.string(),
  room: z.string(),
  partner: z.string(),
  reseller: z.string(),
  model: z.string(),
  language: z.string(),
  kind: z.string(),
  format: z.string(),
  mode: z.string(),
});
type JobRow = z.output<typeof jobRow>;

const jobs = defineQuery(
  "jobs",
  nodeParams.extend({
    ...filterParams.shape,
    ...asOfParams.shape,
    types: z.array(z.string()),
    steps: z.array(z.string()),
    finality: z.array(z.string()),
    from_ms: z.number(),
    to_ms: z.number(),
    before_ms: z.number(),
    before_organization: z.string(),
    before_job: z.string(),
    most: z.number(),
  }),
  jobRow,
);

export const jobDimensions: ReadonlySet<string> = new Set([
  "status",
  "organization",
  "job",
  "user",
  "agent",
  "session",
  "room",
  "model",
  "language",
  "kind",
  "format",
  "mode",
]);

/** The key of a job in the order of the list: jobs before it come on later pages. */
export const jobKeySchema = z.tuple([instantKeySchema, z.string(), z.string()]);
export type JobKey = z.infer<typeof jobKeySchema>;

export interface JobsQuestion {
  node: string;
  filters: readonly Filter[];
  fromMs: number | undefined;
  /** Exclusive. */
  toMs: number | undefined;
  asOf: AsOf;
  /** Only what comes after this one in the list. */
  after: JobKey | undefined;
}

/** Later than every event: a bound that ClickHouse's times can hold. */
const endOfTimeMs = Date.UTC(2200, 0);

/** At most `most` jobs with their keys, the latest change first. */
export async function readJobs(
  clickhouse: ClickHouse,
  question: JobsQuestion,
  most: number,
): Promise<{ job: Job; key: JobKey }[]> {
  const [beforeMs, beforeOrganization, beforeJob] = question.after ?? [Number.MAX_SAFE_INTEGER, "", ""];
  const rows = await jobs(clickhouse, {
    ...nodeFilter(question.node),
    ...paramsOfFilters(question.filters),
    ...paramsOfAsOf(question.asOf),
    types: [...stepsOfTypes.keys()],
    steps: [...stepsOfTypes.values()],
    finality: [...jobSteps],
    from_ms: question.fromMs ?? 0,
    to_ms: Math.min(question.toMs ?? endOfTimeMs, endOfTimeMs),
    before_ms: beforeMs,
    before_organization: beforeOrganization,
    before_job: beforeJob,
    most,
  });
  return rows.map((row) => ({ job: jobOf(row), key: [row.changed_ms, row.organization, row.job] }));
}

function jobOf(row: JobRow): Job {
  const isoOf = (ms: number) => (ms === 0 ? null : new Date(ms).toISOString());
  return {
    organization: row.organization,
    job: row.job,
    status: row.status,
    changed_at: new Date(row.changed_ms).toISOString(),
    requested_at: isoOf(row.requested_ms),
    started_at: isoOf(row.begun_ms),
    completed_at: isoOf(row.completed_ms),
    failed_at: isoOf(row.failed_ms),
    duration_ms: durationOf(row),
    minutes: minutesOfJob(row),
    model: row.model || null,
    language: row.language || null,
    kind: row.kind || null,
    format: row.format || null,
    mode: row.mode || null,
    user: row.user || null,
    agent: row.agent || null,
    session: row.session || null,
    room: row.room || null,
    partner: row.partner || null,
    reseller: row.reseller || null,
  };
}

function minutesOfJob({ value, value_dims }: JobRow): string | null {
  const { value: minutes, seconds } = amountOf(value, value_dims);
  return minutes ?? (seconds === undefined ? null : amountOfSixtieths(seconds));
}

/** The latest change of a job that is over is its end, and no start or request of it lies later. */
function durationOf({ status, changed_ms, begun_ms, requested_ms }: JobRow): number | null {
  const sinceMs = begun_ms || requested_ms;
  return (status === "completed" || status === "failed") && sinceMs !== 0 ? changed_ms - sinceMs : null;
}
