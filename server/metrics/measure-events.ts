/** Meters of events one by one: counts, sums, averages, extremes, distinct values, and levels that events raise and lower by a value. */
import { z } from "zod";
import { commonDimensions } from "../catalog/catalog.ts";
import type { MeterRule } from "../catalog/meter.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { amountDecimals, amountOfSixtieths, compareDecimals, quotient, sumDecimals } from "../numbers/figures.ts";
import { highestOf } from "./highest-of.ts";
import { bucketMs, wholeEnd, wholeEndParams } from "./merged-ranges.ts";
import {
  boundsOf,
  chosenBy,
  chosenParams,
  concerns,
  type Measured,
  type MeterSeries,
  type Range,
  rangeParams,
  type Scope,
  type SplitSeries,
  seriesWithWhole,
  splitColumns,
  splitRows,
  windowOrWhole,
} from "./scope.ts";
import { hasFinerWindows, isOfWholeNode, type WholeNode } from "./whole-node.ts";

const asked = chosenParams.extend(rangeParams.shape);

const counterRow = z.object({ ...splitColumns, events: numberColumn, sixtieths: z.string() });

const counterParams = asked.extend({
  types: z.array(z.string()),
  ...wholeEndParams.shape,
  whole_from_ms: z.number(),
  rank: z.string(),
});
const usageWindows = defineQuery("usage_windows", counterParams, counterRow);
const nodeUsageWindows = defineQuery("node_usage_windows", counterParams, counterRow);
const measuredWindows = defineQuery(
  "measured_windows",
  asked.extend({
    types: z.array(z.string()),
    custom: z.number(),
    counts: z.number(),
    measure: z.string(),
    weight: z.string(),
    unique_of: z.string(),
    rank: z.string(),
  }),
  z.object({
    ...windowOrWhole,
    events: numberColumn,
    sixtieths: z.string(),
    weighted_upper: z.string(),
    weighted_lower: z.string(),
    weights: z.string(),
    things: numberColumn,
    highest: z.string(),
    highest_at_ms: numberColumn.nullable(),
    latest: z.string(),
    latest_at_ms: numberColumn,
  }),
);
const valueLevelWindows = defineQuery(
  "value_level_windows",
  asked.extend({
    raises: z.array(z.string()),
    lowers: z.array(z.string()),
    counts: z.number(),
    custom: z.number(),
    measure: z.string(),
    whole_to_ms: z.number(),
    rank: z.string(),
  }),
  z.object({ ...splitColumns, integral: z.string(), peak: z.string(), closing: z.string(), peak_at_ms: numberColumn }),
);

export async function measureCount(
  clickhouse: ClickHouse,
  { types }: Extract<MeterRule, { kind: "count" }>,
  scope: Scope,
  whole: WholeNode,
): Promise<SplitSeries> {
  const rows = await countersPerWindow(clickhouse, scope, types, "events", whole);
  return await splitRows(rows, (own) => {
    const total = own.reduce((sum, row) => sum + row.events, 0);
    return {
      total: { figure: total, hasData: true },
      windows: new Map(own.map((row) => [row.window_ms, { figure: row.events, hasData: true }])),
    };
  });
}

export async function measureSum(
  clickhouse: ClickHouse,
  { types }: Extract<MeterRule, { kind: "sum" }>,
  scope: Scope,
  whole: WholeNode,
): Promise<SplitSeries> {
  const rows = await countersPerWindow(clickhouse, scope, types, "amount", whole);
  return await splitRows(rows, (own) => ({
    total: sumOf(
      sumDecimals(own.map((row) => row.sixtieths)),
      own.reduce((sum, row) => sum + row.events, 0),
    ),
    windows: new Map(own.map((row) => [row.window_ms, sumOf(row.sixtieths, row.events)])),
  }));
}

function sumOf(sixtieths: string, events: number): Measured {
  const average = quotient(sixtieths, String(60 * events), amountDecimals);
  return { figure: amountOfSixtieths(sixtieths), hasData: true, average };
}

/** The figure by which each aggregation ranks its groups. */
const ranks: Record<EventsRule["aggregation"], string> = {
  count: "events",
  sum: "amount",
  average: "average",
  unique: "things",
  max: "highest",
  latest: "latest",
};
type EventsRule = Extract<MeterRule, { kind: "events" }>;

