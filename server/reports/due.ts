/**
 * When a schedule is due, and what for. A slot is a whole period of the calendar and the instant from which it is sent: each
 * period has one slot, however the clocks of its zone change, so a day that a zone skipped has none. A time that a clock
 * change skips is the first instant after it, one that comes twice its first. All instants are ms since 1970, UTC.
 */
import type { CalendarDate } from "@internationalized/date";
import { dayMs } from "../contract/durations.ts";
import type { ScheduleEvery } from "../contract/schedules.ts";
import { addUnit, type CycleSpan, cycleIn, startOfUnit } from "../metrics/windows.ts";
import { ZoneClock } from "../metrics/zone-clock.ts";
import { dateAt, dayOfMonth, daysAfter, readingOfDate, startOfDate } from "../metrics/zone-dates.ts";

export interface Timing {
  every: ScheduleEvery;
  /** What the clock of `tz` shows, in minutes since midnight. */
  atMinutes: number;
  /** IANA. */
  tz: string;
  /** `week`: 1 is Monday, 7 Sunday. */
  weekday: number;
  /** `month` and `quarter`: the day of the month in which it is sent, 1 to 31; a shorter month has its last day instead. */
  day: number;
  /** `quarter`: the month that the first quarter begins with, 1 to 12. */
  fiscalStartMonth: number;
  /** `cycle`: when the node's billing cycles begin, in order and without a gap. */
  cycles: readonly CycleSpan[];
  /** `cycle`: how long after the end of one what is told of it may still be open, as its statement is. */
  openMs: number;
}

export interface DueSlot {
  fromMs: number;
  /** Exclusive. */
  toMs: number;
  /** From when it is to be sent. */
  atMs: number;
  /** The IANA zone whose calendar the period is of. */
  tz: string;
}

/** The slots that are due after `afterMs` and by `untilMs`, in order. */
export function dueSlots(timing: Timing, afterMs: number, untilMs: number): DueSlot[] {
  const due: DueSlot[] = [];
  for (const slot of slotsAfter(timing, afterMs)) {
    if (slot.atMs > untilMs) break;
    due.push(slot);
  }
  return due;
}

/**
 * Those of the billing cycles that end after `coveredMs`, which are due by `untilMs`, in order: a cycle that a later edit ended in
 * the past is among them.
 */
export function cyclesDue(timing: Timing, coveredMs: number, untilMs: number): DueSlot[] {
  const due: DueSlot[] = [];
  for (const slot of cyclesAround(timing, coveredMs)) {
    if (slot.atMs > untilMs) break;
    if (slot.toMs > coveredMs) due.push(slot);
  }
  return due;
}

/** Where the last of the billing cycles ended that were due by an instant. */
export function cycleEndDueBy(timing: Timing, ms: number): number {
  let endMs = Number.NEGATIVE_INFINITY;
  for (const slot of cyclesAround(timing, ms)) {
    if (slot.atMs > ms) break;
    endMs = slot.toMs;
  }
  return endMs;
}

/** The next slots that are due after `afterMs`. */
export function nextSlots(timing: Timing, afterMs: number, count: number): DueSlot[] {
  const next: DueSlot[] = [];
  for (const slot of slotsAfter(timing, afterMs)) {
    if (next.length === count) break;
    next.push(slot);
  }
  return next;
}

/** The last `count` slots that were due by `nowMs`, in order. */
export function lastSlotsDue(timing: Timing, nowMs: number, count: number): DueSlot[] {
  const longestMs = longestDays[timing.every] * dayMs;
  return dueSlots(timing, nowMs - (count + 1) * longestMs, nowMs).slice(-count);
}

/** No period is longer, with what a clock change adds to it. */
const longestDays: Readonly<Record<ScheduleEvery, number>> = { day: 2, week: 8, month: 32, quarter: 93, cycle: 32 };

