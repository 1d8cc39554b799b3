/**
 * How far queries see, where the process that answers is not the one that ingests: the latter publishes it through Redis.
 * While nothing newer comes the last value is used, so it may be too old, never too new.
 */
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { z } from "zod";
import { parseJson } from "../json/parse-json.ts";

const key = "tidemark:watermark";
const everyMs = 250;

/** How far queries see. */
export interface Visibility {
  /** Every event accepted up to this instant is visible. */
  watermark(): Date;
  /** Everything stored under this id or a smaller one is visible, and nothing more will be stored under one. */
  settledBatch(): number;
}

const publishedSchema = z.object({ watermarkMs: z.number(), settledBatch: z.number() });

/** Publishes it to the other processes, several times a second. Returns the function that stops it. */
export function publishVisibility(
  redis: Redis,
  { watermark, settledBatch }: Visibility,
  /** Where several processes know it, one publishes it. */
  isPublisher: () => boolean = () => true,
): () => void {
  const timer = setInterval(() => {
    if (redis.status !== "ready" || !isPublisher()) return;
    const published = { watermarkMs: watermark().getTime(), settledBatch: settledBatch() };
    redis.set(key, JSON.stringify(published)).catch(() => undefined);
  }, everyMs);
  return () => clearInterval(timer);
}

export interface SubscribedVisibility extends Visibility {
  stop(): void;
}

/** Follows what `publishVisibility` publishes; 1970 and no batch until the first value is read. */
export function subscribeToVisibility(redis: Redis, log: Pick<Logger, "warn">): SubscribedVisibility {
  let latest = { watermarkMs: 0, settledBatch: 0 };
  const timer = setInterval(() => {
    if (redis.status !== "ready") return;
    redis
      .get(key)
      .then((text) => {
        if (text === null) return;
        const published = publishedSchema.parse(parseJson(text));
        latest = {
          watermarkMs: Math.max(latest.watermarkMs, published.watermarkMs),
          settledBatch: Math.max(latest.settledBatch, published.settledBatch),
        };
      })
      .catch((err: unknown) => log.warn({ err }, "the watermark could not be read"));
  }, everyMs);
  return {
    watermark: () => new Date(latest.watermarkMs),
    settledBatch: () => latest.settledBatch,
    stop: () => clearInterval(timer),
  };
}
