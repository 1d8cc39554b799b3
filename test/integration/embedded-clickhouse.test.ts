import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectClickHouse } from "../../server/clickhouse/client.ts";
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { isSameProcessRunning } from "../../server/process/process-identity.ts";
import { holdStore, killHard, runningProcess, whenGone } from "../support/embedded-store.ts";
import { eventually } from "../support/service.ts";
import { unheldMs } from "../support/unheld-time.ts";

const log = pino({ level: "silent" });
let dataDir: string;
let running: EmbeddedClickHouse | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tidemark-clickhouse-"));
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  await rm(dataDir, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedClickHouse> {
  running = await startEmbeddedClickHouse({ dataDir, log });
  return running;
}

async function values(store: EmbeddedClickHouse): Promise<unknown[]> {
  const clickhouse = connectClickHouse(store.connection);
  try {
    return await clickhouse.select("SELECT value FROM kept ORDER BY value", {});
  } finally {
    await clickhouse.close();
  }
}

async function keep(store: EmbeddedClickHouse, value: number): Promise<void> {
  const clickhouse = connectClickHouse(store.connection);
  await clickhouse.command("CREATE TABLE IF NOT EXISTS kept (value UInt32) ENGINE = MergeTree ORDER BY value");
  await clickhouse.command(`INSERT INTO kept VALUES (${value})`);
  await clickhouse.close();
}

test("it answers over HTTP as soon as its start resolves, and its log lies in the data folder", async () => {
  const store = await start();
  await keep(store, 1);
  expect(await values(store)).toEqual([{ value: 1 }]);
  expect((await stat(join(dataDir, "clickhouse", "clickhouse.log"))).isFile()).toBe(true);
});

test("a question may take its time while it is alive, and is given up soon when it hangs", async () => {
  const store = await start();
  const patience = { askAfterMs: 200, answerWithinMs: 1_500 };
  const clickhouse = connectClickHouse(store.connection, undefined, patience);
  try {
    const slow = "SELECT sleepEachRow(0.5) AS slept FROM numbers(3) SETTINGS max_block_size = 1";
    expect(await clickhouse.select(slow, {})).toHaveLength(3);
    const { pid } = runningProcess(store.pid());
    process.kill(pid, "SIGSTOP");
    try {
      await expect(clickhouse.select("SELECT 1 AS one", {})).rejects.toThrow("it did not answer for 1.7 s");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    expect(await clickhouse.select("SELECT 1 AS one", {})).toEqual([{ one: 1 }]);
  } finally {
    await clickhouse.close();
  }
});

test("nobody without the generated password reads anything, and only the owner reads the password", async () => {
  const store = await start();
  await keep(store, 1);
  const { connection } = store;
  for (const query of [
    "SELECT * FROM tidemark.kept",
    "DROP TABLE tidemark.kept",
    "SELECT * FROM file('/etc/passwd')",
  ]) {
    const stranger = await fetch(connection.url, { method: "POST", body: query });
    expect(stranger.status).toBe(404);
  }
  const wrong = await fetch(`${connection.url}/?query=SELECT+1`, {
    headers: { "x-clickhouse-user": connection.username, "x-clickhouse-key": "guess" },
  });
  expect(wrong.status).toBe(404);
  for (const secret of ["password", "config.xml", "users.xml"])
    expect((await stat(join(dataDir, "clickhouse", secret))).mode & 0o777).toBe(0o600);
  expect(await readFile(join(dataDir, "clickhouse", "users.xml"), "utf8")).not.toContain(connection.password);
});

test("after kill -9 it comes back at the same address with its data", async () => {
  const store = await start();
  await keep(store, 1);
  const killed = runningProcess(store.pid());
  process.kill(killed.pid, "SIGKILL");
  await whenGone(killed);
  expect(await eventually("the rows after the restart", () => values(store).catch(() => undefined))).toEqual([
    { value: 1 },
  ]);
  expect(store.pid()).not.toBe(killed.pid);
});

test("it ends when the process that started it is killed", async () => {
  const { holder, store } = await holdStore("clickhouse", dataDir);
  await killHard(holder);
  await whenGone(store);
});

test("a start right after kill -9 of the service has the data, and one ClickHouse runs on it", async () => {
  const first = await start();
  await keep(first, 7);
  await first.stop();
  const { holder, store: leftover } = await holdStore("clickhouse", dataDir);
  await killHard(holder);
  const second = await start();
  expect(isSameProcessRunning(leftover)).toBe(false);
  expect(await values(second)).toEqual([{ value: 7 }]);
});

test("it stops within 10 s, for good, also while queries run", async () => {
  const store = await start();
  const child = runningProcess(store.pid());
  const clickhouse = connectClickHouse(store.connection);
  const query = clickhouse.select("SELECT sum(sleepEachRow(1)) FROM numbers(60) SETTINGS max_block_size = 1", {});
  const outcome = expect(query).rejects.toThrow();
  await eventually("the query to run", async () => {
    const rows = await clickhouse.select("SELECT 1 FROM system.processes WHERE query LIKE '%sleepEachRow%60%'", {});
    return rows.length > 1 ? true : undefined;
  });
  expect(await unheldMs(() => store.stop())).toBeLessThan(10_000);
  expect(isSameProcessRunning(child)).toBe(false);
  expect(store.pid()).toBeUndefined();
  await outcome;
  await clickhouse.close();
});

test("nobody is let in without a password, whatever a page on this machine asks", async () => {
  const { connection } = await start();
  for (const sql of ["SELECT 1", "SYSTEM STOP LISTEN HTTP", "SELECT number FROM system.numbers LIMIT 1"])
    for (const user of ["", "?user=default", "?user=default&password="]) {
      const answer = await fetch(`${connection.url}/${user}`, { method: "POST", body: sql });
      expect([sql, user, answer.status]).toEqual([sql, user, 404]);
    }
  const clickhouse = connectClickHouse(connection);
  await clickhouse.ping();
  await clickhouse.close();
});

test("one that runs but listens no more is started again", async () => {
  const store = await start();
  const before = store.pid();
  const { username, password } = store.connection;
  await fetch(`${store.connection.url}/`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` },
    body: "SYSTEM STOP LISTEN HTTP",
  }).catch(() => undefined);
  const after = await eventually("another process that answers", async () => {
    const pid = store.pid();
    const answers = await fetch(store.connection.url).then(
      () => true,
      () => false,
    );
    return answers && pid !== before ? pid : undefined;
  });
  expect(after).not.toBe(before);
});
