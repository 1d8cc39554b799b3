/**
 * Dates and instants of an IANA zone. Where a zone's clocks skip midnight, its date starts later; a date that a zone
 * skipped whole starts together with the next one. Instants are ms since 1970, UTC.
 */
import {
  CalendarDate,
  type CalendarDateTime,
  fromAbsolute,
  toCalendarDate,
  toCalendarDateTime,
  toZoned,
} from "@internationalized/date";
import { LRUCache } from "lru-cache";
import { dayMs } from "../contract/durations.ts";

const maxCachedZones = 64;
/** Enough for more than a century. */
const maxCachedSpans = 8_000;
/** The clocks of no zone have ever changed and changed back within the longest of these; tried from the longest. */
const spansMs = [7 * dayMs, dayMs, 15 * 60_000];

/**
 * By zone, the offsets of spans through which they stay the same; null where they do not. Asking the zone's own rules took
 * 9 µs each time: 20,000 windows held everybody up for most of a second.
 */
const steadyOffsets = new LRUCache<string, Map<number, number | null>>({ max: maxCachedZones });

const offsetByRules = (ms: number, tz: string) => fromAbsolute(ms, tz).offset;

function steadyOffset(ms: number, level: number, spanMs: number, tz: string): number | null {
  let spans = steadyOffsets.get(tz);
  if (!spans || spans.size >= maxCachedSpans) {
    spans = new Map();
    steadyOffsets.set(tz, spans);
  }
  const index = Math.floor(ms / spanMs);
  const key = index * spansMs.length + level;
  const cached = spans.get(key);
  if (cached !== undefined) return cached;
  const offset = offsetByRules(index * spanMs, tz);
  const steady = offset === offsetByRules((index + 1) * spanMs, tz) ? offset : null;
  spans.set(key, steady);
  return steady;
}

/** What the zone's clock shows at an instant, minus UTC, in ms. */
export function offsetAt(ms: number, tz: string): number {
  if (tz === "UTC") return 0;
  for (const [level, spanMs] of spansMs.entries()) {
    const offset = steadyOffset(ms, level, spanMs, tz);
    if (offset !== null) return offset;
  }
  return offsetByRules(ms, tz);
}

/** The first instant with the offset of `toMs`, in a span with one change of offset. */
export function offsetChangeBetween(fromMs: number, toMs: number, tz: string): number {
  const before = offsetAt(fromMs, tz);
  let low = fromMs;
  let high = toMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle, tz) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** The date and time that the zone's clock shows. */
function clockAt(ms: number, tz: string): CalendarDateTime {
  return toCalendarDateTime(fromAbsolute(ms, tz));
}

/** The date that the zone's calendar shows. */
export function dateAt(ms: number, tz: string): CalendarDate {
  const shown = new Date(ms + offsetAt(ms, tz));
  const year = shown.getUTCFullYear();
  if (!(year > 0)) return toCalendarDate(fromAbsolute(ms, tz));
  return new CalendarDate(year, shown.getUTCMonth() + 1, shown.getUTCDate());
}

/** The first instant of a date: the later side of a gap, the earlier of a repeated midnight. */
export function startOfDate(date: CalendarDate, tz: string): number {
  if (date.era === "AD" && date.year >= 100) {
    const shownMs = readingOfDate(date);
    const offset = offsetAt(shownMs - dayMs, tz);
    if (offset === offsetAt(shownMs + dayMs, tz)) return shownMs - offset;
  }
  return toZoned(date, tz, "compatible").toDate().getTime();
}

export function isStartOfDate(ms: number, tz: string): boolean {
  return startOfDate(dateAt(ms, tz), tz) === ms;
}

/**
 * An instant on another date, at the same time of the clock; the first instant of a date stays the first instant of
 * one. A time that the other date's clocks skip is taken as long after the gap as it would lie in it, one that they repeat is the first.
 */
export function onDate(ms: number, date: CalendarDate, tz: string): number {
  if (isStartOfDate(ms, tz)) return startOfDate(date, tz);
  const { hour, minute, second, millisecond } = clockAt(ms, tz);
  const moved = toCalendarDateTime(date).set({ hour, minute, second, millisecond });
  return toZoned(moved, tz, "compatible").toDate().getTime();
}

export function daysAfter(date: CalendarDate, days: number): CalendarDate {
  if (date.era !== "AD" || date.year < 100) return date.add({ days });
  return dateOfReading(readingOfDate(date) + days * dayMs);
}

/** The whole days from one date to another, by the calendar. */
export function daysBetween(from: CalendarDate, to: CalendarDate): number {
  return (readingOfDate(to) - readingOfDate(from)) / 86_400_000;
}

/** 0 is Monday. */
export function weekdayOf(date: CalendarDate): number {
  return (new Date(readingOfDate(date)).getUTCDay() + 6) % 7;
}

/** A day of a month, the last one where the month is too short for it. `month` may lie outside 1 to 12. */
export function dayOfMonth(year: number, month: number, day: number): CalendarDate {
  const first = new CalendarDate(year, 1, 1).add({ months: month - 1 });
  return first.set({ day });
}

/** A date as the ms since 1970 at which it begins in UTC. */
export const readingOfDate = (date: CalendarDate): number => Date.UTC(date.year, date.month - 1, date.day);

export function dateOfReading(reading: number): CalendarDate {
  const date = new Date(reading);
  return new CalendarDate(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate());
}
