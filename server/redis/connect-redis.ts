/**
 * Connections to Redis. Redis carries jobs, limits and live messages only: losing it loses no usage, so a connection
 * never gives up and its errors never end the process.
 */
import { Redis } from "ioredis";
import type { Logger } from "pino";

export interface RedisUse {
  /** Shown by `CLIENT LIST` and in the log. */
  name: string;
  /**
   * `wait`: commands given while Redis is away wait until it is back, however long (queues, subscriptions).
   * `fail`: they are rejected at once, for callers who have something better to do than to wait (limits).
   */
  whenDown: "wait" | "fail";
  log: Pick<Logger, "info" | "error">;
}

const longestPauseMs = 2_000;
const connectTimeoutMs = 5_000;
/** A peer that vanished without a word is noticed by this probe instead of by the next command. */
const keepAliveMs = 10_000;

/**
 * Starts to connect to `url` (redis:// or rediss://) and returns at once; reconnects for ever. An outage is logged once,
 * when it begins, and once more when it ends. The caller closes it with `quit()` or `disconnect()`.
 */
export function connectRedis(url: string, { name, whenDown, log }: RedisUse): Redis {
  const redis = new Redis(url, {
    connectionName: `tidemark-${name}`,
    connectTimeout: connectTimeoutMs,
    keepAlive: keepAliveMs,
    enableOfflineQueue: whenDown === "wait",
    maxRetriesPerRequest: whenDown === "wait" ? null : 0,
    retryStrategy: (attempts) => Math.min(100 * attempts, longestPauseMs),
    // After a failover the old primary still answers, but refuses writes: only a new connection finds the new one.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  });
  logOutages(redis, name, log);
  return redis;
}

/** Resolves when Redis answers this one time. */
export async function askRedisOnce(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    commandTimeout: connectTimeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let trouble: Error | undefined;
  redis.on("error", (error: Error) => {
    trouble = error;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    throw trouble ?? error;
  } finally {
    redis.disconnect();
  }
}

/** Logs the begin and the end of each outage of `redis`; without a listener ioredis prints every failed attempt. */
function logOutages(redis: Redis, name: string, log: Pick<Logger, "info" | "error">): void {
  let isDown = false;
  redis.on("error", (error: Error) => {
    if (isDown) return;
    isDown = true;
    log.error(
      { err: Object.assign(error, { store: "redis" }), connection: name },
      "Redis cannot be reached, trying again until it can",
    );
  });
  redis.on("ready", () => {
    if (isDown) log.info({ connection: name }, "Redis is back");
    isDown = false;
  });
}
