/**
 * Windows of time in an IANA zone, half-open. A boundary is an instant at which the zone's clock shows a full minute,
 * hour, or the first moment of a day, week (Monday), month, quarter, year or billing cycle: days have 23 or 25 hours where
 * clocks change, and a day that a zone skipped has none. Cycles begin on an anchor day of each month; a month that is too
 * short for it has its last day instead, and the next month the anchor again (31 January, 28 February, 31 March). All instants are ms since 1970, UTC.
 */

import { type CalendarDate, parseDate } from "@internationalized/date";
import { askableMessage, isAskable, readDateTime } from "../contract/date-times.ts";
import { hourMs, minuteMs } from "../contract/durations.ts";
import type { WindowKind } from "../contract/usage.ts";
import { inSlices } from "../fairness/pace.ts";
import { ZoneClock } from "./zone-clock.ts";
import {
  dateAt,
  dateOfReading,
  dayOfMonth,
  daysAfter,
  offsetAt,
  offsetChangeBetween,
  readingOfDate,
  startOfDate,
  weekdayOf,
} from "./zone-dates.ts";

export interface Window {
  startMs: number;
  endMs: number;
  /** The window of the calendar reaches beyond the asked range. */
  isPartial: boolean;
}

export class InvalidTimeError extends Error {
  override name = "InvalidTimeError";
}

/** The most windows that one answer may have. */
export const maxWindows = 20_000;

/** An RFC 3339 instant, a date (its first instant in `tz`) or `now`. Throws InvalidTimeError. */
export function resolveInstant(text: string, tz: string, nowMs: number): number {
  const ms = instantOf(text, tz, nowMs);
  if (!isAskable(ms)) throw new InvalidTimeError(`${text} ${askableMessage}`);
  return ms;
}

function instantOf(text: string, tz: string, nowMs: number): number {
  if (text === "now") return nowMs;
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    try {
      return startOfDate(parseDate(text), tz);
    } catch {
      throw new InvalidTimeError(`${text} is not a date`);
    }
  }
  const ms = readDateTime(text);
  if (!Number.isNaN(ms)) return ms;
  throw new InvalidTimeError(`${text} is not an RFC 3339 instant with an offset, a date or "now"`);
}

