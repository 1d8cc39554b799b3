/**
 * When what is in the log is worth a batch. Each batch makes parts in ClickHouse that cost the same whether they hold one event or
 * thousands: where somebody waits for the events, they are stored at once and then ten times a second, else so that they can be queried
 * within a second, and while they are few every five seconds.
 */
import type { Signal } from "./signal.ts";

/** Between the beginnings of two batches. */
const pauseMs = 100;
/** The same at most while nobody waits. */
const patientPauseMs = 1_000;
/** The same while they are few as well. */
export const longestPauseMs = 5_000;
/** While nobody waits, a pause and what a batch takes to settle last no longer together, where that can be: the watermark is a second old at most. */
const queryableWithinMs = 900;
/** How much of the longest time is remembered with each batch that took less. */
const rememberedShare = 0.8;

export interface GatheringDeps {
  /** Whether somebody waits, also for what only arrives now. */
  isUrgent: () => boolean;
  areFew: () => boolean;
  /** How long a batch takes from its beginning until it is settled. */
  settlingMs: () => number;
  /** Set when events may have become urgent, and when `abort` is. */
  hurry: Signal;
  abort: AbortSignal;
}

/** Never shorter than what a batch takes: those that wait for each other only cost more. */
export const patientPauseOf = (settlingMs: number) =>
  Math.min(patientPauseMs, Math.max(queryableWithinMs - settlingMs, settlingMs));

export function createGathering({ isUrgent, areFew, settlingMs, hurry, abort }: GatheringDeps) {
  let begunAtMs = Number.NEGATIVE_INFINITY;
  function dueAtMs(waitingSinceMs: number): number {
    if (isUrgent()) return begunAtMs + pauseMs;
    return Math.max(begunAtMs, waitingSinceMs) + (areFew() ? longestPauseMs : patientPauseOf(settlingMs()));
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

/** How long batches take to be settled: the longest of late. A single one that took long counts for less with each that did not. */
export class SettlingTime {
  readonly #begunAtMs = new Map<number, number>();
  #ms = 0;

  get ms(): number {
    return this.#ms;
  }

  begun(batch: number, atMs: number): void {
    this.#begunAtMs.set(batch, atMs);
  }

  /** One that this process did not begin says nothing. */
  settled(batch: number): void {
    const begunAtMs = this.#begunAtMs.get(batch);
    if (begunAtMs === undefined) return;
    this.#begunAtMs.delete(batch);
    this.#ms = Math.max(performance.now() - begunAtMs, this.#ms * rememberedShare);
  }
}
