/** Where BullMQ keeps the queues: in Postgres by default, in Redis when there is one. Nothing in it is worth keeping. */
import { setTimeout as delay } from "node:timers/promises";
import {
  type BackendFactory,
  createPostgresBackend,
  createRedisBackend,
  DEFAULT_SCHEMA,
  type IQueueBackend,
  runMigrations,
} from "bullmq";
import type { Redis } from "ioredis";
import pg from "pg";
import type { Logger } from "pino";
import { connectRedis } from "../redis/connect-redis.ts";

export type JobConnection = pg.Pool | Redis;

export interface JobStore {
  connection: JobConnection;
  backend: BackendFactory<IQueueBackend, JobConnection>;
  /** Resolves when every connection is gone; connections in use are waited for. */
  close(): Promise<void>;
}

const connectTimeoutMs = 5_000;
/** After a failed fetch BullMQ tries again at once; while Postgres recovers that is a core busy with refused queries. */
const pauseAfterFailedFetchMs = 500;

/** Brings BullMQ's own schema up to date (a worker on an old one would spin) and rejects when Postgres cannot be reached. */
export async function openPostgresJobStore(databaseUrl: string, log: Pick<Logger, "error">): Promise<JobStore> {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    application_name: "tidemark-jobs",
    // The queries of BullMQ name no schema, and it does not set the path of a pool that it did not open.
    options: `-c search_path=${DEFAULT_SCHEMA}`,
    // A listener per role stays checked out, the rest serves the queries of workers and schedules.
    max: 8,
    connectionTimeoutMillis: connectTimeoutMs,
    // Lets a worker trust its listener, and sleep until the next job is due instead of asking every 10 s.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  pool.on("error", (error) => log.error({ err: error }, "a connection of the job queues broke"));
  try {
    const client = await pool.connect();
    try {
      await runMigrations(client);
    } finally {
      client.release();
    }
  } catch (error) {
    await pool.end();
    throw error;
  }
  return {
    connection: pool,
    backend: (name, options, use) => {
      const backend = createPostgresBackend(name, { ...options, connection: pool }, use);
      const fetch = backend.moveToActive.bind(backend);
      backend.moveToActive = async (...args) => {
        try {
          return await fetch(...args);
        } catch (error) {
          await delay(pauseAfterFailedFetchMs);
          throw error;
        }
      };
      return backend;
    },
    close: () => pool.end(),
  };
}

export function openRedisJobStore(redisUrl: string, log: Pick<Logger, "info" | "error">): JobStore {
  const redis = connectRedis(redisUrl, { name: "jobs", whenDown: "wait", log });
  return {
    connection: redis,
    backend: (name, options, use) => createRedisBackend(name, { ...options, connection: redis }, use),
    close: async () => redis.disconnect(),
  };
}
