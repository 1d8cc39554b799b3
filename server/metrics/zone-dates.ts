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

/** What the zone's clock shows at an instant, minus UTC, in ms. */
export function offsetAt(ms: number, tz: string): number {
  return tz === "UTC" ? 0 : fromAbsolute(ms, tz).offset;
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
  return toCalendarDate(fromAbsolute(ms, tz));
}

/** The first instant of a date: the later side of a gap, the earlier of a repeated midnight. */
export function startOfDate(date: CalendarDate, tz: string): number {
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
