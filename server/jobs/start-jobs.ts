/**
 * Runs the periodic jobs of this process's roles: one BullMQ queue per role, a schedule per job. The table in the code
 * is the truth; what the store holds is made equal to it at boot and again every few seconds, so a store that lost
 * everything is filled again by itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type IQueueBackend, type JobSchedulerJson, Queue, Worker } from "bullmq";
import type { Logger } from "pino";
import { type JobLocks, openJobLocks } from "./job-locks.ts";
import { type JobConnection, type JobStore, openPostgresJobStore, openRedisJobStore } from "./job-store.ts";
import { checkJobTable, type JobDefinition, type JobRole } from "./job-table.ts";

export interface StartJobsOptions {
  /** The whole table; jobs of other roles are left to other processes. */
  jobs: readonly JobDefinition[];
  roles: ReadonlySet<JobRole>;
  databaseUrl: string;
  /** Moves the queues from Postgres to this Redis. Runs are still told apart by locks in Postgres. */
  redisUrl?: string;
  /** Told of every tick; `left_out`: the last run still goes on, here or in another process. */
  onRun?: (job: string, outcome: "done" | "failed" | "left_out", seconds: number) => void;
  log: Pick<Logger, "debug" | "info" | "warn" | "error">;
}

export interface RunningJobs {
  /** Takes no more ticks, waits for the runs under way, and lets go of the store: 9 s at most. Never rejects. */
  close(): Promise<void>;
}

type JobQueue = Queue<unknown, void, string, unknown, void, string, IQueueBackend, JobConnection>;

/** A store that does not answer for this long at boot is a wrong address, not an outage to sit out. */
const bootPatienceMs = 15_000;
/** For the runs under way when the service stops; what they do is done again by the next process. */
const runsPatienceMs = 7_000;
/** For the store to take leave, which it cannot while it is away. */
const storePatienceMs = 2_000;
/** While a store is away every connection reports the same failure again and again. */
const repeatErrorAfterMs = 60_000;
const repairEveryMs = 10_000;
/** A tick that is this late has no job behind it any more, or waits behind a run that is longer than its interval. */
const overdueAfterMs = 15_000;
/** Failed runs are in the log; a few stay in the store for who looks there. */
const keptFailures = 50;
/** BullMQ writes several entries per run that nothing here reads. */
const keptQueueEvents = 100;

/**
 * Rejects when the table is wrong or the store does not answer. Afterwards outages of the store are survived: ticks are
 * left out while it is away and come again when it is back. A job never overlaps itself, in no process: a tick that
 * comes during a run is left out.
 */
export async function startJobs({
  jobs,
  roles,
  databaseUrl,
  redisUrl,
  onRun = () => undefined,
  log,
}: StartJobsOptions): Promise<RunningJobs> {
  checkJobTable(jobs);
  const store =
    redisUrl === undefined ? await openPostgresJobStore(databaseUrl, log) : openRedisJobStore(redisUrl, log);
  const locks = openJobLocks(databaseUrl, log);
  const { running, runOnce } = createRuns(locks, onRun, log);
  const stopped = new AbortController();
  const report = onceAMinute((error, context, message) => log.error({ err: error, ...context }, message));

  const queues = [...roles].map((role) =>
    openRoleQueue({ role, jobs: jobs.filter((job) => job.role === role), store, runOnce, report, log }),
  );
  const keepSchedules = () => Promise.all(queues.map((queue) => queue.keepSchedules()));

  async function repair(): Promise<void> {
    while (!stopped.signal.aborted) {
      await delay(repairEveryMs, undefined, { signal: stopped.signal }).catch(() => {});
      if (stopped.signal.aborted) return;
      await keepSchedules().catch((error: Error) => report(error, {}, "the job schedules could not be checked"));
    }
  }

  async function close(): Promise<void> {
    stopped.abort();
    const closing = Promise.allSettled(queues.map((queue) => queue.close())).then(() =>
      Promise.allSettled([locks.close(), store.close()]),
    );
    const isClosed =
      (await withinMs(Promise.allSettled(running.values()), runsPatienceMs)) &&
      (await withinMs(closing, storePatienceMs));
    if (isClosed) return;
    log.warn({ jobs: [...running.keys()] }, "the job queues could not be closed in time");
    for (const queue of queues) queue.abandon();
  }

  try {
    if (!(await withinMs(Promise.all(queues.map((queue) => queue.ready())), bootPatienceMs)))
      throw new Error(`The store of the job queues does not answer within ${bootPatienceMs / 1000} s`);
    await keepSchedules();
  } catch (error) {
    await close();
    throw error;
  }
  for (const queue of queues) queue.run();
  void repair();
  return { close };
}

