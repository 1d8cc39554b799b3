/**
 * Whether an hour is unlike the same hour of the weeks before. The centre and the spread are robust (median, median absolute
 * deviation), so that one odd week neither hides the next nor makes it look odd. Pure; estimates are floats.
 */
import type { ConditionOf } from "../contract/rules.ts";

export interface SeasonedHour {
  value: number;
  /** The same hour of the weeks before, the newest first, since the meter was first used. */
  before: readonly number[];
}

export interface UnusualHour {
  direction: "up" | "down" | undefined;
  usual: number;
}

/** Deviations from the usual, by sensitivity. */
const deviations = { low: 6, medium: 4, high: 3 } as const;
const wholeSeason = 4;
/** Where the weeks before hardly differ, a change below this share of the median is not worth anybody's notice. */
const leastShare = 0.15;

/** Undefined where nothing is known of the weeks before. */
export function judgeHour(
  { sensitivity, at_least }: Pick<ConditionOf<"unusual">, "sensitivity" | "at_least">,
  { value, before }: SeasonedHour,
): UnusualHour | undefined {
  if (before.length === 0) return undefined;
  const usual = median(before);
  const spread = 1.4826 * median(before.map((one) => Math.abs(one - usual)));
  // Counts scatter by their square root, whatever their season.
  const least = Math.max(leastShare * usual, Math.sqrt(Math.max(usual, 1)));
  const wider = before.length >= wholeSeason ? 1 : 1 + (wholeSeason - before.length) / 2;
  const bound = deviations[sensitivity] * Math.max(spread, least) * wider;
  const floor = Number(at_least);
  if (value > usual + bound && value >= floor) return { direction: "up", usual };
  // A fall cannot go below zero: down to a quarter of the usual counts as one, whatever the bound.
  if (value < Math.max(usual - bound, 0.25 * (usual / wider)) && usual >= Math.max(floor, 1))
    return { direction: "down", usual };
  return { direction: undefined, usual };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? 0) + high) / 2;
}

/** Two readings in a row in the wanted direction. The newest first. */
export function areUnusual(
  { direction }: Pick<ConditionOf<"unusual">, "direction">,
  readings: readonly (UnusualHour | undefined)[],
): "up" | "down" | undefined {
  const [now, before] = readings;
  if (!now?.direction || now.direction !== before?.direction) return undefined;
  return direction === "both" || direction === now.direction ? now.direction : undefined;
}

/** The value of a dimension whose change explains most of the whole change. */
export interface Driver {
  dimension: string;
  key: string;
  /** Share of the whole change, in percent. */
  share: number;
}

/** `now` and `usual`: by dimension, the figures of its values. */
export function driverOf(
  changes: readonly { dimension: string; now: ReadonlyMap<string, number>; usual: ReadonlyMap<string, number> }[],
): Driver | undefined {
  let best: Driver | undefined;
  for (const { dimension, now, usual } of changes) {
    const keys = new Set([...now.keys(), ...usual.keys()]);
    const moved = [...keys].map((key) => [key, (now.get(key) ?? 0) - (usual.get(key) ?? 0)] as const);
    const whole = moved.reduce((sum, [, change]) => sum + change, 0);
    if (whole === 0) continue;
    for (const [key, change] of moved) {
      const share = Math.min(100, (100 * change) / whole);
      if (key !== "" && share > (best?.share ?? 0)) best = { dimension, key, share };
    }
  }
  return best;
}
