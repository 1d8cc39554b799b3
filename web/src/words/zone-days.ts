/** Days of a zone's calendar as people choose them, and the instants that the server gets. */

import { addDays, dateIn } from "@contract/ranges.ts";
import { parseDate } from "@internationalized/date";
import { timeTexts as t } from "../texts/en/time.ts";
import { dateFormat, formatMoment } from "./format.ts";

/** The first instant of a date, as RFC 3339 in UTC. */
export function startOfDay(date: string, tz: string): string {
  return parseDate(date).toDate(tz).toISOString();
}

/** The instant at which what has `lastDay` as its last day is over. */
export function endOfDay(lastDay: string, tz: string): string {
  return startOfDay(addDays(lastDay, 1), tz);
}

/** The last day of what is over at `end`, where that is the first instant of a day; undefined where it is not. */
export function lastDayBefore(end: string, tz: string): string | undefined {
  const ms = Date.parse(end);
  const lastDay = dateIn(tz, ms - 1);
  return Date.parse(endOfDay(lastDay, tz)) === ms ? lastDay : undefined;
}

/** `21 Nov 2026`. */
export function formatDay(date: string): string {
  return dateFormat("UTC", { day: "numeric", month: "short", year: "numeric" }).format(Date.parse(date));
}

/** `through 30 Nov 2026`, or `until 30 Nov 2026, 14:00` where a day is cut. */
export function formatEnd(end: string, tz: string): string {
  const last = formatLastMoment(end, tz);
  return lastDayBefore(end, tz) === undefined ? t.untilEnd(last) : t.throughLastDay(last);
}

/** The last day of what is over at `end`, or the instant itself where a day is cut: `30 Nov 2026`. */
export function formatLastMoment(end: string, tz: string): string {
  const lastDay = lastDayBefore(end, tz);
  return lastDay === undefined ? formatMoment(end, tz) : formatDay(lastDay);
}

/** `from 21 Nov 2026`, with the time where it is not the first instant of a day. */
export function formatStart(start: string, tz: string): string {
  const day = dateIn(tz, Date.parse(start));
  return Date.parse(startOfDay(day, tz)) === Date.parse(start) ? formatDay(day) : formatMoment(start, tz);
}
