/**
 * When what is in the log is worth a batch. Each batch makes parts in ClickHouse that cost the same whether they hold one event or
 * thousands: where somebody waits for the events, they are stored at once and then ten times a second, else once a second.
 */
import type { Signal } from "./signal.ts";

/** Between the beginnings of two batches. */
const pauseMs = 100;
/** The same while nobody waits. */
const patientPauseMs = 1_000;

/** `isUrgent`: whether somebody waits, also for what only arrives now. `hurry` is set when that may have become so, and when `abort` is. */
export function createGathering(isUrgent: () => boolean, hurry: Signal, abort: AbortSignal) {
  let begunAtMs = Number.NEGATIVE_INFINITY;
  return {
    /** Resolves when the next batch may begin. Rejects once aborted. */
    async whenDue(): Promise<void> {
      for (const waitingSinceMs = performance.now(); ; ) {
        hurry.clear();
        const dueAtMs = isUrgent() ? begunAtMs + pauseMs : Math.max(begunAtMs, waitingSinceMs) + patientPauseMs;
        const leftMs = dueAtMs - performance.now();
        if (leftMs <= 0) return;
        // Who comes to watch is looked for as often as batches would be stored.
        let timer: NodeJS.Timeout | undefined;
        const paused = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, Math.min(leftMs, pauseMs));
        });
        await Promise.race([paused, hurry.next()]);
        clearTimeout(timer);
        abort.throwIfAborted();
      }
    },
    /** A batch begins; a full one is followed by the next at once. */
    begun(isFull: boolean): void {
      begunAtMs = isFull ? Number.NEGATIVE_INFINITY : performance.now();
    },
  };
}
