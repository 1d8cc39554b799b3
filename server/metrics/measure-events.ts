/** Meters of events one by one: counts, sums, averages, and levels that events raise and lower by a value. */
import { z } from "zod";
import type { MeterRule } from "../catalog/catalog.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { compareDecimals, quotient, sumDecimals, trimDecimal } from "./figures.ts";
import {
  boundsOf,
  chosenBy,
  chosenParams,
  concerns,
  isPlain,
  type Measured,
  type MeterSeries,
  type Range,
  rangeParams,
  type Scope,
  type SplitSeries,
  splitRows,
  unsplit,
} from "./scope.ts";

const millis = z.coerce.number();
const keyed = { key: z.string(), is_other: millis, window_ms: millis };
const asked = chosenParams.extend(rangeParams.shape);

const counterRow = z.object({ ...keyed, events: millis, amount: z.string() });

const usageWindows = defineQuery(
  "usage_windows",
  asked.extend({
    types: z.array(z.string()),
    whole_from_ms: z.number(),
    whole_to_ms: z.number(),
    rank: z.string(),
  }),
  counterRow,
);
const nodeUsageWindows = defineQuery(
  "node_usage_windows",
  rangeParams.extend({
    kind: z.string(),
    node: z.string(),
    types: z.array(z.string()),
    whole_from_ms: z.number(),
    whole_to_ms: z.number(),
  }),
  z.object({ window_ms: millis, events: millis, amount: z.string() }),
);
const measuredWindows = defineQuery(
  "measured_windows",
  asked.extend({ types: z.array(z.string()), measure: z.string(), weight: z.string(), rank: z.string() }),
  z.object({ ...keyed, events: millis, amount: z.string(), weighted: z.string(), weights: z.string() }),
);
const valueLevelWindows = defineQuery(
  "value_level_windows",
  asked.extend({
    raises: z.array(z.string()),
    lowers: z.array(z.string()),
    counts: z.number(),
    whole_to_ms: z.number(),
    rank: z.string(),
  }),
  z.object({ ...keyed, integral: z.string(), peak: z.string(), closing: z.string(), peak_at_ms: millis }),
);

/** Averages have as many decimals as amounts may have. */
const averageDecimals = 9;
const bucketMs = 15 * 60_000;

export async function measureCount(
  clickhouse: ClickHouse,
  { types }: Extract<MeterRule, { kind: "count" }>,
  scope: Scope,
): Promise<SplitSeries> {
  const rows = await countersPerWindow(clickhouse, scope, types, "events");
  return splitRows(rows, (own) => {
    const total = own.reduce((sum, row) => sum + row.events, 0);
    return {
      total: { figure: total, hasData: true },
      windows: new Map(own.map((row) => [row.window_ms, { figure: row.events, hasData: true }])),
    };
  });
}

export async function measureSum(
  clickhouse: ClickHouse,
  { types, property }: Extract<MeterRule, { kind: "sum" }>,
  scope: Scope,
): Promise<SplitSeries> {
  const rows =
    property === undefined
      ? await countersPerWindow(clickhouse, scope, types, "amount")
      : await measuredWindows(clickhouse, {
          ...chosenBy(scope),
          ...boundsOf(scope.range),
          types: [...types],
          measure: property,
          weight: "",
          rank: "amount",
        });
  const measuredOf = (amount: string, events: number): Measured => ({
    figure: trimDecimal(amount),
    hasData: true,
    average: quotient(amount, String(events), averageDecimals),
  });
  return splitRows(rows, (own) => ({
    total: measuredOf(
      sumDecimals(own.map((row) => row.amount)),
      own.reduce((sum, row) => sum + row.events, 0),
    ),
    windows: new Map(own.map((row) => [row.window_ms, measuredOf(row.amount, row.events)])),
  }));
}

export async function measureWeightedAverage(
  clickhouse: ClickHouse,
  { types, property }: Extract<MeterRule, { kind: "weighted_average" }>,
  scope: Scope,
): Promise<SplitSeries> {
  const rows = await measuredWindows(clickhouse, {
    ...chosenBy(scope),
    ...boundsOf(scope.range),
    types: [...types],
    measure: property,
    weight: "value",
    rank: "average",
  });
  const measuredOf = (weighted: string, weights: string): Measured => {
    const figure = quotient(weighted, weights, averageDecimals);
    return { figure: figure ?? "0", hasData: figure !== undefined };
  };
  return splitRows(rows, (own) => ({
    total: measuredOf(sumDecimals(own.map((row) => row.weighted)), sumDecimals(own.map((row) => row.weights))),
    windows: new Map(own.map((row) => [row.window_ms, measuredOf(row.weighted, row.weights)])),
  }));
}