/** One run of a job at a time, in this process and in all of them. `running`: what goes on here, by job. */
function createRuns(
  locks: Pick<JobLocks, "take" | "release">,
  onRun: NonNullable<StartJobsOptions["onRun"]>,
  log: StartJobsOptions["log"],
) {
  const running = new Map<string, Promise<void>>();

  async function runOnce(job: JobDefinition): Promise<void> {
    if (running.has(job.name)) {
      onRun(job.name, "left_out", 0);
      return log.debug({ job: job.name }, "tick left out: the last run still goes on");
    }
    const run = runLocked(job).finally(() => running.delete(job.name));
    running.set(job.name, run);
    await run;
  }

  async function runLocked({ name, handler }: JobDefinition): Promise<void> {
    if (!(await locks.take(name))) {
      onRun(name, "left_out", 0);
      return log.debug({ job: name }, "tick left out: another process runs it");
    }
    const startedAtMs = performance.now();
    const seconds = () => (performance.now() - startedAtMs) / 1000;
    try {
      await handler();
      onRun(name, "done", seconds());
    } catch (error) {
      onRun(name, "failed", seconds());
      throw error;
    } finally {
      await locks.release(name);
    }
  }

  return { running, runOnce };
}

/** True when `work` is done in time, false when it goes on; rejects when it does. */
async function withinMs(work: Promise<unknown>, patienceMs: number): Promise<boolean> {
  const done = new AbortController();
  const outOfTime = delay(patienceMs, false, { signal: done.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), outOfTime]);
  } finally {
    done.abort();
  }
}

type Report = (error: Error, context: { role?: JobRole; job?: string }, message: string) => void;

/** Passes on the first of equal errors in each minute: a job whose every run fails, each two seconds, does not fill the log. */
function onceAMinute(report: Report): Report {
  const reportedAtMs = new Map<string, number>();
  return (error, context, message) => {
    const nowMs = performance.now();
    for (const [key, atMs] of reportedAtMs) if (nowMs - atMs > repeatErrorAfterMs) reportedAtMs.delete(key);
    const key = `${message} ${context.job}: ${error.message}`;
    if (reportedAtMs.has(key)) return;
    reportedAtMs.set(key, nowMs);
    report(error, context, message);
  };
}

interface RoleQueue {
  ready(): Promise<unknown>;
  run(): void;
  keepSchedules(): Promise<void>;
  close(): Promise<void>;
  /** Cuts the connections under whatever still waits for them. */
  abandon(): void;
}

function openRoleQueue({
  role,
  jobs,
  store,
  runOnce,
  report,
  log,
}: {
  role: JobRole;
  jobs: readonly JobDefinition[];
  store: JobStore;
  runOnce: (job: JobDefinition) => Promise<void>;
  report: Report;
  log: StartJobsOptions["log"];
}): RoleQueue {
  const table = new Map(jobs.map((job) => [job.name, job]));
  const name = `tidemark-${role}`;
  const queue: JobQueue = new Queue(
    name,
    { connection: store.connection, streams: { events: { maxLen: keptQueueEvents } } },
    store.backend,
  );
  const worker = new Worker<unknown, void, string, IQueueBackend, number, JobConnection>(
    name,
    async (tick) => {
      const job = table.get(tick.name);
      // Another version of the service may still tick jobs that this one has no more.
      if (job !== undefined) await runOnce(job);
    },
    {
      connection: store.connection,
      autorun: false,
      // Every job can run at once, so that a long one delays no other.
      concurrency: Math.max(1, jobs.length),
      removeOnComplete: { count: 0 },
      removeOnFail: { count: keptFailures },
      runRetryDelay: 1_000,
    },
    store.backend,
  );
  queue.on("error", (error) => report(error, { role }, "the job queue reports an error"));
  worker.on("error", (error) => report(error, { role }, "the job worker reports an error"));
  worker.on("failed", (tick, error) =>
    report(error, { role, ...(tick && { job: tick.name }) }, "the run of a job failed"),
  );

  async function keepSchedules(): Promise<void> {
    const kept = new Map((await queue.getJobSchedulers()).map((schedule) => [schedule.key, schedule]));
    for (const key of kept.keys()) {
      if (!table.has(key)) await queue.removeJobScheduler(key);
    }
    // Upserts replace the next tick, so a schedule that is right is left alone: a process that restarts in a loop
    // would push the tick ahead of itself for ever.
    for (const job of jobs) {
      if (isRight(kept.get(job.name), job, Date.now())) continue;
      const repeat = "ms" in job.every ? { every: job.every.ms } : { pattern: job.every.cron, tz: job.every.tz };
      await queue.upsertJobScheduler(job.name, repeat, { name: job.name });
    }
  }

  return {
    ready: () => Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]),
    run: () => {
      worker.run().catch((error: unknown) => log.error({ err: error, role }, "the job worker stopped"));
    },
    keepSchedules,
    async close() {
      await worker.close();
      await queue.close();
    },
    abandon() {
      for (const part of [worker, queue]) part.disconnect().catch(() => {});
    },
  };
}

/** Whether the store ticks `job` as the table says. `nowMs`: ms since 1970, UTC. */
function isRight(schedule: JobSchedulerJson | undefined, { every }: JobDefinition, nowMs: number): boolean {
  if (schedule?.next === undefined || schedule.next < nowMs - overdueAfterMs) return false;
  if ("cron" in every) return schedule.pattern === every.cron && schedule.tz === every.tz;
  // A next tick further away than the interval was written under a clock that ran ahead.
  return schedule.every === every.ms && schedule.next <= nowMs + every.ms + overdueAfterMs;
}
