/** The stores of the service: those that the settings name, waited for until they are there, or embedded ones. */
import type { Logger } from "pino";
import { type ClickHouseConnection, StoreUnavailableError } from "../clickhouse/client.ts";
import type { Config } from "../config.ts";
import { type AwaitedStore, onceReached, type Waits } from "../health/await-store.ts";
import { isPostgresUnavailable } from "../postgres/client.ts";
import { askRedisOnce } from "../redis/connect-redis.ts";

/** Runs work on a store as soon as the store can be asked. */
export interface Await {
  postgres<Result>(work: () => Promise<Result>): Promise<Result>;
  clickhouse<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Resolves when Redis, where there is one, answers. */
  redis(): Promise<void>;
}

/** Throws StoreRefusedError where a store refuses the credentials; embedded stores are not waited for. */
export function awaitStores(config: Config, waits: Waits, log: Logger, signal: AbortSignal): Await {
  const context = { waits, log, signal };
  const store = (
    name: AwaitedStore["name"],
    setting: string,
    url: string,
    isUnavailable: (error: unknown) => boolean,
  ) => ({ name, setting, isUnavailable, place: new URL(url).host });
  return {
    postgres: (work) => {
      if (!config.databaseUrl) return work();
      return onceReached(store("Postgres", "DATABASE_URL", config.databaseUrl, isPostgresUnavailable), context, work);
    },
    clickhouse: (work) => {
      if (!config.clickhouseUrl) return work();
      const isUnavailable = (error: unknown) => error instanceof StoreUnavailableError;
      return onceReached(store("ClickHouse", "CLICKHOUSE_URL", config.clickhouseUrl, isUnavailable), context, work);
    },
    async redis() {
      const { redisUrl } = config;
      if (!redisUrl) return;
      await onceReached(
        store("Redis", "REDIS_URL", redisUrl, () => true),
        context,
        () => askRedisOnce(redisUrl),
      );
    },
  };
}

export async function clickhouseFor(
  config: Config,
  log: Logger,
  started: (() => Promise<void>)[],
): Promise<{ connection: ClickHouseConnection }> {
  if (config.clickhouseUrl) return { connection: connectionOf(config.clickhouseUrl) };
  const { startEmbeddedClickHouse } = await import("../embedded/embedded-clickhouse.ts");
  const embedded = await startEmbeddedClickHouse({ dataDir: config.dataDir, log });
  started.push(() => embedded.stop());
  return embedded;
}

/** http://user:password@host:8123/database */
function connectionOf(text: string): ClickHouseConnection {
  const url = new URL(text);
  const connection: ClickHouseConnection = {
    url: url.origin,
    username: decodeURIComponent(url.username) || "default",
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || "default",
  };
  return connection;
}

export async function postgresFor(
  config: Config,
  log: Logger,
  started: (() => Promise<void>)[],
): Promise<{ url: string }> {
  if (config.databaseUrl) return { url: config.databaseUrl };
  const { startEmbeddedPostgres } = await import("../embedded/embedded-postgres.ts");
  const embedded = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
  started.push(() => embedded.stop());
  return embedded;
}