export async function measureValueLevel(
  clickhouse: ClickHouse,
  { raises, lowers, by }: Extract<MeterRule, { kind: "value_level" }>,
  scope: Scope,
): Promise<SplitSeries> {
  const { range } = scope;
  if (range.toMs <= range.fromMs) return { keys: new Map(), other: undefined };
  const rows = await valueLevelWindows(clickhouse, {
    ...chosenBy(scope),
    ...boundsOf(range),
    raises: [...raises],
    lowers: [...lowers],
    counts: by === "event" ? 1 : 0,
    whole_to_ms: knowsOnlyEvents(scope) ? 0 : Math.floor(range.fromMs / bucketMs) * bucketMs,
    rank: "closing",
  });
  const endOf = new Map(range.windows.map((window) => [window.startMs, Math.min(window.endMs, range.toMs)]));
  const figureOf = (decimal: string) => (by === "event" ? Number(decimal) : trimDecimal(decimal));
  const measuredOf = (
    { integral, peak, closing, atMs }: { integral: string; peak: string; closing: string; atMs: number },
    lengthMs: number,
  ): Measured => ({
    figure: figureOf(closing),
    hasData: [closing, peak, integral].some((decimal) => compareDecimals(decimal, "0") !== 0),
    average: quotient(integral, String(lengthMs), averageDecimals),
    peak: figureOf(peak),
    atMs,
  });
  return splitRows(rows, (own): MeterSeries => {
    const windows = own
      .map(({ window_ms: startMs, peak_at_ms: atMs, integral, peak, closing }) => ({
        startMs,
        atMs,
        integral,
        peak,
        closing,
      }))
      .sort((a, b) => a.startMs - b.startMs);
    const [first] = windows;
    const highest = windows.reduce(
      (best, one) => (best && compareDecimals(one.peak, best.peak) > 0 ? one : best),
      first,
    );
    const whole = {
      integral: sumDecimals(windows.map((window) => window.integral)),
      peak: highest?.peak ?? "0",
      closing: windows.at(-1)?.closing ?? "0",
      atMs: highest?.atMs ?? range.fromMs,
    };
    return {
      total: measuredOf(whole, range.toMs - range.fromMs),
      windows: new Map(
        windows.map((window) => [
          window.startMs,
          measuredOf(window, (endOf.get(window.startMs) ?? range.toMs) - window.startMs),
        ]),
      ),
    };
  });
}

/** The rollup knows no users, rooms and sessions: a question about those is answered from the events. */
const knowsOnlyEvents = (scope: Scope) => concerns(scope, "user", "room", "session");

/** What a node above organizations did as a whole is kept ready for it; the rest is summed up from organizations' counters. */
async function countersPerWindow(
  clickhouse: ClickHouse,
  scope: Scope,
  types: readonly string[],
  rank: "events" | "amount",
): Promise<z.output<typeof counterRow>[]> {
  const { kind, node } = scope.node;
  const asked = { ...boundsOf(scope.range), types: [...types] };
  if (isPlain(scope) && kind !== "organization") {
    const rows = await nodeUsageWindows(clickhouse, { ...asked, kind, node, ...wholeBuckets(scope.range) });
    return rows.map(unsplit);
  }
  const whole = knowsOnlyEvents(scope) ? { whole_from_ms: 0, whole_to_ms: 0 } : wholeBuckets(scope.range);
  return await usageWindows(clickhouse, { ...chosenBy(scope), ...asked, ...whole, rank });
}

/** The quarters of an hour that lie whole in one window and in the range; finer windows have none. */
function wholeBuckets({ fromMs, toMs, windows }: Range): { whole_from_ms: number; whole_to_ms: number } {
  const isFiner = windows.some((window, index) => index > 0 && window.startMs % bucketMs !== 0);
  const from = Math.ceil(fromMs / bucketMs) * bucketMs;
  const to = Math.max(from, Math.floor(toMs / bucketMs) * bucketMs);
  return { whole_from_ms: from, whole_to_ms: isFiner ? from : to };
}
