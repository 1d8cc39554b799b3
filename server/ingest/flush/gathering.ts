/**
 * When what is in the log is worth a batch. Each batch makes parts in ClickHouse that cost the same whether they hold one event or
 * thousands: where somebody waits for the events, they are stored at once and then ten times a second, else once a second, and while
 * they are few every five seconds.
 */
import type { Signal } from "./signal.ts";

/** Between the beginnings of two batches. */
const pauseMs = 100;
/** The same while nobody waits. */
const patientPauseMs = 1_000;
/** The same while there are few. */
export const longestPauseMs = 5_000;

export interface GatheringDeps {
  /** Whether somebody waits, also for what only arrives now. */
  isUrgent: () => boolean;
  areFew: () => boolean;
  /** Set when events may have become urgent, and when `abort` is. */
  hurry: Signal;
  abort: AbortSignal;
}

export function createGathering({ isUrgent, areFew, hurry, abort }: GatheringDeps) {
  let begunAtMs = Number.NEGATIVE_INFINITY;
  function dueAtMs(waitingSinceMs: number): number {
    if (isUrgent()) return begunAtMs + pauseMs;
    return Math.max(begunAtMs, waitingSinceMs) + (areFew() ? longestPauseMs : patientPauseMs);
  }
  return {
    /** Resolves when the next batch may begin. Rejects once aborted. */
    async whenDue(): Promise<void> {
      for (const waitingSinceMs = performance.now(); ; ) {
        hurry.clear();
        const leftMs = dueAtMs(waitingSinceMs) - performance.now();
        if (leftMs <= 0) return;
        // Who comes to watch is looked for as often as batches would be stored, and how many there are.
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
