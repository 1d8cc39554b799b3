/** Stores may come later than the service: each is waited for, and what is waited for is said, in the log and by /readyz. */
import pRetry from "p-retry";
import type { Logger } from "pino";
import { storeTrouble } from "./store-trouble.ts";

/** The settings of a store are wrong; the message is for whoever started the service. */
export class StoreRefusedError extends Error {
  override name = "StoreRefusedError";
}

export interface AwaitedStore {
  name: "Postgres" | "ClickHouse" | "Redis";
  /** That names it. */
  setting: string;
  /** Host and port, for the log alone. */
  place: string;
  /** Whether an error says that the store could not be asked. */
  isUnavailable: (error: unknown) => boolean;
}

const askAgainMs = 500;
const sayAgainMs = 60_000;

/** What the service waits for, for /readyz; empty when it waits for nothing. */
export type Waits = Map<AwaitedStore["name"], string>;

/**
 * Runs `work` until the store can be asked for it. Throws StoreRefusedError when it refuses the credentials or has no such
 * database, and what `work` throws otherwise.
 */
export async function onceReached<Result>(
  { name, setting, place, isUnavailable }: AwaitedStore,
  { waits, log, signal }: { waits: Waits; log: Pick<Logger, "warn" | "info">; signal: AbortSignal },
  work: () => Promise<Result>,
): Promise<Result> {
  let saidAtMs = Number.NEGATIVE_INFINITY;
  function consider(error: Error): void {
    const { words, why, isFinal } = storeTrouble(error);
    if (isFinal) throw new StoreRefusedError(`${name} at ${place} ${words} (${setting}).`, { cause: error });
    if (!isUnavailable(error) || signal.aborted) throw error;
    waits.set(name, `waiting for ${name}, which ${words}`);
    if (performance.now() - saidAtMs < sayAgainMs) return;
    saidAtMs = performance.now();
    log.warn(`waiting for ${name} at ${place} (${setting}), which ${words}${why ? `: ${why}` : ""}`);
  }
  const result = await pRetry(work, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: askAgainMs,
    factor: 1,
    signal,
    onFailedAttempt: ({ error }) => consider(error),
  });
  if (waits.delete(name)) log.info(`${name} is there`);
  return result;
}
