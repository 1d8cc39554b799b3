/**
 * Which range a range is compared with, and by how much two figures differ: the one place of this arithmetic. Ranges
 * are half-open, instants ms since 1970, UTC. What has not happened yet has nothing to be compared with, so while a
 * range runs the compared one ends where now is shifted to.
 */
import type { Figure, WindowKind } from "../contract/usage.ts";
import { compareDecimals, percentOf, sumDecimals } from "./figures.ts";
import { cycleContaining, InvalidTimeError, parseInstant, type Window, windowsBetween } from "./windows.ts";
import { dateAt, dayOfMonth, daysBetween, isStartOfDate, onDate, startOfDate } from "./zone-dates.ts";

interface Span {
  fromMs: number;
  toMs: number;
}

export interface Comparison {
  with: "previous" | "year" | Span;
  /** Whether days stand beside the same date or the same day of the week. */
  match: "date" | "weekday";
  /** What of the compared range counts while the asked one runs: the same elapsed part, or all of it. */
  partial: "same" | "full";
}

export interface AskedRange extends Span {
  window: WindowKind;
  /** The day of the month on which billing cycles begin. */
  anchor: number;
  tz: string;
}

/** Cut to what counts; the n-th window stands beside the n-th asked one. */
export interface ComparedRange extends Span {
  windows: Window[];
}

/** The whole compared range, and where in it an instant of the asked one lies. */
interface Shift extends Span {
  move: (ms: number) => number;
}

/** `previous`, `year` or FROM/TO with instants as `parseInstant` takes them. Throws InvalidTimeError. */
export function parseCompared(text: string, tz: string, nowMs: number): Comparison["with"] {
  if (text === "previous" || text === "year") return text;
  const [from, to, ...more] = text.split("/");
  if (from === undefined || to === undefined || more.length > 0)
    throw new InvalidTimeError(`${text} is neither "previous", nor "year", nor FROM/TO`);
  const span = { fromMs: parseInstant(from, tz, nowMs), toMs: parseInstant(to, tz, nowMs) };
  if (span.fromMs >= span.toMs) throw new InvalidTimeError(`${from} must lie before ${to}`);
  return span;
}

/**
 * The range that the asked one is compared with. Nothing of it is left when the asked one has not begun. Throws
 * InvalidTimeError when it has too many windows.
 */
export function comparedRange(asked: AskedRange, comparison: Comparison, nowMs: number): ComparedRange {
  const shift = shiftOf(asked, comparison);
  const { fromMs } = shift;
  const toMs = comparison.partial === "full" ? shift.toMs : elapsedEnd(asked, shift, nowMs);
  return { fromMs, toMs, windows: windowsBetween(fromMs, toMs, asked.window, asked.tz, asked.anchor) };
}

function elapsedEnd(asked: Span, { fromMs, toMs, move }: Shift, nowMs: number): number {
  if (nowMs >= asked.toMs) return toMs;
  if (nowMs <= asked.fromMs) return fromMs;
  return Math.min(Math.max(move(nowMs), fromMs), toMs);
}

function shiftOf(asked: AskedRange, comparison: Comparison): Shift {
  if (typeof comparison.with === "object") return shiftTo(asked, comparison.with);
  if (comparison.match === "weekday")
    return shiftDays(asked, comparison.with === "year" ? 52 * 7 : wholeWeeksOver(asked));
  return comparison.with === "year" ? shiftYear(asked) : shiftToPrevious(asked);
}

/** By as many cycles or months as the range has, if it has whole ones, else days, else by its length. */
function shiftToPrevious(asked: AskedRange): Shift {
  const { fromMs, toMs, tz, anchor } = asked;
  for (const day of new Set([anchor, 1])) {
    const isWhole = [fromMs, toMs].every((ms) => cycleContaining(ms, tz, day).startMs === ms);
    if (isWhole) return shiftCycles(asked, monthOf(toMs, tz) - monthOf(fromMs, tz), day);
  }
  if (isStartOfDate(fromMs, tz) && isStartOfDate(toMs, tz))
    return shiftDays(asked, daysBetween(dateAt(fromMs, tz), dateAt(toMs, tz)));
  return shiftBy(asked, toMs - fromMs);
}

