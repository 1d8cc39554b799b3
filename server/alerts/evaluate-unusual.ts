/**
 * Whether an hour is unlike the same hour of the weeks before. The centre and the spread are robust (median, median absolute
 * deviation), so that one odd week neither hides the next nor makes it look odd. Pure; estimates are floats.
 */
import { hourMs, weekMs } from "../contract/durations.ts";
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

/**
 * By sensitivity: how many spreads above the usual a rise is, and below which share of it a fall is. `npm run bench:unusual`
 * prints how many spikes of three times the usual and more, and how many hours with almost nothing, the default finds, and how
 * many it names wrongly.
 */
const bounds = {
  low: { spreads: 6, fallShare: 0.15 },
  medium: { spreads: 5, fallShare: 0.25 },
  high: { spreads: 4, fallShare: 0.4 },
} as const;
const wholeSeason = 4;
/** How many of the newest weeks show the current growth. */
const recentWeeks = 3;
/** A share of the usual amount: people take no notice of less, even where the weeks before hardly differ. */
const leastShare = 0.25;
/** A multiple of the square root of the usual amount, by which counts scatter in any season; people come in groups. */
const leastScatter = 1.5;
/** A multiple of that square root: a smaller fall may be chance. */
const fallScatter = 3.5;

/** How many earlier weeks an hour is compared with. */
export const seasonWeeks = 8;

/**
 * An hour beside the same one of the `seasonWeeks` before, the newest first; weeks before the first use are not part of the season.
 * `endMs`: of the hour, ms since 1970, UTC; `usedMs`: when the first of the weeks until then began in which anything was used.
 */
export function seasonedHour(
  [value = 0, ...before]: readonly number[],
  { endMs, usedMs }: { endMs: number; usedMs: number | undefined },
): SeasonedHour {
  const begun = before.findLastIndex((figure) => figure > 0) + 1;
  const known = usedMs === undefined ? begun : Math.max(begun, Math.floor((endMs - hourMs - usedMs) / weekMs));
  return { value, before: before.slice(0, known) };
}

/** Undefined where nothing is known of the weeks before. */
export function evaluateHour(
  { sensitivity, at_least }: Pick<ConditionOf<"unusual">, "sensitivity" | "at_least">,
  { value, before }: SeasonedHour,
): UnusualHour | undefined {
  if (before.length === 0) return undefined;
  const usual = median(before);
  const recent = median(before.slice(0, recentWeeks));
  const [low, high] = [Math.min(usual, recent), Math.max(usual, recent)];
  const spread = 1.4826 * median(before.map((one) => Math.abs(one - usual)));
  const wider = before.length >= wholeSeason ? 1 : 1 + 0.6 * (wholeSeason - before.length);
  const { spreads, fallShare } = bounds[sensitivity];
  const scatter = leastScatter * Math.sqrt(Math.max(high, 1));
  const floor = Number(at_least);
  const bound = spreads * Math.max(spread, leastShare * high, scatter) * wider;
  if (value > high + bound && value >= floor) return { direction: "up", usual };
  // A fall cannot be deeper than to nothing: where little is usual, nothing is no surprise.
  const isDeep = value < (fallShare * low) / wider && low - value > fallScatter * Math.sqrt(low);
  if (isDeep && low >= floor) return { direction: "down", usual };
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