/** An instant as RFC 3339 with the offset that `tz` has then, `Z` where that is none; milliseconds only where there are any. */
export function formatInstant(ms: number, tz: string): string {
  // Before zones were introduced local clocks differed by seconds, which RFC 3339 cannot say.
  const offsetMs = Math.round(offsetAt(ms, tz) / 60_000) * 60_000;
  if (offsetMs === 0) return new Date(ms).toISOString().replace(".000Z", "Z");
  const sign = offsetMs < 0 ? "-" : "+";
  const minutes = Math.abs(offsetMs) / 60_000;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const local = new Date(ms + offsetMs)
    .toISOString()
    .slice(0, -1)
    .replace(/\.000$/, "");
  return `${local}${sign}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/**
 * The windows that cover the range, the first and the last cut to it. Synchronous: use `windowsInSlices` where there may be many.
 * Throws InvalidTimeError when there would be more than `maxWindows`.
 */
export function windowsOf(range: WindowedRange): Window[] {
  const windows: Window[] = [];
  const steps = windowSteps(windows, range);
  while (!steps.next().done);
  return windows;
}

/** The same, in slices: between two of them everybody else has a turn. */
export async function windowsInSlices(range: WindowedRange): Promise<Window[]> {
  const windows: Window[] = [];
  await inSlices(windowSteps(windows, range));
  return windows;
}

export interface WindowedRange {
  fromMs: number;
  /** Exclusive. */
  toMs: number;
  window: WindowKind;
  /** The day of the month on which billing cycles begin, 1 to 31, where `cycles` does not say it; other windows ignore it. */
  anchor: number;
  /** When billing cycles began and will begin, in order and without a gap: windows of a cycle are these. */
  cycles?: readonly CycleSpan[] | undefined;
  tz: string;
}

/** While the same rule says when billing cycles begin: [fromMs, toMs), the first without a beginning, the last without an end. */
export interface CycleSpan {
  fromMs: number;
  toMs: number;
  anchor: number;
  /** IANA. */
  tz: string;
}

/** The cycle that an instant lies in, [fromMs, toMs): it begins and ends early with the span that it is of. */
export function cycleIn(spans: readonly CycleSpan[], ms: number): { fromMs: number; toMs: number; tz: string } {
  const span = spanOfCycles(spans, ms);
  const { startMs, endMs } = cycleContaining(ms, span.tz, span.anchor);
  return { fromMs: Math.max(startMs, span.fromMs), toMs: Math.min(endMs, span.toMs), tz: span.tz };
}

/** The one that says when cycles begin at an instant. */
export function spanOfCycles(spans: readonly CycleSpan[], ms: number): CycleSpan {
  const span = spans.find(({ fromMs, toMs }) => fromMs <= ms && ms < toMs);
  if (!span) throw new Error("the spans of a node's cycles have a gap");
  return span;
}

function* windowSteps(windows: Window[], range: WindowedRange): Generator<void> {
  const { fromMs, toMs, window: kind } = range;
  const after = boundaryAfter(range);
  for (let startMs = fromMs; startMs < toMs; ) {
    const nextMs = after(startMs);
    const endMs = Math.min(nextMs, toMs);
    const isPartialAtStart = startMs === fromMs && kind !== "total" && after(fromMs - 1) !== fromMs;
    windows.push({ startMs, endMs, isPartial: isPartialAtStart || nextMs > toMs });
    if (windows.length > maxWindows)
      throw new InvalidTimeError(`the range has more than ${maxWindows} windows of a ${kind}`);
    startMs = endMs;
    yield;
  }
}

/** The first boundary of the range's windows after an instant. */
function boundaryAfter({ toMs, window: kind, tz, anchor, cycles }: WindowedRange): (ms: number) => number {
  if (kind === "total") return () => toMs;
  if (kind === "cycle" && cycles) return (ms) => cycleIn(cycles, ms).toMs;
  const clock = new ZoneClock(tz);
  return (ms) => nextBoundary(ms, kind, clock, anchor);
}

/** The billing cycle that an instant lies in: [startMs, endMs), from one anchor day of the zone to the next. */
export function cycleContaining(ms: number, tz: string, anchor: number): { startMs: number; endMs: number } {
  const date = cycleDateAt(ms, tz, anchor);
  return { startMs: startOfDate(date, tz), endMs: startOfDate(addUnit(date, "cycle", anchor), tz) };
}

/** The date that the billing cycle began on which an instant lies in. */
export function cycleDateAt(ms: number, tz: string, anchor: number): CalendarDate {
  const date = startOfUnit(dateAt(ms, tz), "cycle", anchor);
  // A repeated midnight begins the cycle the first time, though the date before comes back after it.
  const next = addUnit(date, "cycle", anchor);
  return startOfDate(next, tz) <= ms ? next : date;
}

/** Windows that the clock bounds and not the calendar, with what it shows between two of them. */
export const clockStepMs: Partial<Record<WindowKind, number>> = { minute: minuteMs, hour: hourMs };

/** The first boundary after `ms`. */
function nextBoundary(ms: number, kind: WindowKind, clock: ZoneClock, anchor: number): number {
  const stepMs = clockStepMs[kind];
  if (stepMs !== undefined) return nextOnClock(ms, stepMs, clock);
  let date = startOfUnit(dateOfReading(clock.readingAt(ms)), kind, anchor);
  // A skipped day starts at the same instant as the day after it.
  for (;;) {
    date = addUnit(date, kind, anchor);
    const startMs = clock.firstInstantOf(readingOfDate(date));
    if (startMs > ms) return startMs;
  }
}

/** The next instant at which the clock shows a multiple of `stepMs`, clocks that change in between included. */
export function nextOnClock(ms: number, stepMs: number, clock: ZoneClock): number {
  const offsetMs = clock.offsetAt(ms);
  const nextMs = ms + stepMs - modulo(ms + offsetMs, stepMs);
  if (clock.offsetAt(nextMs) === offsetMs) return nextMs;
  const changeMs = offsetChangeBetween(ms, nextMs, clock.tz);
  const passed = modulo(clock.readingAt(changeMs), stepMs);
  return passed === 0 ? changeMs : changeMs + stepMs - passed;
}

export function startOfUnit(date: CalendarDate, kind: WindowKind, anchor: number): CalendarDate {
  switch (kind) {
    case "week":
      return date.subtract({ days: weekdayOf(date) });
    case "month":
      return date.set({ day: 1 });
    case "quarter":
      return date.set({ day: 1, month: date.month - ((date.month - 1) % 3) });
    case "year":
      return date.set({ day: 1, month: 1 });
    case "cycle": {
      const start = dayOfMonth(date.year, date.month, anchor);
      return start.compare(date) <= 0 ? start : dayOfMonth(date.year, date.month - 1, anchor);
    }
    default:
      return date;
  }
}

/** The date on which the unit after the one that begins on `date` begins. Throws RangeError where the calendar has no later one. */
export function addUnit(date: CalendarDate, kind: WindowKind, anchor: number): CalendarDate {
  const next = unitLater(date, kind, anchor);
  // The calendar gives the end of its last year for all that lies beyond: whoever walks by units would walk for ever.
  if (next.compare(date) <= 0) throw new RangeError(`no ${kind} begins after ${date}`);
  return next;
}

function unitLater(date: CalendarDate, kind: WindowKind, anchor: number): CalendarDate {
  switch (kind) {
    case "week":
      return daysAfter(date, 7);
    case "month":
      return date.add({ months: 1 });
    case "quarter":
      return date.add({ months: 3 });
    case "year":
      return date.add({ years: 1 });
    case "cycle":
      return dayOfMonth(date.year, date.month + 1, anchor);
    default:
      return daysAfter(date, 1);
  }
}

const modulo = (value: number, divisor: number) => ((value % divisor) + divisor) % divisor;
