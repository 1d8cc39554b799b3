/**
 * Which part of the compared range stands beside each window of the asked one: the same minute or hour, the same date, the
 * month or cycle at the same place. Never the n-th beside the n-th: what has no partner stands beside nothing.
 */
import { dayMs } from "../contract/durations.ts";
import { type MovedInstant, moveEdge, type Shift, type Span } from "./calendar-shift.ts";
import { clockStepMs, nextOnClock, type Window, type WindowedRange } from "./windows.ts";
import type { ZoneClock } from "./zone-clock.ts";
import { offsetChangeBetween } from "./zone-dates.ts";

export interface Pairing {
  asked: WindowedRange;
  shift: Shift;
  /** The part of the compared range that counts ends here. */
  endMs: number;
  clock: ZoneClock;
}

/** One for each window, in their order, with a step for each; they follow each other in time and none reaches into the next. */
export function* partnersOf(windows: readonly Window[], pairing: Pairing): Generator<void, (Window | undefined)[]> {
  const { shift, endMs } = pairing;
  const partners: (Window | undefined)[] = [];
  let passedMs = shift.fromMs;
  for (const window of windows) {
    yield;
    const whole = partnerOf(window, pairing);
    const [startMs, until] = whole ? [Math.max(whole.fromMs, passedMs), Math.min(whole.toMs, endMs)] : [0, 0];
    if (whole === undefined || startMs >= until) {
      partners.push(undefined);
      continue;
    }
    passedMs = until;
    partners.push({
      startMs,
      endMs: until,
      isPartial: window.isPartial || startMs > whole.fromMs || until < whole.toMs,
    });
  }
  return partners;
}

function partnerOf(window: Window, pairing: Pairing): Span | undefined {
  if (pairing.asked.window === "total") return pairing.shift;
  const stepMs = clockStepMs[pairing.asked.window];
  return stepMs === undefined ? partOfDates(window, pairing) : partOfClock(window, stepMs, pairing);
}

/** Minutes and hours: what the clock shows, the first time and the second. */
function partOfClock({ startMs, endMs }: Window, stepMs: number, pairing: Pairing): Span | undefined {
  const { asked, shift, clock } = pairing;
  const start = movedInstant(startMs, pairing);
  if (!start.isThere) return undefined;
  const isOnStep = (clock.readingAt(startMs) - clock.readingAt(start.at)) % stepMs === 0;
  const toMs = isOnStep ? nextOnClock(start.at, stepMs, clock) : movedInstant(endMs, pairing).at;
  return { fromMs: start.at, toMs: endMs === asked.toMs ? Math.min(toMs, moveEdge(endMs, shift, clock)) : toMs };
}

/** Days and longer windows: the same dates, or the times of day at which the range begins and ends. */
function partOfDates({ startMs, endMs }: Window, pairing: Pairing): Span {
  const { asked, shift, clock } = pairing;
  const isDate = (ms: number) => shift.keepsTime && clock.isStartOfDate(ms);
  const isOfDays = asked.window === "day" || asked.window === "week";
  function edge(ms: number, midnight: () => number): number {
    if (!isDate(ms)) return movedInstant(ms, pairing).at;
    return isOfDays ? clock.firstInstantOf(midnight()) : moveEdge(ms, shift, clock);
  }
  function afterLast(): number {
    const last = shift.move(clock.midnightBefore(endMs - 1));
    return last.isThere ? last.at + dayMs : last.at;
  }
  return { fromMs: edge(startMs, () => shift.move(clock.midnightBefore(startMs)).at), toMs: edge(endMs, afterLast) };
}

/** Maps an instant of the asked range to the compared one; the first of a repeated time to the first, the second to the second. */
function movedInstant(ms: number, { asked, shift, clock }: Pairing): MovedInstant {
  const reading = clock.readingAt(ms);
  const earlier = clock.instantsOf(reading).filter((one) => one >= asked.fromMs && one < ms);
  const moved = shift.move(reading);
  const instants = moved.isThere ? clock.instantsOf(moved.at).filter((one) => one >= shift.fromMs) : [];
  const found = instants[earlier.length];
  if (found !== undefined) return { at: found, isThere: true };
  const [first] = earlier;
  if (first === undefined || instants.length === 0) return { at: clock.firstInstantOf(moved.at), isThere: false };
  // The repeated hour is over there when it begins to repeat here.
  const repeatedTo = offsetChangeBetween(first, ms, clock.tz) + clock.offsetAt(first);
  return { at: clock.firstInstantOf(shift.move(repeatedTo).at), isThere: false };
}

/** Windows that cover all of [fromMs, endMs): the partners, and between them windows without a partner. */
export function coveringWindows(partners: readonly (Window | undefined)[], { shift, endMs }: Pairing): Window[] {
  const windows: Window[] = [];
  let passedMs = shift.fromMs;
  for (const partner of partners) {
    if (partner === undefined) continue;
    if (passedMs < partner.startMs) windows.push({ startMs: passedMs, endMs: partner.startMs, isPartial: true });
    windows.push(partner);
    passedMs = partner.endMs;
  }
  if (passedMs < endMs) windows.push({ startMs: passedMs, endMs, isPartial: true });
  return windows;
}
