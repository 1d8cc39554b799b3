/** Starts the stores that the integration tests share. A store that cannot be started fails the run. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import pg from "pg";
import { pino } from "pino";
import type { TestProject } from "vitest/node";
import { z } from "zod";
import { type ClickHouseConnection, connectClickHouse } from "../../server/clickhouse/client.ts";
import { migrateClickHouse } from "../../server/clickhouse/migrate.ts";
import { startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { startEmbeddedPostgres } from "../../server/embedded/embedded-postgres.ts";
import { freeLoopbackPort } from "../../server/embedded/loopback.ts";
import { connectPostgres } from "../../server/postgres/client.ts";
import { migratePostgres } from "../../server/postgres/migrate.ts";
import { patienceMs } from "./patience.ts";

declare module "vitest" {
  interface ProvidedContext {
    clickhouse: { url: string; username: string; password: string };
    clickhouseSchema: ClickHouseSchema;
    postgresUrl: string;
    migratedDatabase: string;
    redisUrl: string;
  }
}

/** What the tests' databases are copies of: statements that name the database `migrated`, those of one list in any order. */
export interface ClickHouseSchema {
  tables: string[];
  /** They read the tables. */
  views: string[];
}

export default async function startSharedStores(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-stores-"));
  const log = pino({ level: "warn" });
  const [clickhouse, postgres, redis] = await Promise.all([
    startEmbeddedClickHouse({ dataDir, log }),
    startEmbeddedPostgres({ dataDir, log }),
    startRedis(dataDir),
  ]);
  const { url, username, password } = clickhouse.connection;
  const [schema] = await Promise.all([readMigratedSchema({ url, username, password }), preparePostgres(postgres.url)]);
  project.provide("clickhouse", { url, username, password });
  project.provide("clickhouseSchema", schema);
  project.provide("postgresUrl", postgres.url);
  project.provide("migratedDatabase", migratedDatabase);
  project.provide("redisUrl", redis.url);
  return async () => {
    await Promise.all([clickhouse.stop(), postgres.stop(), redis.stop()]);
    await rm(dataDir, { recursive: true, force: true });
  };
}

/** What the tests' databases are copies of, in both stores: it has the whole schema. */
const migratedDatabase = "migrated";

/** The schema as all migrations leave it: made from it a database costs a third of what it costs by them. */
async function readMigratedSchema(server: Required<Omit<ClickHouseConnection, "database">>): Promise<ClickHouseSchema> {
  const admin = connectClickHouse({ ...server, database: "default" });
  await admin.command(`CREATE DATABASE ${migratedDatabase}`);
  const clickhouse = connectClickHouse({ ...server, database: migratedDatabase });
  await migrateClickHouse(clickhouse);
  const made = z
    .array(z.object({ engine: z.string(), create_table_query: z.string() }))
    .parse(
      await admin.select(
        "SELECT engine, create_table_query FROM system.tables WHERE database = {database:String} ORDER BY name",
        { database: migratedDatabase },
      ),
    );
  await Promise.all([clickhouse.close(), admin.close()]);
  const statementsOf = (isView: boolean) =>
    made
      .filter(({ engine }) => (engine === "MaterializedView") === isView)
      .map(({ create_table_query: statement }) => withoutSyncs(statement));
  return { tables: statementsOf(false), views: statementsOf(true) };
}

/** Nothing that is in the shared stores outlives the run, so they need not wait for the disk. */
const withoutSyncs = (statement: string) => statement.replaceAll(/\b(fsync_\w+) = 1\b/g, "$1 = 0");

/** The same. */
async function preparePostgres(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const setting of ["fsync", "synchronous_commit", "full_page_writes"])
    await client.query(`ALTER SYSTEM SET ${setting} = off`);
  await client.query("SELECT pg_reload_conf()");
  await client.query(`CREATE DATABASE ${migratedDatabase}`);
  await client.end();
  const migrated = new URL(url);
  migrated.pathname = `/${migratedDatabase}`;
  const postgres = connectPostgres(migrated.href);
  await migratePostgres(postgres);
  await postgres.close();
}

async function startRedis(dataDir: string): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freeLoopbackPort();
  const child: ChildProcess = spawn(
    "redis-server",
    [
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--maxmemory-policy",
      "noeviction",
      "--databases",
      "1024",
      "--dir",
      dataDir,
    ],
    { stdio: "ignore" },
  );
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = new Error("redis-server could not be started; install it (apt-get install redis-server)", {
      cause: error,
    });
  });
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => 25, maxRetriesPerRequest: null });
  client.on("error", () => undefined);
  for (const untilMs = Date.now() + patienceMs; ; await delay(25)) {
    if (failure) throw failure;
    if (Date.now() > untilMs) throw new Error(`redis-server did not answer within ${patienceMs} ms`);
    if (client.status === "wait") void client.connect().catch(() => undefined);
    if (client.status === "ready") break;
  }
  client.disconnect();
  return {
    url,
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}
