/** A database of its own for each test file, in the stores that all of them share. */
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import pg from "pg";
import { inject } from "vitest";
import { type ClickHouse, type ClickHouseConnection, connectClickHouse } from "../../server/clickhouse/client.ts";

const freshName = () => `test_${randomBytes(8).toString("hex")}`;

export interface OwnClickHouse {
  clickhouse: ClickHouse;
  connection: Required<ClickHouseConnection>;
  drop(): Promise<void>;
}

/** A fresh database with the whole schema, and nothing in it. */
export async function ownClickHouse(): Promise<OwnClickHouse> {
  const server = inject("clickhouse");
  const { tables, views } = inject("clickhouseSchema");
  const migrated = inject("migratedDatabase");
  const database = freshName();
  const admin = connectClickHouse({ ...server, database: "default" });
  await admin.command(`CREATE DATABASE ${database}`);
  const make = (statement: string) => admin.command(statement.replaceAll(`${migrated}.`, `${database}.`));
  await Promise.all(tables.map(make));
  await Promise.all(views.map(make));
  await admin.command(`INSERT INTO ${database}.schema_migrations SELECT * FROM ${migrated}.schema_migrations`);
  const connection = { ...server, database };
  const clickhouse = connectClickHouse(connection);
  return {
    clickhouse,
    connection,
    async drop() {
      await clickhouse.close();
      await admin.command(`DROP DATABASE ${database} SYNC`);
      await admin.close();
    },
  };
}

/** A fresh database with the whole schema, and nothing in it. */
export async function ownPostgres(): Promise<{ url: string; drop(): Promise<void> }> {
  const server = inject("postgresUrl");
  const database = freshName();
  await runOn(server, `CREATE DATABASE ${database} TEMPLATE ${inject("migratedDatabase")}`);
  const url = new URL(server);
  url.pathname = `/${database}`;
  return { url: url.href, drop: () => runOn(server, `DROP DATABASE ${database} WITH (FORCE)`) };
}

async function runOn(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A Redis database that no other test file uses; emptied when it is taken and when it is given back. */
export async function ownRedis(): Promise<{ url: string; stop(): Promise<void> }> {
  const counter = new Redis(inject("redisUrl"));
  const database = await counter.incr("test-databases");
  counter.disconnect();
  const url = `${inject("redisUrl")}/${database}`;
  const client = new Redis(url);
  await client.flushdb();
  return {
    url,
    async stop() {
      await client.flushdb();
      client.disconnect();
    },
  };
}

export interface OwnStores {
  clickhouse: OwnClickHouse;
  /** What a service that uses them is started with. */
  settings: { CLICKHOUSE_URL: string; DATABASE_URL: string; REDIS_URL: string };
  drop(): Promise<void>;
}

/** A database of its own in each of the three stores. */
export async function ownStores(): Promise<OwnStores> {
  const [clickhouse, postgres, redis] = await Promise.all([ownClickHouse(), ownPostgres(), ownRedis()]);
  return {
    clickhouse,
    settings: { CLICKHOUSE_URL: urlOf(clickhouse), DATABASE_URL: postgres.url, REDIS_URL: redis.url },
    async drop() {
      await Promise.all([clickhouse.drop(), redis.stop()]);
      await postgres.drop();
    },
  };
}

/** Its database as a service takes it. */
export function urlOf({ connection }: Pick<OwnClickHouse, "connection">): string {
  const { url, username, password, database } = connection;
  return Object.assign(new URL(url), { username, password, pathname: `/${database}` }).href;
}
