/** What the flush must do before it goes on, however long storage or the disk refuses. */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";

const firstDelayMs = 200;
const longestDelayMs = 30_000;

/** Repeats `action` with full jitter until it succeeds; rejects only when the signal is aborted. */
export async function untilDone<Result>(
  { log, signal }: { log: Logger; signal: AbortSignal },
  what: string,
  action: (attempt: number) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await action(attempt);
    } catch (error) {
      const longest = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(attempt, 10));
      const level = attempt < 3 ? "warn" : "error";
      log[level]({ err: error, attempt }, `${what}: will be tried again`);
      await delay(Math.random() * longest, undefined, { signal });
    }
  }
}
