/**
 * How long events take from receipt until queries see them, sampled into ClickHouse every few seconds. A statistic: it is
 * kept in memory until it is stored, and a sample that cannot be stored is let go.
 */
import type { Logger } from "pino";
import { z } from "zod";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { defineStatement } from "../../clickhouse/define-query.ts";

const storeFreshness = defineStatement(
  "store_freshness",
  z.object({ at_ms: z.number(), lag_ms: z.array(z.number()), weights: z.array(z.number()) }),
);

const storeEveryMs = 5_000;
/** Lags are told apart by so much; finer ones would only make samples larger. */
const stepMs = 5;
const longestLagMs = 2 ** 32 - 1;

export interface FreshnessSampler {
  batchSettled(receipts: readonly { atMs: number; events: number }[], nowMs: number): void;
  /** Stores what was gathered. */
  close(): Promise<void>;
}

export function createFreshnessSampler(clickhouse: ClickHouse, log: Pick<Logger, "warn">): FreshnessSampler {
  let gathered = new Map<number, number>();
  let timer: NodeJS.Timeout | undefined;

  async function store(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (gathered.size === 0) return;
    const sample = [...gathered];
    gathered = new Map();
    await storeFreshness(clickhouse, {
      at_ms: Date.now(),
      lag_ms: sample.map(([lagMs]) => lagMs),
      weights: sample.map(([, events]) => events),
    }).catch((error: unknown) => log.warn({ err: error }, "a sample of the freshness was let go"));
  }

  return {
    batchSettled(receipts, nowMs) {
      for (const { atMs, events } of receipts) {
        const lagMs = Math.min(longestLagMs, Math.max(0, Math.ceil((nowMs - atMs) / stepMs) * stepMs));
        gathered.set(lagMs, (gathered.get(lagMs) ?? 0) + events);
      }
      timer ??= setTimeout(() => void store(), storeEveryMs);
      timer.unref();
    },
    close: store,
  };
}
