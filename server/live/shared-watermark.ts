/**
 * How far queries see, where the process that answers is not the one that ingests: the latter tells it through Redis.
 * Without news the last one told stands, so it may be too old, never too new.
 */
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { z } from "zod";

const key = "tidemark:watermark";
const everyMs = 250;

/** How far queries see. */
export interface Visibility {
  /** Every event accepted up to this instant is visible. */
  watermark(): Date;
  /** Everything stored under this id or a smaller one is visible, and nothing more will be stored under one. */
  settledBatch(): number;
}

const toldSchema = z.object({ watermarkMs: z.number(), settledBatch: z.number() });

/** Tells it to other processes, several times a second. Returns the function that stops it. */
export function tellVisibility(
  redis: Redis,
  { watermark, settledBatch }: Visibility,
  /** Of several processes that know it, one tells it. */
  isTeller: () => boolean = () => true,
): () => void {
  const timer = setInterval(() => {
    if (redis.status !== "ready" || !isTeller()) return;
    const told = { watermarkMs: watermark().getTime(), settledBatch: settledBatch() };
    redis.set(key, JSON.stringify(told)).catch(() => undefined);
  }, everyMs);
  return () => clearInterval(timer);
}

export interface HeardVisibility extends Visibility {
  stop(): void;
}

/** Follows what `tellVisibility` tells; 1970 and no batch until something was heard. */
export function hearVisibility(redis: Redis, log: Pick<Logger, "warn">): HeardVisibility {
  let heard = { watermarkMs: 0, settledBatch: 0 };
  const timer = setInterval(() => {
    if (redis.status !== "ready") return;
    redis
      .get(key)
      .then((text) => {
        if (text === null) return;
        const told = toldSchema.parse(JSON.parse(text));
        heard = {
          watermarkMs: Math.max(heard.watermarkMs, told.watermarkMs),
          settledBatch: Math.max(heard.settledBatch, told.settledBatch),
        };
      })
      .catch((err: unknown) => log.warn({ err }, "the watermark could not be read"));
  }, everyMs);
  return {
    watermark: () => new Date(heard.watermarkMs),
    settledBatch: () => heard.settledBatch,
    stop: () => clearInterval(timer),
  };
}
