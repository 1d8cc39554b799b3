/**
 * The sessions that are held in memory, up to as many intervals in total as the process may take; an interval that has
 * many intervals, signs of life or long names counts as several. The one that was used longest ago goes first: whoever needs it again reads it
 * from storage, which has all of it.
 */
import type { RunningSession } from "./running-session.ts";
import { sessionKey } from "./session-intervals.ts";

/** In named intervals: some 700 bytes each. */
const maxWeight = 100_000;

export interface HeldSizes {
  sessions: number;
  intervals: number;
}

export class RunningSessions {
  /** In order of their last use, by `sessionKey`. */
  readonly #held = new Map<string, { session: RunningSession; intervals: number; weight: number }>();
  readonly #maxWeight: number;
  #intervals = 0;
  #weight = 0;

  constructor(most = maxWeight) {
    this.#maxWeight = most;
  }

  get sizes(): HeldSizes {
    return { sessions: this.#held.size, intervals: this.#intervals };
  }

  get(key: string): RunningSession | undefined {
    return this.#held.get(key)?.session;
  }

  /** Holds it from now on, as it is stored; one that alone is more than the process may take is not held, and evicts no other. */
  hold(session: RunningSession): void {
    const key = sessionKey(session.named);
    this.evict(key);
    const { intervals, weight } = session;
    if (weight > this.#maxWeight) return;
    this.#held.set(key, { session, intervals, weight });
    this.#intervals += intervals;
    this.#weight += weight;
    for (const oldest of this.#held.keys()) {
      if (this.#weight <= this.#maxWeight) return;
      this.evict(oldest);
    }
  }

  /** Whether one of so many intervals could be held: it weighs more than they do. */
  mayHold(intervals: number): boolean {
    return intervals <= this.#maxWeight;
  }

  evict(key: string): void {
    const entry = this.#held.get(key);
    if (!entry) return;
    this.#held.delete(key);
    this.#intervals -= entry.intervals;
    this.#weight -= entry.weight;
  }

  evictAll(): void {
    this.#held.clear();
    this.#intervals = 0;
    this.#weight = 0;
  }
}