/** One number or value of each event, from the events themselves; totals are those of the whole range. */
export async function measureEvents(
  clickhouse: ClickHouse,
  { types, aggregation, property, weight, uniqueOf }: EventsRule,
  scope: Scope,
): Promise<SplitSeries> {
  const rows = await measuredWindows(clickhouse, {
    ...chosenBy(scope),
    ...boundsOf(scope.range),
    types: [...types],
    custom: scope.isCustom ? 1 : 0,
    counts: aggregation === "count" || aggregation === "unique" ? 1 : 0,
    measure: property ?? "",
    weight: weight ?? "",
    unique_of: uniqueOf ?? "",
    rank: ranks[aggregation],
  });
  const measuredOf = (row: (typeof rows)[number]): Measured => {
    switch (aggregation) {
      case "count":
        return { figure: row.events, hasData: row.events > 0 };
      case "unique":
        return { figure: row.things, hasData: row.things > 0 };
      case "sum":
        return sumOf(row.sixtieths, row.events);
      case "average": {
        const weighted = sumDecimals([`${row.weighted_upper}e11`, `${row.weighted_lower}e-9`]);
        const figure = quotient(weighted, row.weights, amountDecimals);
        return { figure: figure ?? "0", hasData: figure !== undefined };
      }
      case "max":
        return { figure: amountOfSixtieths(row.highest), hasData: true, atMs: row.highest_at_ms ?? undefined };
      case "latest":
        return { figure: amountOfSixtieths(row.latest), hasData: true, atMs: row.latest_at_ms };
    }
  };
  return await splitRows(rows, (own) => seriesWithWhole(own, measuredOf, { figure: 0, hasData: false }));
}

export async function measureValueLevel(
  clickhouse: ClickHouse,
  { raises, lowers, by, property }: Extract<MeterRule, { kind: "value_level" }>,
  scope: Scope,
): Promise<SplitSeries> {
  const { range } = scope;
  const rows = await valueLevelWindows(clickhouse, {
    ...chosenBy(scope),
    ...boundsOf(range),
    raises: [...raises],
    lowers: [...lowers],
    counts: by === "event" ? 1 : 0,
    custom: scope.isCustom ? 1 : 0,
    measure: property ?? "",
    whole_to_ms: knowsOnlyEvents(scope) || property !== undefined ? 0 : Math.floor(range.fromMs / bucketMs) * bucketMs,
    rank: "closing",
  });
  const endOf = new Map(range.windows.map((window) => [window.startMs, Math.min(window.endMs, range.toMs)]));
  const figureOf = (decimal: string) =>
    by === "event" ? Number(amountOfSixtieths(decimal)) : amountOfSixtieths(decimal);
  const measuredOf = (
    { integral, peak, closing, atMs }: { integral: string; peak: string; closing: string; atMs: number },
    lengthMs: number,
  ): Measured => ({
    figure: figureOf(closing),
    hasData: [closing, peak, integral].some((decimal) => compareDecimals(decimal, "0") !== 0),
    average: quotient(integral, String(60 * lengthMs), amountDecimals),
    peak: figureOf(peak),
    ...(compareDecimals(peak, "0") !== 0 && { atMs }),
  });
  return await splitRows(rows, (own): MeterSeries => {
    const windows = own
      .map(({ window_ms: startMs, peak_at_ms: atMs, ...figures }) => ({ startMs, atMs, ...figures }))
      .sort((a, b) => a.startMs - b.startMs);
    const highest = highestOf(windows, (a, b) => compareDecimals(a.peak, b.peak));
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

/** The counters are not kept by user, room or session: a question about those is answered from the events. */
const knowsOnlyEvents = (scope: Scope) => scope.isCustom || concerns(scope, "user", "room", "session");

/** Counters by the declared dimensions are kept for nodes above organizations; other questions sum the counters of organizations. */
async function countersPerWindow(
  clickhouse: ClickHouse,
  scope: Scope,
  types: readonly string[],
  rank: "events" | "amount",
  whole: WholeNode,
): Promise<z.output<typeof counterRow>[]> {
  if (isOfWholeNode(scope) && !hasFinerWindows(scope.range))
    return (await whole.counters(types, scope.range)).map((counter) => ({ key: "", is_other: 0, ...counter }));
  const asked = { ...chosenBy(scope), ...boundsOf(scope.range), types: [...types], rank };
  const isAbove = scope.node.kind !== "organization" && !scope.isCustom && !concerns(scope, ...commonDimensions);
  if (isAbove) return await nodeUsageWindows(clickhouse, { ...asked, ...wholeBuckets(scope.range) });
  const buckets = knowsOnlyEvents(scope) ? noBuckets : wholeBuckets(scope.range);
  return await usageWindows(clickhouse, { ...asked, ...buckets });
}

const noBuckets = { whole_from_ms: 0, whole_to_ms: 0, rounded_to_ms: 0 };

/** The quarters of an hour that lie whole in one window and in the range; finer windows have none. */
function wholeBuckets(range: Range): typeof noBuckets {
  const { fromMs, toMs, windows } = range;
  const from = Math.ceil(fromMs / bucketMs) * bucketMs;
  if (hasFinerWindows(range) || from >= toMs) return { whole_from_ms: from, whole_to_ms: from, rounded_to_ms: from };
  const starts = windows.map(({ startMs }) => startMs);
  return { whole_from_ms: from, ...wholeEnd(toMs, starts) };
}
