/**
 * All that a question's meters need of a whole node over its ranges, read in one statement each for levels, counters and
 * presences, however many meters and ranges there are: parsing a statement costs as much as answering it.
 */

import { z } from "zod";
import type { Level, SlotLevel } from "../catalog/levels.ts";
import type { Meter, MeterRule } from "../catalog/meter.ts";
import { isOfCounters, isOfSlots } from "../catalog/rule-traits.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { minuteMs } from "../contract/durations.ts";
import { sumDecimals } from "../numbers/figures.ts";
import { carryLevel, type LevelWindow } from "./level-windows.ts";
import {
  begunWindows,
  bucketMs,
  type MergedRange,
  mergeRanges,
  partialQuarters,
  partialQuartersParams,
  stepsOf,
  wholeEnd,
  wholeEndParams,
} from "./merged-ranges.ts";
import type { NodeFilter } from "./node-filter.ts";
import { once } from "./once.ts";
import { isPlain, type Range, type Scope } from "./scope.ts";

const instants = z.array(z.number());
const stepParams = z.object({
  kind: z.string(),
  node: z.string(),
  bounds: instants,
  since: z.string(),
  until: z.string(),
  gap_since: z.string(),
  gap_until: z.string(),
  partial_buckets: z.array(z.string()),
});

const levelRow = z.object({
  level: z.string(),
  window_ms: numberColumn,
  first_ms: numberColumn,
  net: numberColumn,
  lag_ms: numberColumn,
  peak: numberColumn,
  peak_at_ms: numberColumn,
  starts: numberColumn,
});
const levelWindows = defineQuery(
  "level_windows",
  stepParams.extend({ levels: z.array(z.string()), gap_starts: instants, gap_ms: z.number() }),
  levelRow,
);
const counterRow = z.object({
  type: z.string(),
  window_ms: numberColumn,
  events: numberColumn,
  sixtieths: z.string(),
});
const counterWindows = defineQuery(
  "counter_windows",
  stepParams
    .omit({ until: true })
    .extend({ ...wholeEndParams.shape, ...partialQuartersParams.shape, types: z.array(z.string()) }),
  counterRow,
);
const wholeCounterWindows = defineQuery(
  "whole_counter_windows",
  stepParams.omit({ partial_buckets: true }).extend({ types: z.array(z.string()) }),
  counterRow,
);
const nodeDistinctWindows = defineQuery(
  "node_distinct_windows",
  z.object({
    kind: z.string(),
    node: z.string(),
    thing: z.string(),
    levels: z.array(z.string()),
    bounds: instants,
    gap_starts: instants,
    range_starts: instants,
    from_ms: z.number(),
    to_ms: z.number(),
    gap_from_ms: z.number(),
    gap_to_ms: z.number(),
  }),
  z.object({ range_ms: numberColumn, is_whole: numberColumn, window_ms: numberColumn, things: numberColumn }),
);

/** Counts events of some types in one window. */
export interface Counter {
  window_ms: number;
  events: number;
  /** The sum of their amounts in sixtieths, a decimal string. */
  sixtieths: string;
}

export interface WholeNode {
  /** A level per window that has begun. */
  slots(level: SlotLevel, range: Range): Promise<readonly LevelWindow[]>;
  /** Windows without events are missing. */
  counters(types: readonly string[], range: Range): Promise<readonly Counter[]>;
  /** Distinct users or rooms in the range and in each window that has any. */
  things(
    thing: "user" | "room",
    levels: readonly Level[],
    range: Range,
  ): Promise<{ total: number; windows: ReadonlyMap<number, number> }>;
}

/** Whether rollups of the whole node answer a question. */
export const isOfWholeNode = (scope: Scope): boolean => isPlain(scope) && !scope.isCustom && scope.node.agent === "";

/** Counters are kept by quarters of an hour, so they cannot answer finer windows. */
export const hasFinerWindows = ({ windows }: Range): boolean =>
  windows.some((window, index) => index > 0 && window.startMs % bucketMs !== 0);

/** Levels are kept by minutes, so slots cannot answer windows that begin or end within one, except at the edges of the range. */
export const hasWindowsWithinMinutes = ({ windows }: Range): boolean =>
  windows.some((window, index) => index > 0 && window.startMs % minuteMs !== 0);

/**
 * Ranges that lie close are read as one (merged-ranges.ts says what its gaps and bounds are). The node must not be an agent. `asked`: the meters that are wanted of each range; nothing is read before
 * one of them is.
 */
