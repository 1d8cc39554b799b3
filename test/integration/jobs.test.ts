import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import pg from "pg";
import { pino } from "pino";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { startEmbeddedPostgres } from "../../server/embedded/embedded-postgres.ts";
import { freeLoopbackPort } from "../../server/embedded/loopback.ts";
import type { JobDefinition, JobRole } from "../../server/jobs/job-table.ts";
import { type RunningJobs, startJobs } from "../../server/jobs/start-jobs.ts";
import { patienceMs, recoveryPatienceMs } from "../support/patience.ts";
import { ownPostgres, ownRedis } from "../support/stores.ts";
import { unheldMs } from "../support/unheld-time.ts";

const silent = pino({ level: "silent" });
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined };
const roles = new Set<JobRole>(["worker"]);
const everyMs = 200;

/** A job that notes when it ran, and does `work` each time. */
function counted(name = "figures-count", work: () => Promise<void> = async () => {}) {
  const runs: number[] = [];
  const job: JobDefinition = {
    name,
    every: { ms: everyMs },
    role: "worker",
    handler: async () => {
      runs.push(Date.now());
      await work();
    },
  };
  return { job, runs, untilRuns: (more: number) => untilMore(runs, more) };
}

async function untilMore(runs: readonly number[], more: number, timeout = patienceMs): Promise<void> {
  const goal = runs.length + more;
  await vi.waitUntil(() => runs.length >= goal, { timeout, interval: 10 });
}

const open: RunningJobs[] = [];
afterEach(() => Promise.all(open.splice(0).map((jobs) => jobs.close())));

interface Store {
  databaseUrl: string;
  redisUrl?: string;
}

async function postgresStore(): Promise<Store> {
  const { url, drop } = await ownPostgres();
  onTestFinished(drop);
  return { databaseUrl: url };
}

async function redisStore(): Promise<Store & { redisUrl: string }> {
  const { url, stop } = await ownRedis();
  onTestFinished(stop);
  return { ...(await postgresStore()), redisUrl: url };
}

async function start(store: Store, ...jobs: JobDefinition[]): Promise<RunningJobs> {
  const running = await startJobs({ jobs, roles, ...store, log: silent });
  open.push(running);
  return running;
}

/** Closes it now, not after the test. */
async function stop(running: RunningJobs): Promise<void> {
  open.splice(open.indexOf(running), 1);
  await running.close();
}

describe.each([
  ["Postgres", postgresStore],
  ["Redis", redisStore],
])("with the queues in %s", (_, ownStore) => {
  test("a job runs again and again, once per interval, and never more often", async () => {
    const { job, runs, untilRuns } = counted();
    await start(await ownStore(), job);
    await untilRuns(10);
    const last = runs.slice(-9);
    const pausesMs = last.slice(1).map((atMs, index) => atMs - (last[index] ?? 0));
    expect(pausesMs.reduce((sum, ms) => sum + ms) / pausesMs.length).toBeGreaterThan(everyMs * 0.8);
    // A busy machine makes some of them longer.
    expect(Math.min(...pausesMs)).toBeLessThan(everyMs * 2);
  });

  test("a job that throws runs at the next tick all the same, and fills no log with one error", async () => {
    const { job, untilRuns } = counted("figures-fail", () => Promise.reject(new Error("no luck")));
    const other = counted("figures-fail-too", () => Promise.reject(new Error("no luck")));
    const errors: object[] = [];
    const log = { ...quiet, error: (about: object) => errors.push(about) };
    open.push(await startJobs({ jobs: [job, other.job], roles, ...(await ownStore()), log }));
    await Promise.all([untilRuns(4), other.untilRuns(4)]);
    const failed = errors.map((about) => ("job" in about ? about.job : about));
    expect(failed.sort()).toEqual(["figures-fail", "figures-fail-too"]);
  });

  test("a run never overlaps the same job, and delays no other", async () => {
    let isOver = (): void => {};
    const over = new Promise<void>((resolve) => {
      isOver = resolve;
    });
    const long = counted("figures-grind", () => over);
    const short = counted("figures-blink");
    await start(await ownStore(), long.job, short.job);
    await long.untilRuns(1);
    await short.untilRuns(10);
    expect(long.runs).toHaveLength(1);
    isOver();
    await long.untilRuns(1);
  });

  test("two processes with the same table tick once, also while one of them is in a run", async () => {
    const store = await ownStore();
    let now = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++now);
      await delay(1.5 * everyMs);
      now--;
    };
    const a = counted("figures-share", work);
    const b = counted("figures-share", work);
    const quick = [counted("figures-blink"), counted("figures-blink")] as const;
    const fromMs = Date.now();
    await Promise.all([start(store, a.job, quick[0].job), start(store, b.job, quick[1].job)]);
    await vi.waitUntil(() => quick[0].runs.length + quick[1].runs.length >= 20, { timeout: patienceMs, interval: 10 });
    const ticks = (Date.now() - fromMs) / everyMs;
    // Each of the two may add a tick of its own when both find nothing at the start.
    expect(quick[0].runs.length + quick[1].runs.length).toBeLessThanOrEqual(ticks + 3);
    expect(most).toBe(1);
  });

  test("a process that starts later goes on where the last one stopped, with no backlog to work off", async () => {
    const store = await ownStore();
    const first = counted();
    const running = await start(store, first.job);
    await first.untilRuns(2);
    await stop(running);
    const before = first.runs.length;
    // Ticks that nobody takes: the guarantee is about what they leave behind.
    await delay(5 * everyMs);
    expect(first.runs).toHaveLength(before);
    const second = counted();
    await start(store, second.job);
    await second.untilRuns(8);
    // Seven pauses, of which a busy machine may swallow some; with a backlog of five there would be two.
    expect((second.runs.at(7) ?? 0) - (second.runs.at(0) ?? 0)).toBeGreaterThan(4 * everyMs);
  });

  test("a schedule that is no longer in the table stops", async () => {
    const store = await ownStore();
    const gone = counted("figures-forget");
    const kept = counted("figures-keep");
    const running = await start(store, gone.job, kept.job);
    await gone.untilRuns(1);
    await stop(running);
    const later = counted("figures-keep");
    await start(store, later.job);
    await later.untilRuns(3);
    expect(await schedules(store)).toEqual(["figures-keep"]);
  });

  test("a changed interval holds from the next start on", async () => {
    const store = await ownStore();
    const slow = counted();
    const running = await start(store, { ...slow.job, every: { ms: 3_600_000 } });
    await slow.untilRuns(1);
    await stop(running);
    const fast = counted();
    await start(store, fast.job);
    await fast.untilRuns(3);
  });

  test("a cron pattern is kept with its zone", async () => {
    const store = await ownStore();
    const { job, runs } = counted();
    await start(store, { ...job, every: { cron: "* * * * * *", tz: "Asia/Kolkata" } });
    await untilMore(runs, 2);
  });

  test("closing waits for a run, but ends within ten seconds of one that hangs", async () => {
    const store = await ownStore();
    const hung = counted("figures-hang", () => new Promise(() => {}));
    const running = await start(store, hung.job);
    await hung.untilRuns(1);
    expect(await unheldMs(() => stop(running))).toBeLessThan(10_000);

    let isDone = false;
    const brief = counted("figures-brief", async () => {
      await delay(500);
      isDone = true;
    });
    const other = await start(await ownStore(), brief.job);
    await brief.untilRuns(1);
    isDone = false;
    await stop(other);
    expect(isDone).toBe(true);
  });
});