/**
 * An instant moves to the same day and time of its cycle `count` cycles before, and to that one's end when it is too
 * short: of March, the 30th moves to the end of February. Months are cycles from the 1st.
 */
function shiftCycles({ fromMs, toMs, tz }: AskedRange, count: number, anchor: number): Shift {
  const startOfCycle = (month: number) => startOfDate(dayOfMonth(Math.floor(month / 12), (month % 12) + 1, anchor), tz);
  const move = (ms: number) => {
    const { startMs } = cycleContaining(ms, tz, anchor);
    const month = monthOf(startMs, tz) - count;
    const days = daysBetween(dateAt(startMs, tz), dateAt(ms, tz));
    const movedMs = onDate(ms, dateAt(startOfCycle(month), tz).add({ days }), tz);
    return Math.min(movedMs, startOfCycle(month + 1));
  };
  return { fromMs: move(fromMs), toMs: move(toMs), move };
}

/** To the same date and time of the year before; 29 February to the 28th. */
function shiftYear({ fromMs, toMs, tz }: AskedRange): Shift {
  const move = (ms: number) => onDate(ms, dateAt(ms, tz).subtract({ years: 1 }), tz);
  return { fromMs: move(fromMs), toMs: move(toMs), move };
}

/** By days of the calendar, whatever the clocks do on them. */
function shiftDays({ fromMs, toMs, tz }: AskedRange, days: number): Shift {
  const move = (ms: number) => onDate(ms, dateAt(ms, tz).subtract({ days }), tz);
  return { fromMs: move(fromMs), toMs: move(toMs), move };
}

function shiftBy({ fromMs, toMs }: Span, byMs: number): Shift {
  const move = (ms: number) => ms - byMs;
  return { fromMs: move(fromMs), toMs: move(toMs), move };
}

function shiftTo(asked: AskedRange, { fromMs, toMs }: Span): Shift {
  const { tz } = asked;
  const isByDays = isStartOfDate(asked.fromMs, tz) && isStartOfDate(fromMs, tz);
  const { move } = isByDays
    ? shiftDays(asked, daysBetween(dateAt(fromMs, tz), dateAt(asked.fromMs, tz)))
    : shiftBy(asked, asked.fromMs - fromMs);
  return { fromMs, toMs, move };
}

/** The least number of days, a multiple of 7, by which the range moves out of itself. */
function wholeWeeksOver(asked: AskedRange): number {
  // Clocks make a week at most a day longer or shorter than 168 hours, so the count starts one week early.
  const weekMs = 7 * 86_400_000;
  let days = Math.max(1, Math.floor((asked.toMs - asked.fromMs) / weekMs)) * 7;
  while (shiftDays(asked, days).toMs > asked.fromMs) days += 7;
  return days;
}

/** Months since the year 0, of the zone's calendar. */
function monthOf(ms: number, tz: string): number {
  const { year, month } = dateAt(ms, tz);
  return year * 12 + month - 1;
}

/**
 * What `value` has more than `compared`, in the form of the two (decimal string or number), and that in percent of the
 * compared one's size, rounded half away from zero to 4 decimals. Null where there is nothing to subtract or divide by.
 */
export function compareFigures(value: Figure, compared: Figure): { delta: Figure; percent: number | null } {
  if (value === null || compared === null) return { delta: null, percent: null };
  const [minuend, subtrahend] = [String(value), String(compared)];
  const delta = sumDecimals([minuend, negated(subtrahend)]);
  const size = compareDecimals(subtrahend, "0") < 0 ? negated(subtrahend) : subtrahend;
  const isNumber = typeof value === "number" && typeof compared === "number";
  return { delta: isNumber ? Number(delta) : delta, percent: percentOf(delta, size) ?? null };
}

const negated = (decimal: string) => (decimal.startsWith("-") ? decimal.slice(1) : `-${decimal}`);
