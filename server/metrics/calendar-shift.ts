/**
 * How a range maps to the one that it is compared with: by the calendar where both are whole months or cycles, or where
 * it is a year, and else by what the zone's clock shows. Readings of a clock are written as in zone-clock.ts, instants are ms since 1970, UTC.
 */
import type { CalendarDate } from "@internationalized/date";
import { dayMs } from "../contract/durations.ts";
import { cycleContaining, cycleDateAt, startOfUnit } from "./windows.ts";
import type { ZoneClock } from "./zone-clock.ts";
import { dateOfReading, dayOfMonth, daysBetween, readingOfDate, startOfDate } from "./zone-dates.ts";

export interface Span {
  fromMs: number;
  toMs: number;
}

export interface MovedInstant {
  at: number;
  /** False where there is no such instant: `at` is where the next one begins. */
  isThere: boolean;
}

export interface Shift extends Span {
  /** Maps what the clock shows to the compared range, as a reading. */
  move: (reading: number) => MovedInstant;
  /** Whether what it shows on a date moves to the same time of a date. */
  keepsTime: boolean;
  /** Where one of the whole months or cycles begins: where the compared one does. Undefined for other instants. */
  moveStart: (ms: number) => number | undefined;
}

type Movement = Omit<Shift, "fromMs" | "toMs">;

/** Shifts by a difference of readings. */
export function byReading(difference: number): Movement {
  const move = (reading: number) => ({ at: reading - difference, isThere: true });
  return { move, keepsTime: difference % dayMs === 0, moveStart: () => undefined };
}

/** Shifts to the same dates of another year; 29 February is missing where that year has none. */
export function byYears(years: number): Movement {
  function move(reading: number): MovedInstant {
    const date = new Date(reading);
    const month = date.getUTCMonth();
    date.setUTCFullYear(date.getUTCFullYear() - years);
    if (date.getUTCMonth() === month) return { at: date.getTime(), isThere: true };
    return { at: Math.floor(date.getTime() / dayMs) * dayMs, isThere: false };
  }
  return { move, keepsTime: true, moveStart: () => undefined };
}

/**
 * To the same day and time of the month or cycle `count` before; days that a shorter one has not are missing. Whole years
 * keep the date. Months are cycles from the 1st.
 */
export function byCycles(count: number, anchor: number, { tz }: ZoneClock): Movement {
  const before = (date: CalendarDate, cycles: number) => dayOfMonth(date.year, date.month - cycles, anchor);
  function toSameDay(reading: number): MovedInstant {
    const midnight = Math.floor(reading / dayMs) * dayMs;
    const date = dateOfReading(reading);
    const start = startOfUnit(date, "cycle", anchor);
    const moved = before(start, count).add({ days: daysBetween(start, date) });
    const next = before(start, count - 1);
    if (moved.compare(next) >= 0) return { at: readingOfDate(next), isThere: false };
    return { at: readingOfDate(moved) + reading - midnight, isThere: true };
  }
  function moveStart(ms: number): number | undefined {
    if (!startsCycle(ms, anchor, tz)) return undefined;
    return startOfDate(before(cycleDateAt(ms, tz, anchor), count), tz);
  }
  const { move } = count % 12 === 0 ? byYears(count / 12) : { move: toSameDay };
  return { move, keepsTime: true, moveStart };
}

/**
 * To the same day and time of the cycle at the same place among others, which may be of other lengths: days that it lacks are
 * missing. `starts`: where the cycles of the asked range begin, and the end of the last; `beside`: the same of the compared.
 */
export function byStarts(starts: readonly number[], beside: readonly number[], clock: ZoneClock): Movement {
  const readings = starts.map((ms) => readingOfEdge(ms, clock));
  const others = beside.map((ms) => readingOfEdge(ms, clock));
  function move(reading: number): MovedInstant {
    const place = Math.max(
      0,
      readings.findLastIndex((start) => start <= reading),
    );
    const [start, other, next] = [readings[place] ?? 0, others[place], others[place + 1]];
    if (other === undefined) return { at: others.at(-1) ?? 0, isThere: false };
    const at = other + reading - start;
    return next !== undefined && at >= next ? { at: next, isThere: false } : { at, isThere: true };
  }
  const keepsTime = readings.every((start, place) => (start - (others[place] ?? start)) % dayMs === 0);
  return { move, keepsTime, moveStart: (ms) => beside[starts.indexOf(ms)] };
}

export const startsCycle = (ms: number, anchor: number, tz: string): boolean =>
  cycleContaining(ms, tz, anchor).startMs === ms;

/** The number of cycles between two instants, each the start of one. */
export function cyclesBetween(fromMs: number, toMs: number, anchor: number, tz: string): number {
  const [from, to] = [cycleDateAt(fromMs, tz, anchor), cycleDateAt(toMs, tz, anchor)];
  return (to.year - from.year) * 12 + to.month - from.month;
}

/** What the clock shows at the edge of a range; a date begins with its midnight, even one that is skipped. */
export function readingOfEdge(ms: number, clock: ZoneClock): number {
  return clock.isStartOfDate(ms) ? clock.midnightBefore(ms) : clock.readingAt(ms);
}

/** Where an edge of the asked range lies in the compared one; the first or second of a repeated time maps to the same one of the two. */
export function moveEdge(ms: number, { move, moveStart }: Movement, clock: ZoneClock): number {
  const start = moveStart(ms);
  if (start !== undefined) return start;
  const { at } = move(readingOfEdge(ms, clock));
  const nth = clock.isStartOfDate(ms) ? 0 : clock.instantsOf(clock.readingAt(ms)).indexOf(ms);
  return clock.instantsOf(at)[nth] ?? clock.firstInstantOf(at);
}
