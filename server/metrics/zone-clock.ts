/**
 * What the clock of a zone shows, and when it shows something. A reading is written as the ms since 1970 at which UTC shows
 * the same. Offsets are kept by the day, so that thousands of windows cost no more than their days; a zone whose clocks
 * change and change back within one day of UTC would be misread, and there is none.
 */
import { dayMs } from "../contract/durations.ts";
import { offsetAt, offsetChangeBetween } from "./zone-dates.ts";

export class ZoneClock {
  readonly tz: string;
  /** By the day of UTC, at its first instant. */
  readonly #offsets = new Map<number, number>();

  constructor(tz: string) {
    this.tz = tz;
  }

  offsetAt(ms: number): number {
    const day = Math.floor(ms / dayMs);
    const offset = this.#atStartOf(day);
    return offset === this.#atStartOf(day + 1) ? offset : offsetAt(ms, this.tz);
  }

  #atStartOf(day: number): number {
    const known = this.#offsets.get(day) ?? offsetAt(day * dayMs, this.tz);
    this.#offsets.set(day, known);
    return known;
  }

  readingAt(ms: number): number {
    return ms + this.offsetAt(ms);
  }

  /** The instants at which the clock shows it, in order: none where it is skipped, two where it is repeated. */
  instantsOf(reading: number): number[] {
    const [before, after] = [this.offsetAt(reading - dayMs), this.offsetAt(reading + dayMs)];
    const offsets = before === after ? [before] : [before, after];
    return offsets
      .filter((offset) => this.offsetAt(reading - offset) === offset)
      .map((offset) => reading - offset)
      .sort((a, b) => a - b);
  }

  /** The first instant at which the clock shows it; of one that is skipped, the instant that it is skipped at. */
  firstInstantOf(reading: number): number {
    const [first] = this.instantsOf(reading);
    if (first !== undefined) return first;
    const [before, after] = [this.offsetAt(reading - dayMs), this.offsetAt(reading + dayMs)];
    return offsetChangeBetween(reading - after, reading - before, this.tz);
  }

  /** Midnight of the date that the clock shows, as a reading; it may be skipped. */
  midnightBefore(ms: number): number {
    return Math.floor(this.readingAt(ms) / dayMs) * dayMs;
  }

  isStartOfDate(ms: number): boolean {
    return this.firstInstantOf(this.midnightBefore(ms)) === ms;
  }
}