/** The last period that has ended by `nowMs`, whether its slot is due yet or not. */
export function periodBefore(timing: Timing, nowMs: number): Pick<DueSlot, "fromMs" | "toMs" | "tz"> {
  let found: DueSlot | undefined;
  for (const slot of slotsAround(timing, nowMs)) {
    if (slot.toMs > nowMs) break;
    found = slot;
  }
  if (!found) throw new Error("no period ended before this instant");
  return { fromMs: found.fromMs, toMs: found.toMs, tz: found.tz };
}

function* slotsAfter(timing: Timing, afterMs: number): Generator<DueSlot> {
  for (const slot of slotsAround(timing, afterMs)) if (slot.atMs > afterMs) yield slot;
}

/** Without an end, from the period that ended before the last two units on: what is sent later is of a later one. */
function slotsAround(timing: Timing, ms: number): Generator<DueSlot> {
  return timing.every === "cycle" ? cyclesAround(timing, ms) : unitsAround(timing, timing.every, ms);
}

function* unitsAround(timing: Timing, every: Exclude<ScheduleEvery, "cycle">, ms: number): Generator<DueSlot> {
  const { tz } = timing;
  const clock = new ZoneClock(tz);
  let start = startOfPeriod(dateAt(ms, tz), every, timing);
  for (let back = 0; back < periodsBack; back++) start = startOfPeriod(daysAfter(start, -1), every, timing);
  for (;;) {
    const end = addUnit(start, every, 1);
    const [fromMs, toMs] = [startOfDate(start, tz), startOfDate(end, tz)];
    // A day that the zone skipped begins where the next one does.
    if (fromMs < toMs) yield { fromMs, toMs, atMs: sentAt(every, timing, end, clock), tz };
    start = end;
  }
}

function* cyclesAround({ cycles, tz, atMinutes, openMs }: Timing, ms: number): Generator<DueSlot> {
  const clock = new ZoneClock(tz);
  let period = cycleIn(cycles, ms);
  // A cycle may be cut to minutes, and is sent within two days after nothing of it is open.
  for (let back = 0; back < periodsBack || period.toMs > ms - openMs - 3 * dayMs; back++)
    period = cycleIn(cycles, period.fromMs - 1);
  for (;;) {
    yield { ...period, atMs: firstAt(atMinutes, period.toMs + openMs, clock) };
    period = cycleIn(cycles, period.toMs);
  }
}

/** A slot is sent within the unit that follows its period, a cycle's a few days later. */
const periodsBack = 3;

function startOfPeriod(
  date: CalendarDate,
  every: Exclude<ScheduleEvery, "cycle">,
  { fiscalStartMonth }: Timing,
): CalendarDate {
  if (every !== "quarter") return startOfUnit(date, every, 1);
  const shift = { months: (fiscalStartMonth - 1) % 3 };
  return startOfUnit(date.set({ day: 1 }).subtract(shift), "quarter", 1).add(shift);
}

/** `end`: the date after the period. */
function sentAt(
  every: Exclude<ScheduleEvery, "cycle">,
  { atMinutes, weekday, day }: Timing,
  end: CalendarDate,
  clock: ZoneClock,
): number {
  const on = (date: CalendarDate) => clock.firstInstantOf(readingOfDate(date) + atMinutes * 60_000);
  switch (every) {
    case "day":
      return on(end);
    case "week":
      return on(daysAfter(end, weekday - 1));
    case "month":
    case "quarter":
      return on(dayOfMonth(end.year, end.month, day));
  }
}

/** The first instant from `ms` on at which the clock shows that time of day. */
function firstAt(atMinutes: number, ms: number, clock: ZoneClock): number {
  const on = (date: CalendarDate) => clock.firstInstantOf(readingOfDate(date) + atMinutes * 60_000);
  let date = dateAt(ms, clock.tz);
  while (on(date) < ms) date = daysAfter(date, 1);
  return on(date);
}