async function schedules({ databaseUrl, redisUrl }: Store): Promise<string[]> {
  if (redisUrl === undefined)
    return rowsOf(databaseUrl, "SELECT scheduler_id AS value FROM bullmq.scheduler ORDER BY 1");
  const redis = new Redis(redisUrl);
  try {
    return await redis.zrange("bull:tidemark-worker:repeat", "0", "-1");
  } finally {
    redis.disconnect();
  }
}

async function rowsOf(databaseUrl: string, sql: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<{ value: string }>(sql)).rows.map(({ value }) => value);
  } finally {
    await client.end();
  }
}

test("runs leave nothing behind in Postgres that grows", async () => {
  const store = await postgresStore();
  const { job, untilRuns } = counted();
  await start(store, { ...job, every: { ms: 20 } });
  await untilRuns(100);
  const [jobs = Number.NaN, events = Number.NaN] = (
    await rowsOf(
      store.databaseUrl,
      "SELECT count(*) AS value FROM bullmq.job UNION ALL SELECT count(*) FROM bullmq.event",
    )
  ).map(Number);
  expect(jobs).toBeLessThanOrEqual(3);
  expect(events).toBeLessThanOrEqual(100 + 256);
});

test("Postgres killed and restarted: the jobs go on by themselves", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-jobs-"));
  const postgres = await startEmbeddedPostgres({ dataDir, log: silent });
  onTestFinished(async () => {
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  const { job, runs } = counted();
  const running = await start({ databaseUrl: postgres.url }, job);
  await untilMore(runs, 3);
  for (let round = 0; round < 3; round++) {
    const pid = postgres.pid();
    if (pid === undefined) throw new Error("Postgres does not run");
    process.kill(pid, "SIGKILL");
    await vi.waitUntil(() => postgres.pid() !== pid && postgres.pid() !== undefined, {
      timeout: patienceMs,
      interval: 20,
    });
    await untilMore(runs, 5, recoveryPatienceMs);
  }
  await stop(running);
});

test("Redis emptied: the jobs go on by themselves", async () => {
  const store = await redisStore();
  const { job, runs } = counted();
  await start(store, job);
  await untilMore(runs, 3);
  const redis = new Redis(store.redisUrl);
  await redis.flushdb();
  redis.disconnect();
  await untilMore(runs, 5, recoveryPatienceMs);
});

test("Redis killed and started again, empty: the jobs go on by themselves, and end in time while it is away", async () => {
  const port = String(await freeLoopbackPort());
  const spawnRedis = () =>
    spawn("redis-server", ["--port", port, "--bind", "127.0.0.1", "--save", ""], { stdio: "ignore" });
  const killed = async (child: ChildProcess) => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  let redis = spawnRedis();
  onTestFinished(() => void redis.kill("SIGKILL"));
  const { job, runs } = counted();
  const running = await start({ ...(await postgresStore()), redisUrl: `redis://127.0.0.1:${port}` }, job);
  await untilMore(runs, 3);
  await killed(redis);
  redis = spawnRedis();
  await untilMore(runs, 5, recoveryPatienceMs);
  await killed(redis);
  expect(await unheldMs(() => stop(running))).toBeLessThan(10_000);
});

test("a store that does not answer at boot is an error", async () => {
  await expect(start({ databaseUrl: "postgres://127.0.0.1:1/none" }, counted().job)).rejects.toThrow(/ECONNREFUSED/);
});

test.each([
  ["twice", [counted().job, counted().job], "figures-count is in the table twice"],
  ["badly named", [counted("Count").job], 'job name "Count" is not <noun>-<verb>'],
  ["without an interval", [{ ...counted().job, every: { ms: 0 } }], "has the interval 0"],
])("a job that is in the table %s stops the start before anything is asked", async (_, jobs, message) => {
  await expect(start({ databaseUrl: "postgres://127.0.0.1:1/none" }, ...jobs)).rejects.toThrow(message);
});
