/** Which jobs failed when they last ran, shared between processes through Postgres. */
import { eq, inArray } from "drizzle-orm";
import type { Logger } from "pino";
import type { Postgres } from "../postgres/client.ts";
import { failedJobs } from "../postgres/schema/failed-jobs.ts";

type Db = Pick<Postgres, "db">;

/** Notes how each run ended, in the order in which they did; what could not be written to Postgres is written with the next run. */
export function createJobNotes({ db }: Db, log: Pick<Logger, "warn">) {
  let noted: Promise<unknown> = Promise.resolve();
  return {
    note(job: string, outcome: "done" | "failed"): Promise<unknown> {
      const write = async () =>
        outcome === "failed"
          ? await db.insert(failedJobs).values({ job }).onConflictDoNothing()
          : await db.delete(failedJobs).where(eq(failedJobs.job, job));
      noted = noted.then(write).catch((err: unknown) => log.warn({ err, job }, "how a job ended could not be noted"));
      return noted;
    },
  };
}

/** Those among `jobs`, by name: notes about a job that no longer exists do not count. */
export async function readFailedJobs({ db }: Db, jobs: readonly string[]): Promise<string[]> {
  const found = await db
    .select({ job: failedJobs.job })
    .from(failedJobs)
    .where(inArray(failedJobs.job, [...jobs]));
  return found.map(({ job }) => job).sort();
}
