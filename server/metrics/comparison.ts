/**
 * Which range a range is compared with, and by how much two figures differ: the one place of this arithmetic. Ranges
 * are half-open, instants ms since 1970, UTC. What has not happened yet has nothing to be compared with, so while a
 * range runs the compared one ends where now is shifted to.
 */
import { dayMs } from "../contract/durations.ts";
import type { Figure } from "../contract/usage.ts";
import { inSlices } from "../fairness/pace.ts";
import { compareDecimals, percentOf, sumDecimals } from "../numbers/figures.ts";
import { usualWindows } from "./answer-size.ts";
import {
  byCycles,
  byReading,
  byStarts,
  byYears,
  cyclesBetween,
  moveEdge,
  readingOfEdge,
  type Shift,
  type Span,
  startsCycle,
} from "./calendar-shift.ts";
import { coveringWindows, type Pairing, partnersOf } from "./paired-windows.ts";
import {
  type CycleSpan,
  cycleIn,
  InvalidTimeError,
  maxWindows,
  resolveInstant,
  type Window,
  type WindowedRange,
  windowsInSlices,
  windowsOf,
} from "./windows.ts";
import { ZoneClock } from "./zone-clock.ts";

export interface Comparison {
  with: "previous" | "year" | Span;
  /** Whether days stand beside the same date or the same day of the week. */
  match: "date" | "weekday";
  /** Which part of the compared range counts while the asked one runs: the same elapsed part, or all of it. */
  partial: "same" | "full";
}

/** The compared range, clipped to the part that counts. */
export interface ComparedRange extends Span {
  /** False where no date of the asked range is one of the compared. */
  hasAny: boolean;
  /** The windows of the asked range. */
  asked: Window[];
  /** The windows that cover it. */
  windows: Window[];
  /** The part of it that is compared with each window of the asked range. */
  partners: (Window | undefined)[];
}

/** `previous`, `year` or FROM/TO with instants as `resolveInstant` takes them. Throws InvalidTimeError. */
export function parseCompared(text: string, tz: string, nowMs: number): Comparison["with"] {
  if (text === "previous" || text === "year") return text;
  const [from, to, ...more] = text.split("/");
  if (from === undefined || to === undefined || more.length > 0)
    throw new InvalidTimeError(`${text} is not "previous", "year" or FROM/TO`);
  const span = { fromMs: resolveInstant(from, tz, nowMs), toMs: resolveInstant(to, tz, nowMs) };
  if (span.fromMs >= span.toMs) throw new InvalidTimeError(`${from} must be before ${to}`);
  return span;
}

/**
 * Which range the asked one is compared with: all that is known before there are windows. Nothing of it is left when the asked
 * one has not begun. Throws InvalidTimeError when it has too many windows.
 */
export function pairingOf(asked: WindowedRange, comparison: Comparison, nowMs: number): Pairing {
  const clock = new ZoneClock(asked.tz);
  const shift = shiftOf(asked, comparison, clock);
  const endMs = comparison.partial === "full" ? shift.toMs : elapsedEnd(asked, shift, nowMs, clock);
  // In the other kinds neither range is much longer than the other.
  if (typeof comparison.with === "object" && usualWindows(endMs - shift.fromMs, asked.window) > maxWindows)
    throw new InvalidTimeError(`the range has more than ${maxWindows} windows of a ${asked.window}`);
  return { asked, shift, endMs, clock };
}

/** How many windows of the compared range stand in the answer, by the calendar's usual lengths: each is beside one of the asked range. */
export function usualComparedWindows({ asked, shift, endMs }: Pairing): number {
  const lengths = [asked.toMs - asked.fromMs, endMs - shift.fromMs];
  return Math.min(...lengths.map((lengthMs) => usualWindows(lengthMs, asked.window)));
}

/** The windows of both ranges, made in slices. Throws InvalidTimeError when there are too many. */
export async function comparedInSlices(pairing: Pairing): Promise<ComparedRange> {
  return await inSlices(comparedSteps(pairing, await windowsInSlices(pairing.asked)));
}

