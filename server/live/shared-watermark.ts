/**
 * The watermark where the process that answers is not the one that ingests: the latter tells it through Redis. Without
 * news the last one told stands, so it may be too old, never too new.
 */
import type { Redis } from "ioredis";
import type { Logger } from "pino";

const key = "tidemark:watermark";
const everyMs = 250;

/** Tells `watermark()` to other processes, several times a second. Returns the function that stops it. */
export function tellWatermark(redis: Redis, watermark: () => Date): () => void {
  const timer = setInterval(() => {
    if (redis.status === "ready") redis.set(key, watermark().getTime()).catch(() => undefined);
  }, everyMs);
  return () => clearInterval(timer);
}

export interface HeardWatermark {
  watermark(): Date;
  stop(): void;
}

/** Follows what `tellWatermark` tells; 1970 until something was heard. */
export function hearWatermark(redis: Redis, log: Pick<Logger, "warn">): HeardWatermark {
  let heardMs = 0;
  const timer = setInterval(() => {
    if (redis.status !== "ready") return;
    redis.get(key).then(
      (text) => {
        heardMs = Math.max(heardMs, Number(text ?? 0));
      },
      (err: unknown) => log.warn({ err }, "the watermark could not be read"),
    );
  }, everyMs);
  return { watermark: () => new Date(heardMs), stop: () => clearInterval(timer) };
}