export function wholeNode(
  clickhouse: ClickHouse,
  { kind, node }: NodeFilter,
  asked: ReadonlyMap<Range, readonly Meter[]>,
): WholeNode {
  const mergedRanges = mergeRanges([...asked.keys()]);
  const mergedWith = (range: Range) => mergedRanges.find(({ ranges }) => ranges.includes(range));
  const rulesOf = ({ ranges }: MergedRange) => ranges.flatMap((range) => (asked.get(range) ?? []).flatMap(rulesBehind));
  const readLevels = once((merged: MergedRange) =>
    levelWindows(clickhouse, {
      kind,
      node,
      levels: unique(rulesOf(merged).flatMap(levelOf)),
      gap_ms: merged.longestGap.fromMs,
      bounds: [...merged.bounds],
      gap_starts: [...merged.gapStarts],
      ...stepsOf(merged, minuteMs),
    }),
  );
  const readCounters = once((merged: MergedRange) => {
    const { ranges, bounds } = merged;
    const steps = stepsOf(merged, bucketMs);
    const asked = { kind, node, types: unique(rulesOf(merged).flatMap(countedTypes)), bounds: [...bounds], ...steps };
    if (steps.partial_buckets.length === 0) return wholeCounterWindows(clickhouse, asked);
    return counterWindows(clickhouse, {
      ...asked,
      ...partialQuarters(merged),
      ...wholeEnd(ranges.at(-1)?.toMs ?? 0, bounds),
    });
  });
  const readThings = once((merged: MergedRange, thing: string, levels: string) => {
    const { ranges, bounds, gapStarts, longestGap } = merged;
    return nodeDistinctWindows(clickhouse, {
      kind,
      node,
      thing,
      levels: levels.split(" "),
      bounds: [...bounds],
      gap_starts: [...gapStarts],
      range_starts: ranges.map(({ fromMs }) => fromMs),
      from_ms: ranges[0]?.fromMs ?? 0,
      to_ms: ranges.at(-1)?.toMs ?? 0,
      gap_from_ms: longestGap.fromMs,
      gap_to_ms: longestGap.toMs,
    });
  });
  return {
    async slots(level, range) {
      const merged = mergedWith(range);
      if (!merged) return [];
      const rows = (await readLevels(merged)).filter((row) => row.level === level);
      return carriedThrough(merged, range, rows);
    },
    async counters(types, range) {
      const merged = mergedWith(range);
      if (!merged) return [];
      const rows = (await readCounters(merged)).filter((row) => types.includes(row.type));
      const byWindow = new Map<number, Counter[]>(begunWindows(range).map(({ startMs }) => [startMs, []]));
      for (const { window_ms, events, sixtieths } of rows)
        byWindow.get(window_ms)?.push({ window_ms, events, sixtieths });
      return [...byWindow.values()].flatMap(addedUp);
    },
    async things(thing, levels, range) {
      const merged = mergedWith(range);
      const rows = merged ? await readThings(merged, thing, levels.join(" ")) : [];
      const own = rows.filter((row) => row.range_ms === range.fromMs);
      return {
        total: own.find((row) => row.is_whole === 1)?.things ?? 0,
        windows: new Map(own.filter((row) => row.is_whole === 0).map((row) => [row.window_ms, row.things])),
      };
    },
  };
}

type LevelRow = z.output<typeof levelRow>;

/** A level in one of the ranges, from what it was before that through all that lies in between. */
function carriedThrough(merged: MergedRange, range: Range, rows: readonly LevelRow[]): LevelWindow[] {
  const isBefore = (row: LevelRow) => row.window_ms < range.fromMs;
  const opening = rows.filter(isBefore).reduce((level, row) => level + row.net, 0);
  const gapStarts = new Set(merged.gapStarts);
  const changes = rows
    .filter((row) => !isBefore(row) && row.window_ms < range.toMs && !gapStarts.has(row.window_ms))
    .map((row) => ({
      windowMs: row.window_ms,
      firstMs: row.first_ms,
      net: row.net,
      lagMs: row.lag_ms,
      peak: row.peak,
      peakAtMs: row.peak_at_ms,
      starts: row.starts,
    }));
  return carryLevel(opening, begunWindows(range), changes);
}

function addedUp(counters: readonly Counter[]): Counter[] {
  const [first, ...more] = counters;
  if (!first || more.length === 0) return first ? [first] : [];
  const events = counters.reduce((sum, counter) => sum + counter.events, 0);
  return [{ window_ms: first.window_ms, events, sixtieths: sumDecimals(counters.map(({ sixtieths }) => sixtieths)) }];
}

function rulesBehind({ rule, custom }: Meter): MeterRule[] {
  if (rule.kind === "derived") return rule.operands.flatMap(rulesBehind);
  return custom ? [] : [rule];
}

const levelOf = (rule: MeterRule): SlotLevel[] => (isOfSlots(rule) ? [rule.level] : []);

const countedTypes = (rule: MeterRule): readonly string[] => (isOfCounters(rule) ? rule.types : []);

const unique = <Item>(items: readonly Item[]): Item[] => [...new Set(items)];
