/**
 * The instants at which an interval without a name gave signs: ascending, each once. Whoever sends may send as many as they like, so
 * those that can change nothing are not kept, and of each kind no more than the latest `most` count.
 */
import { firstAt } from "./first-at.ts";

export const signLimits = {
  /** Starts, ends, signs of life and dimensions of one interval, of each: older ones are as if they had not been sent. */
  most: 50_000,
  /** Where an interval has more signs of life than this, those between two others are left out. */
  plainAlives: 1_000,
} as const;

/** The first index of an ascending list at which there is an instant that is not before `atMs`. */
export const firstFrom = (times: readonly number[], atMs: number): number => firstAt(times, (ms) => ms >= atMs);

/** Adds an instant to an ascending list, of which the latest `most` stay. Answers by how much it has grown. */
export function addInstant(times: number[], atMs: number, most: number = signLimits.most): number {
  const index = firstFrom(times, atMs);
  if (times[index] === atMs || (index === 0 && times.length >= most)) return 0;
  const before = times.length;
  times.splice(index, 0, atMs);
  if (times.length > most) times.shift();
  return times.length - before;
}

/**
 * Signs of life thinned out: of those within one slice of time as long as the interval may be silent, the first and the last. A sign
 * between these two changes nothing, whatever start or end of the session comes to lie beside it: at that instant the one before is
 * not too long ago either, and the one after follows. The same as in fragments/what_is_known.sql.
 */
export function thinned(times: readonly number[], withinMs: number): number[] {
  const sliceOf = (index: number) => Math.floor((times[index] as number) / withinMs);
  return times.filter((_, index) => {
    const isFirst = index === 0 || sliceOf(index - 1) !== sliceOf(index);
    return isFirst || index === times.length - 1 || sliceOf(index + 1) !== sliceOf(index);
  });
}

/** What `thinned` would leave with one more sign of life, of what it has left. Answers by how much it has grown. */
export function addThinned(times: number[], atMs: number, withinMs: number, most: number = signLimits.most): number {
  const slice = Math.floor(atMs / withinMs);
  const isWithin = (index: number) => index in times && Math.floor((times[index] as number) / withinMs) === slice;
  const index = firstFrom(times, atMs);
  if (times[index] === atMs || (isWithin(index - 1) && isWithin(index))) return 0;
  if (isWithin(index - 2)) times[index - 1] = atMs;
  else if (isWithin(index + 1)) times[index] = atMs;
  else return addInstant(times, atMs, most);
  return 0;
}

/** A sign that said how long the interval may be silent from then on: (ms, for how many ms). */
export type TimedSilence = readonly [number, number];

export const compareSilences = ([aMs, a]: TimedSilence, [bMs, b]: TimedSilence): number => aMs - bMs || a - b;

/**
 * What signs of life that are `thinned` out leave of the silences that they allow: of those within one slice the last. None of them is
 * shorter than the slice, so while it lasts nobody has been silent for too long, whichever holds. The same as in fragments/known_signs.sql.
 */
export function lastOfSlices(silences: readonly TimedSilence[], withinMs: number): TimedSilence[] {
  const sliceOf = (index: number) => Math.floor((silences[index] as TimedSilence)[0] / withinMs);
  return silences.filter((_, index) => index === silences.length - 1 || sliceOf(index + 1) !== sliceOf(index));
}

/**
 * Adds to an ordered list, of which the latest `most` stay, and where it is of `lastOfSlices` what that would leave. Answers by how much it
 * has grown.
 */
export function addSilence(
  silences: TimedSilence[],
  added: TimedSilence,
  withinMs: number | undefined,
  most: number = signLimits.most,
): number {
  const before = silences.length;
  const index = firstAt(silences, (one) => compareSilences(one, added) >= 0);
  const isInSlice = (at: number) => {
    const one = silences[at];
    if (!one || withinMs === undefined) return false;
    return Math.floor(one[0] / withinMs) === Math.floor(added[0] / withinMs);
  };
  const next = silences[index];
  if (isInSlice(index) || (next && compareSilences(next, added) === 0)) return 0;
  if (isInSlice(index - 1)) silences[index - 1] = added;
  else silences.splice(index, 0, added);
  if (silences.length > most) silences.shift();
  return silences.length - before;
}

/** A sign that named dimensions: (ms, dims). */
export type TimedDims = readonly [number, string];

/** The first index from which on signs are not before `atMs`. */
export const firstDimsFrom = (signs: readonly TimedDims[], atMs: number): number =>
  firstAt(signs, ([ms]) => ms >= atMs);
