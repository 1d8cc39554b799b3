/**
 * Several ranges merged into one that one statement reads: what is asked and what it is compared with, or billing cycles one
 * after another. Their windows follow each other in one list, with the gaps between: a level has to be carried through them.
 */
import { z } from "zod";
import type { Range } from "./scope.ts";

export interface MergedRange {
  /** In order of time, not overlapping, none of them empty. */
  ranges: readonly Range[];
  /** Where each window begins, and all of `gapStarts`; ascending, ms. */
  bounds: readonly number[];
  /** Where gaps begin, of which nobody asks: before the first range (the first of bounds), between two, after the last. */
  gapStarts: readonly number[];
  /** The longest gap between two ranges, which is not read in detail; of no length where they follow each other. */
  longestGap: { fromMs: number; toMs: number };
}

/** As many partial buckets (a range begins or ends within them) as a statement takes. */
const maxPartialBuckets = 4;

/** The fewest merged ranges that hold all ranges of some length: ranges that overlap are in different ones. */
export function mergeRanges(ranges: readonly Range[]): MergedRange[] {
  const groups: Range[][] = [];
  const byTime = ranges.filter((range) => range.fromMs < range.toMs).sort((a, b) => a.fromMs - b.fromMs);
  for (const range of byTime) {
    const group = groups.find(
      (one) => (one.at(-1)?.toMs ?? 0) <= range.fromMs && edgesOf([...one, range]) <= maxPartialBuckets,
    );
    if (group) group.push(range);
    else groups.push([range]);
  }
  return groups.map(mergedRangeOf);
}

/** The instants at which ranges begin and end, each once. */
const instantsOf = (ranges: readonly Range[]) => [...new Set(ranges.flatMap(({ fromMs, toMs }) => [fromMs, toMs]))];
const edgesOf = (ranges: readonly Range[]) => instantsOf(ranges).filter((ms) => ms % bucketMs !== 0).length;

function mergedRangeOf(ranges: readonly Range[]): MergedRange {
  const first = ranges[0]?.fromMs ?? 0;
  const bounds = [first - 1];
  const gapStarts = [first - 1];
  let longestGap = { fromMs: first, toMs: first };
  for (const [index, range] of ranges.entries()) {
    bounds.push(...begunWindows(range).map(({ startMs }) => startMs));
    const nextMs = ranges[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    if (nextMs === range.toMs) continue;
    bounds.push(range.toMs);
    gapStarts.push(range.toMs);
    if (Number.isFinite(nextMs) && nextMs - range.toMs > longestGap.toMs - longestGap.fromMs)
      longestGap = { fromMs: range.toMs, toMs: nextMs };
  }
  return { ranges, bounds, gapStarts, longestGap };
}

/** The windows that have begun, each as long as the range knows of it. */
export function begunWindows({ windows, toMs }: Range): { startMs: number; endMs: number }[] {
  return windows
    .filter((window) => window.startMs < toMs)
    .map(({ startMs, endMs }) => ({ startMs, endMs: Math.min(endMs, toMs) }));
}

export const bucketMs = 15 * 60_000;

/** A merged range in buckets of storage, as DateTime parameters: what it covers, its longest gap, and its partial buckets. */
export function stepsOf({ ranges, longestGap }: MergedRange, stepMs: number) {
  const up = (ms: number) => Math.ceil(ms / stepMs) * stepMs;
  const down = (ms: number) => Math.floor(ms / stepMs) * stepMs;
  const [fromMs, toMs] = [ranges[0]?.fromMs ?? 0, ranges.at(-1)?.toMs ?? 0];
  return {
    since: dateTimeOf(up(fromMs)),
    until: dateTimeOf(down(toMs)),
    gap_since: dateTimeOf(up(longestGap.fromMs)),
    gap_until: dateTimeOf(down(longestGap.toMs)),
    partial_buckets: partialStarts(ranges, stepMs).map(dateTimeOf),
  };
}

/** Where the steps begin within which a range begins or ends, each once. */
function partialStarts(ranges: readonly Range[], stepMs: number): number[] {
  const within = instantsOf(ranges).filter((ms) => ms % stepMs !== 0);
  return [...new Set(within.map((ms) => Math.floor(ms / stepMs) * stepMs))];
}

/** The quarters of an hour within which a range begins or ends, as the parameters of clickhouse/queries/counter_windows.sql. */
export function partialQuarters({ ranges }: MergedRange) {
  const starts = partialStarts(ranges, bucketMs);
  const wholeToMs = Math.floor((ranges.at(-1)?.toMs ?? 0) / bucketMs) * bucketMs;
  const [partial_1 = 0, partial_2 = 0, partial_3 = 0, partial_4 = 0] = starts.filter((ms) => ms !== wholeToMs);
  const last_to_ms = starts.includes(wholeToMs) ? wholeToMs + bucketMs : wholeToMs;
  return { partial_1, partial_2, partial_3, partial_4, last_to_ms };
}
export const partialQuartersParams = z.object({
  partial_1: z.number(),
  partial_2: z.number(),
  partial_3: z.number(),
  partial_4: z.number(),
  last_to_ms: z.number(),
});

/**
 * Where whole quarters of an hour end for a range, as the parameters of clickhouse/fragments/whole_end.sql. `bounds`: where
 * windows begin.
 */
export function wholeEnd(toMs: number, bounds: readonly number[]) {
  const wholeToMs = Math.floor(toMs / bucketMs) * bucketMs;
  const isWindowWithin = bounds.some((boundMs) => boundMs > wholeToMs && boundMs < toMs);
  const roundedToMs = isWindowWithin ? wholeToMs : Math.ceil(toMs / bucketMs) * bucketMs;
  return { to_ms: toMs, whole_to_ms: wholeToMs, rounded_to_ms: roundedToMs };
}
export const wholeEndParams = z.object({ to_ms: z.number(), whole_to_ms: z.number(), rounded_to_ms: z.number() });

/** What a DateTime of ClickHouse takes; there is none before 1970. */
const dateTimeOf = (ms: number) => new Date(Math.max(0, ms)).toISOString().slice(0, 19).replace("T", " ");
