/**
 * What a periodic job is. A tick is best effort: it may come late, be left out or, after a crash, come twice, so every
 * handler must be idempotent and must find by itself what there is to do.
 */
export type JobRole = "ingest" | "api" | "worker";

export type JobSchedule = { ms: number } | { cron: string; tz: string };

export interface JobDefinition {
  /** `<noun>-<verb>`, unique in the table. */
  name: string;
  /** Either a fixed interval in milliseconds, or a cron pattern read in the IANA zone `tz`. */
  every: JobSchedule;
  /** Processes with this role run it. */
  role: JobRole;
  /** One run. What it throws is logged, and the next tick comes as if nothing had happened. */
  handler: () => Promise<void>;
}

const jobName = /^[a-z]+(-[a-z]+)+$/;

/** Throws one error that lists every fault of the table: names that are not `<noun>-<verb>` or come twice, bad intervals. */
export function checkJobTable(jobs: readonly JobDefinition[]): void {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const { name, every } of jobs) {
    if (!jobName.test(name)) faults.push(`job name ${JSON.stringify(name)} is not <noun>-<verb> in lower case`);
    if (seen.has(name)) faults.push(`job ${name} is in the table twice`);
    seen.add(name);
    if ("ms" in every && !(Number.isSafeInteger(every.ms) && every.ms > 0)) {
      faults.push(`job ${name} has the interval ${every.ms}, expected whole milliseconds above 0`);
    }
  }
  if (faults.length > 0) throw new Error(`The job table is wrong: ${faults.join("; ")}`);
}
