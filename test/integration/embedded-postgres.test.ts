import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../server/embedded/embedded-postgres.ts";
import { isSameProcessRunning } from "../../server/process/process-identity.ts";
import { holdStore, killHard, runningProcess, whenGone } from "../support/embedded-store.ts";
import { eventually } from "../support/service.ts";
import { unheldMs } from "../support/unheld-time.ts";

const log = pino({ level: "silent" });
let dataDir: string;
let running: EmbeddedPostgres | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tidemark-postgres-"));
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  await rm(dataDir, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedPostgres> {
  running = await startEmbeddedPostgres({ dataDir, log });
  return running;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test("it takes connections as soon as its start resolves, and its log lies in the data folder", async () => {
  const { url } = await start();
  expect(await query(url, "SHOW shared_buffers")).toEqual([{ shared_buffers: "32MB" }]);
  expect((await stat(join(dataDir, "postgres", "postgres.log"))).size).toBeGreaterThan(0);
});

test("it starts below a folder that only its owner may enter", async () => {
  await chmod(dataDir, 0o700);
  const { url } = await start();
  expect(await query(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("nobody gets in without the generated password, which only the owner reads", async () => {
  const { url } = await start();
  const wrong = new URL(url);
  wrong.password = "guess";
  await expect(query(wrong.href, "SELECT 1")).rejects.toThrow(/password authentication failed/);
  expect((await stat(join(dataDir, "postgres", "password"))).mode & 0o777).toBe(0o600);
});

test("after kill -9 it comes back at the same address with its data", async () => {
  const store = await start();
  await query(store.url, "CREATE TABLE kept AS SELECT 7 AS value");
  const killed = runningProcess(store.pid());
  process.kill(killed.pid, "SIGKILL");
  await whenGone(killed);
  const rows = await eventually("the rows after the restart", () =>
    query(store.url, "SELECT value FROM kept").catch(() => undefined),
  );
  expect(rows).toEqual([{ value: 7 }]);
});

test("it ends when the process that started it is killed", async () => {
  const { holder, store } = await holdStore("postgres", dataDir);
  await killHard(holder);
  await whenGone(store);
});

test("a start right after kill -9 of the service has the data, and one Postgres runs on it", async () => {
  const first = await start();
  await query(first.url, "CREATE TABLE kept AS SELECT 7 AS value");
  await first.stop();
  const { holder, store: leftover } = await holdStore("postgres", dataDir);
  await killHard(holder);
  const second = await start();
  expect(isSameProcessRunning(leftover)).toBe(false);
  expect(await query(second.url, "SELECT value FROM kept")).toEqual([{ value: 7 }]);
});

test("it starts although the number in postmaster.pid now belongs to another program", async () => {
  const first = await start();
  const pidFile = join(dataDir, "postgres", "data", "postmaster.pid");
  const lines = (await readFile(pidFile, "utf8")).split("\n");
  await first.stop();
  const other = spawn("sleep", ["60"], { stdio: "ignore" });
  await once(other, "spawn");
  try {
    await writeFile(pidFile, [String(other.pid), ...lines.slice(1)].join("\n"));
    const second = await start();
    expect(await query(second.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(other.exitCode ?? other.signalCode).toBeNull();
  } finally {
    other.kill("SIGKILL");
  }
});

test("it stops within 10 s, for good, also with sessions open", async () => {
  const store = await start();
  const child = runningProcess(store.pid());
  const session = new pg.Client({ connectionString: store.url });
  session.on("error", () => undefined);
  await session.connect();
  const outcome = expect(session.query("SELECT pg_sleep(60)")).rejects.toThrow();
  expect(await unheldMs(() => store.stop())).toBeLessThan(10_000);
  expect(isSameProcessRunning(child)).toBe(false);
  await outcome;
});

test.runIf(process.platform === "linux" && process.getuid?.() === 0)(
  "started by root it has no capability, cannot get one, and reads only its own files",
  async () => {
    await chmod(dataDir, 0o700);
    const { url, pid } = await start();
    const status = await readFile(`/proc/${pid()}/status`, "utf8");
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      expect([set, new RegExp(`^${set}:\\s+(\\w+)$`, "m").exec(status)?.[1]]).toEqual([set, "0000000000000000"]);
    await expect(query(url, "SELECT pg_read_file('/etc/shadow')")).rejects.toThrow(/Permission denied/);
  },
);
