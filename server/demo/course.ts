/** What the demonstration's organizations send, in the order of its times. */
import { hourMs } from "../contract/durations.ts";
import type { UsageEvent } from "../contract/events.ts";
import { usesOfHour } from "./beside-meetings.ts";
import { demoOrganizations } from "./demo-accounts.ts";
import { eventsOfHour, hourReachMs } from "./meetings.ts";
import type { Demonstration, TimedEvent } from "./timed-event.ts";

/** Events of all organizations, hour by hour. */
export class Course {
  readonly #demonstration: Demonstration;
  #plannedToMs: number;
  readonly #liveFromMs: number;
  #waiting: TimedEvent[] = [];

  /** Starts with events at `fromMs`; signs of life only from `liveFromMs` on. */
  constructor(demonstration: Demonstration, fromMs: number, liveFromMs: number) {
    this.#demonstration = demonstration;
    this.#liveFromMs = liveFromMs;
    const reachingMs = Math.floor((fromMs - hourReachMs) / hourMs) * hourMs;
    this.#plannedToMs = Math.max(demonstration.firstMs, reachingMs);
    this.#planTo(fromMs);
    this.#waiting = this.#waiting.filter(({ atMs }) => atMs >= fromMs);
  }

  /** The events before `toMs` that were not taken yet. */
  take(toMs: number): UsageEvent[] {
    this.#planTo(toMs);
    let count = 0;
    while (count < this.#waiting.length && (this.#waiting[count] as TimedEvent).atMs < toMs) count++;
    return this.#waiting.splice(0, count).map(({ event }) => event);
  }

  #planTo(toMs: number): void {
    if (this.#plannedToMs >= toMs) return;
    while (this.#plannedToMs < toMs) {
      const hourStartMs = this.#plannedToMs;
      const withSignsOfLife = hourStartMs + hourReachMs > this.#liveFromMs;
      for (const organization of demoOrganizations)
        for (const timed of [
          ...eventsOfHour(organization, hourStartMs, this.#demonstration, withSignsOfLife),
          ...usesOfHour(organization, hourStartMs, this.#demonstration),
        ])
          if (timed.atMs >= this.#liveFromMs || !timed.event.type.endsWith(".alive")) this.#waiting.push(timed);
      this.#plannedToMs += hourMs;
    }
    this.#waiting.sort((a, b) => a.atMs - b.atMs);
  }
}
