/** The question of one measurement: which rows of which node, over which windows, split by what; and its result. */
import { z } from "zod";
import { type Filter, filterParams, paramsOfFilters } from "../catalog/filters.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import type { Figure } from "../contract/usage.ts";
import { createPace } from "../fairness/pace.ts";
import { type NodeFilter, nodeParams } from "./node-filter.ts";
import type { Window } from "./windows.ts";

export interface Range {
  fromMs: number;
  /** Exclusive, never after now. */
  toMs: number;
  windows: readonly Window[];
}

export interface Split {
  /** A dimension. */
  by: string;
  /** All other keys are folded into one; undefined: every key is kept. */
  keep: readonly string[] | undefined;
  /** Only the rows with the largest figures. */
  most: number | undefined;
}

export interface Scope {
  node: NodeFilter;
  filters: readonly Filter[];
  split: Split | undefined;
  /** Whether a custom meter asks: its dimensions are any properties, which only the events themselves know. */
  isCustom: boolean;
  range: Range;
}

/** One figure with what belongs to it. Instants are ms since 1970, UTC. */
export interface Measured {
  figure: string | number;
  hasData: boolean;
  /** The first instant of a peak; undefined when it is 0. */
  atMs?: number | undefined;
  /** Decimal string; undefined where there is nothing to average. */
  average?: string | undefined;
  peak?: Figure;
  /** The session that a peak was reached in. */
  session?: { organization: string; session: string } | undefined;
}

export interface MeterSeries {
  total: Measured;
  /** By the window's start; windows without data may be missing. */
  windows: ReadonlyMap<number, Measured>;
}

/** Without a split everything is under the key ''. */
export interface SplitSeries {
  keys: Map<string, MeterSeries>;
  /** All that the split folded. */
  other: MeterSeries | undefined;
}

/** The parameters of clickhouse/fragments/selected.sql. */
export const chosenParams = nodeParams.extend({
  ...filterParams.shape,
  by: z.string(),
  folds: z.number(),
  keep: z.array(z.string()),
  most: z.number(),
});

/** More rows than any answer has. */
const everything = 1e15;

export function chosenBy({ node, filters, split }: Scope): z.input<typeof chosenParams> {
  return {
    ...node,
    ...paramsOfFilters(filters),
    by: split?.by ?? "",
    folds: split?.keep ? 1 : 0,
    keep: [...(split?.keep ?? [])],
    most: split?.most ?? everything,
  };
}

export const rangeParams = z.object({ from_ms: z.number(), to_ms: z.number(), bounds: z.array(z.number()) });

export function boundsOf({ fromMs, toMs, windows }: Range): z.input<typeof rangeParams> {
  return { from_ms: fromMs, to_ms: toMs, bounds: windows.map((window) => window.startMs) };
}

/** Whether the question is about all that a node did, which is kept ready at every level of the tree. */
export function isPlain({ filters, split }: Scope): boolean {
  return filters.length === 0 && split === undefined;
}

/** Whether a filter or the split is about one of these dimensions. */
export function concerns({ filters, split }: Scope, ...dimensions: string[]): boolean {
  return [...filters.map((filter) => filter.dimension), ...(split ? [split.by] : [])].some((one) =>
    dimensions.includes(one),
  );
}

/** The columns that each row of an answer by key and window begins with. */
export const splitColumns = { key: z.string(), is_other: numberColumn, window_ms: numberColumn };

/** The columns of a row that is about one window, or with `is_whole` 1 about all of the range: a window's start does not say which. */
export const windowOrWhole = { ...splitColumns, is_whole: numberColumn };

/** The series of rows of one key, of which the one about all of the range, if there is any, is the total. */
export function seriesWithWhole<Row extends { window_ms: number; is_whole: number }>(
  rows: readonly Row[],
  measuredOf: (row: Row) => Measured,
  nothing: Measured,
): MeterSeries {
  const whole = rows.find((row) => row.is_whole === 1);
  const windows = rows.filter((row) => row.is_whole === 0).map((row) => [row.window_ms, measuredOf(row)] as const);
  return { total: whole ? measuredOf(whole) : nothing, windows: new Map(windows) };
}

/** Rows by their key, and the folded ones together. Each group becomes a series, in slices. */
export async function splitRows<Row extends { key: string; is_other: number }>(
  rows: readonly Row[],
  seriesOf: (rows: readonly Row[]) => MeterSeries,
): Promise<SplitSeries> {
  const pace = createPace();
  const keys = new Map<string, Row[]>();
  const others: Row[] = [];
  for (const row of rows) {
    if (row.is_other === 1) others.push(row);
    else if (!keys.get(row.key)?.push(row)) keys.set(row.key, [row]);
  }
  const series = new Map<string, MeterSeries>();
  for (const [key, own] of keys) {
    series.set(key, seriesOf(own));
    await pace.rest();
  }
  return {
    keys: series,
    other: others.length === 0 ? undefined : seriesOf(others),
  };
}