/** The range that the asked one is compared with, for questions of few windows: they are made at once. Throws as the others do. */
export function comparedRange(asked: WindowedRange, comparison: Comparison, nowMs: number): ComparedRange {
  const steps = comparedSteps(pairingOf(asked, comparison, nowMs), windowsOf(asked));
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

function* comparedSteps(pairing: Pairing, asked: Window[]): Generator<void, ComparedRange> {
  const { shift, endMs } = pairing;
  const partners = yield* partnersOf(asked, pairing);
  const windows = coveringWindows(partners, pairing);
  return { fromMs: shift.fromMs, toMs: endMs, hasAny: shift.fromMs < shift.toMs, asked, windows, partners };
}

function elapsedEnd(asked: Span, shift: Shift, nowMs: number, clock: ZoneClock): number {
  if (nowMs >= asked.toMs) return shift.toMs;
  if (nowMs <= asked.fromMs) return shift.fromMs;
  return Math.min(Math.max(moveEdge(nowMs, shift, clock), shift.fromMs), shift.toMs);
}

function shiftOf(asked: WindowedRange, comparison: Comparison, clock: ZoneClock): Shift {
  if (typeof comparison.with === "object") return shiftTo(asked, comparison.with, clock);
  if (comparison.match === "weekday") {
    const days = comparison.with === "year" ? 52 * 7 : wholeWeeksOver(asked, clock);
    return shiftedBy(asked, byReading(days * dayMs), clock);
  }
  if (comparison.with === "year") {
    const day = steadyDay(asked, [asked.fromMs, asked.toMs]);
    return shiftedBy(asked, day === undefined ? byYears(1) : byCycles(12, day, clock), clock);
  }
  return shiftBefore(asked, clock);
}

/** As many whole months or cycles before, else as long a range. */
function shiftBefore(asked: WindowedRange, clock: ZoneClock): Shift {
  const { fromMs, toMs, tz } = asked;
  const day = steadyDay(asked, [fromMs, toMs]);
  const count = day === undefined ? undefined : cyclesBetween(fromMs, toMs, day, tz);
  const shift = day && count ? shiftedBy(asked, byCycles(count, day, clock), clock) : undefined;
  if (shift && isSteady(asked, shift.fromMs, day)) return shift;
  const cycles = cyclesOf(asked);
  if (![fromMs, toMs].every((ms) => cycleIn(cycles, ms).fromMs === ms)) return shiftByLength(asked, clock);
  const starts = startsFrom(cycles, fromMs, (ms) => ms <= toMs);
  const before = [fromMs];
  while (before.length < starts.length) before.unshift(cycleIn(cycles, (before[0] ?? fromMs) - 1).fromMs);
  return shiftedBy(asked, byStarts(starts, before, clock), clock);
}

const cyclesOf = ({ cycles, anchor, tz }: WindowedRange): readonly CycleSpan[] =>
  cycles ?? [{ fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY, anchor, tz }];

/** Where cycles begin from `fromMs`, the start of one, on, while `isWanted`. */
function startsFrom(cycles: readonly CycleSpan[], fromMs: number, isWanted: (ms: number) => boolean): number[] {
  const starts: number[] = [];
  for (let ms = fromMs; isWanted(ms); ms = cycleIn(cycles, ms).toMs) starts.push(ms);
  return starts;
}

/**
 * The day of the month on which months begin, or else the cycles of the time in which the asked range begins, where one begins at
 * each of the instants.
 */
function steadyDay(asked: WindowedRange, instants: readonly number[]): number | undefined {
  const { anchor } = cyclesOf(asked).find(({ toMs }) => asked.fromMs < toMs) ?? asked;
  return [...new Set([1, anchor])].find((day) => instants.every((ms) => startsCycle(ms, day, asked.tz)));
}

/** Whether cycles began on that day, or those are months, all the time from an instant to the end of the asked range. */
function isSteady(asked: WindowedRange, sinceMs: number, day: number | undefined): boolean {
  return day === 1 || cyclesOf(asked).some(({ fromMs, toMs }) => fromMs <= sinceMs && asked.toMs <= toMs);
}

function shiftedBy({ fromMs, toMs }: Span, movement: ReturnType<typeof byReading>, clock: ZoneClock): Shift {
  return { ...movement, fromMs: moveEdge(fromMs, movement, clock), toMs: moveEdge(toMs, movement, clock) };
}

/** The range right before, as long as the clock shows between the edges of the asked one. */
function shiftByLength({ fromMs, toMs }: Span, clock: ZoneClock): Shift {
  const shown = readingOfEdge(toMs, clock) - readingOfEdge(fromMs, clock);
  // Between the two times of an hour that comes twice a clock shows no time, or less.
  const movement = byReading(shown > 0 ? shown : toMs - fromMs);
  return { ...movement, fromMs: Math.min(moveEdge(fromMs, movement, clock), fromMs - 1), toMs: fromMs };
}

/** By whole months or cycles where both ranges have whole ones, else by what clocks show since the two began. */
function shiftTo(asked: WindowedRange, { fromMs, toMs }: Span, clock: ZoneClock): Shift {
  const edges = [asked.fromMs, asked.toMs, fromMs, toMs];
  const day = steadyDay(asked, edges);
  const isEven = isSteady({ ...asked, toMs: Math.max(...edges) }, Math.min(...edges), day);
  if (day !== undefined && isEven)
    return { ...byCycles(cyclesBetween(fromMs, asked.fromMs, day, asked.tz), day, clock), fromMs, toMs };
  const cycles = cyclesOf(asked);
  if (edges.every((ms) => cycleIn(cycles, ms).fromMs === ms)) {
    const starts = startsFrom(cycles, asked.fromMs, (ms) => ms <= asked.toMs);
    const beside = startsFrom(cycles, fromMs, (ms) => ms <= toMs);
    return { ...byStarts(starts, beside, clock), fromMs, toMs };
  }
  return { ...byReading(readingOfEdge(asked.fromMs, clock) - readingOfEdge(fromMs, clock)), fromMs, toMs };
}

/** The smallest multiple of 7 days by which the shifted range does not overlap itself. */
function wholeWeeksOver(asked: Span, clock: ZoneClock): number {
  // Clocks make a week at most a day longer or shorter than 168 hours, so the count starts one week early.
  let days = Math.max(1, Math.floor((asked.toMs - asked.fromMs) / (7 * dayMs))) * 7;
  while (moveEdge(asked.toMs, byReading(days * dayMs), clock) > asked.fromMs) days += 7;
  return days;
}

/**
 * The difference of `value` to `compared`, in the form of the two (decimal string or number), and that in percent of the
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
