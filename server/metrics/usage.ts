/**
 * Answers GET /v1/usage: meters of one node over windows of time, as a whole and split into groups. A running window
 * counts up to now; what lies ahead of now is not counted yet. Totals fold as the meter demands (a peak's is the peak of
 * the whole range, a distinct count's is counted over the whole range), never as a sum of windows where that would be wrong.
 */

import type { Filter } from "../catalog/filters.ts";
import type { Meter, MeterRule } from "../catalog/meter.ts";
import { traitsOf } from "../catalog/rule-traits.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import type {
  Figure,
  FillKind,
  MeterUsage,
  UsageAnswer,
  UsageDetails,
  UsageGroup,
  UsagePoint,
  WindowKind,
} from "../contract/usage.ts";
import { createPace } from "../fairness/pace.ts";
import { quotient } from "../numbers/figures.ts";
import { combineFigures } from "../numbers/formula.ts";
import { measureCount, measureEvents, measureSum, measureValueLevel } from "./measure-events.ts";
import { measureTurnaround } from "./measure-jobs.ts";
import { measureLevel } from "./measure-level.ts";
import { measureDistinct, measureSessionPeak } from "./measure-presence.ts";
import { nodeFilter } from "./node-filter.ts";
import type { Measured, MeterSeries, Range, Scope, Split, SplitSeries } from "./scope.ts";
import { type WholeNode, wholeNode } from "./whole-node.ts";
import { type CycleSpan, formatInstant, type Window, windowsInSlices } from "./windows.ts";

export interface UsageQuestion {
  meters: readonly Meter[];
  node: string;
  /** ms since 1970, UTC. */
  fromMs: number;
  /** Exclusive. */
  toMs: number;
  window: WindowKind;
  /** Used instead of the windows of the calendar; they cover the range. */
  windows?: readonly Window[] | undefined;
  /** The day of the month on which cycles begin, where `cycles` does not say it. */
  anchor: number;
  /** When cycles began, in order and without a gap. */
  cycles?: readonly CycleSpan[] | undefined;
  tz: string;
  fill: FillKind;
  filters: readonly Filter[];
  /** The dimension to group by, and how many groups are kept; the rest is folded into one. */
  groupBy: { dimension: string; limit: number } | undefined;
}

/** Throws InvalidTimeError when there would be too many windows. */
export async function answerUsage(
  clickhouse: ClickHouse,
  question: UsageQuestion,
  watermark: Date,
  nowMs: number,
): Promise<UsageAnswer> {
  const [answer] = await answerTogether(clickhouse, [question], watermark, nowMs);
  return answer as UsageAnswer;
}

/**
 * Answers several questions about one node, in their order: what they need of all that it did is read together. Throws
 * InvalidTimeError when one would have too many windows.
 */
export async function answerTogether(
  clickhouse: ClickHouse,
  questions: readonly UsageQuestion[],
  watermark: Date,
  nowMs: number,
): Promise<UsageAnswer[]> {
  const [first] = questions;
  if (questions.some(({ node }) => node !== first?.node)) throw new Error("the questions are about several nodes");
  const pace = createPace();
  const asked: { question: UsageQuestion; range: Range }[] = [];
  for (const question of questions) {
    const { fromMs, toMs } = question;
    const windows = question.windows ?? (await windowsInSlices(question));
    asked.push({ question, range: { fromMs, toMs: Math.max(fromMs, Math.min(toMs, nowMs)), windows } });
    await pace.rest();
  }
  const measured = asked.filter(({ question }) => question.meters.length > 0);
  const meters = new Map<Range, readonly Meter[]>(measured.map(({ question, range }) => [range, question.meters]));
  const measure = first && measurer(clickhouse, wholeNode(clickhouse, nodeFilter(first.node), meters));
  return await Promise.all(
    asked.map(({ question, range }) =>
      answerFrom(range.windows.length === 0 || !measure ? nothingMeasured : measure, question, range, watermark, nowMs),
    ),
  );
}

async function answerFrom(
  measure: Measure,
  question: UsageQuestion,
  range: Range,
  watermark: Date,
  nowMs: number,
): Promise<UsageAnswer> {
  const { fromMs, toMs, tz, window, node } = question;
  const scope: Scope = { node: nodeFilter(node), filters: question.filters, split: undefined, isCustom: false, range };
  const windows = await labelled(range.windows, tz, nowMs);
  const meters = await Promise.all(
    question.meters.map(async (meter): Promise<MeterUsage> => {
      const [whole, groups] = await Promise.all([
        measure(meter, scope),
        measureGroups(measure, meter, scope, question),
      ]);
      const present = (series: MeterSeries) => presentSeries(meter, series, question, windows);
      const all = present(whole.keys.get("") ?? emptySeries(meter));
      return {
        meter: meter.meter,
        unit: meter.unit,
        ...all,
        ...(groups && { groups: await presentGroups(meter, groups, all.total, present) }),
      };
    }),
  );
  const instant = (ms: number) => formatInstant(ms, tz);
  return { node, from: instant(fromMs), to: instant(toMs), tz, window, watermark: watermark.toISOString(), meters };
}

/**
 * A meter for every value of one of its dimensions, each over all of [fromMs, toMs): by value, largest first,
 * those without any usage left out. `toMs` must not lie after now. A formula over meters has no dimensions and gives none.
 */
export async function totalsBy(
  clickhouse: ClickHouse,
  meter: Meter,
  dimension: string,
  {
    node,
    fromMs,
    toMs,
    filters = [],
  }: { node: string; fromMs: number; toMs: number; filters?: readonly Filter[] | undefined },
): Promise<Map<string, string | number>> {
  if (fromMs >= toMs || meter.rule.kind === "derived") return new Map();
  const range: Range = { fromMs, toMs, windows: [{ startMs: fromMs, endMs: toMs, isPartial: false }] };
  const split: Split = { by: dimension, keep: undefined, most: undefined };
  const filter = nodeFilter(node);
  const measure = measurer(clickhouse, wholeNode(clickhouse, filter, new Map()));
  const measured = await measure(meter, { node: filter, filters, split, isCustom: false, range });
  const found = [...measured.keys].filter(([, series]) => hasAnyData(series));
  return new Map(found.map(([key, { total }]) => [key, total.figure]));
}

type Measure = (meter: Meter, scope: Scope) => Promise<SplitSeries>;

/** For a range without any length. */
const nothingMeasured: Measure = async () => ({ keys: new Map(), other: undefined });

/** `whole` has the ranges of every scope that will be measured without a split. Storage is asked about ranges of some length only. */
function measurer(clickhouse: ClickHouse, whole: WholeNode): Measure {
  const measure: Measure = async (meter, asked) => {
    const { rule, custom } = meter;
    if (rule.kind !== "derived" && asked.range.toMs <= asked.range.fromMs) return await nothingMeasured(meter, asked);
    const scope: Scope = custom ? { ...asked, filters: [...asked.filters, ...custom.filters], isCustom: true } : asked;
    switch (rule.kind) {
      case "minutes":
      case "peak":
      case "level":
      case "starts":
        return measureLevel(clickhouse, rule.kind, rule.level, scope, whole);
      case "session_peak":
        return measureSessionPeak(clickhouse, rule, scope);
      case "distinct":
        return measureDistinct(clickhouse, rule, scope, whole);
      case "count":
        return measureCount(clickhouse, rule, scope, whole);
      case "sum":
        return measureSum(clickhouse, rule, scope, whole);
      case "events":
        return measureEvents(clickhouse, rule, scope);
      case "turnaround":
        return measureTurnaround(clickhouse, scope);
      case "value_level":
        return measureValueLevel(clickhouse, rule, scope);
      case "derived": {
        const operands = await Promise.all(rule.operands.map((operand) => measure(operand, asked)));
        return { keys: new Map([["", await combine(rule, operands, asked.range)]]), other: undefined };
      }
    }
  };
  return measure;
}

/** The formula of each window over the operands' windows, and of the range over their totals, in slices. */
async function combine(
  { formula, operands }: Extract<MeterRule, { kind: "derived" }>,
  measured: readonly SplitSeries[],
  range: Range,
): Promise<MeterSeries> {
  const figureOf = (of: (series: MeterSeries | undefined) => Measured | undefined): Measured => {
    const figures = operands.map((operand, place) => {
      const found = of(measured[place]?.keys.get(""));
      return [operand.meter, String(found?.hasData ? found.figure : 0)] as const;
    });
    const figure = combineFigures(formula, new Map(figures));
    return { figure: figure ?? "0", hasData: figure !== undefined };
  };
  const pace = createPace();
  const windows = new Map<number, Measured>();
  for (const { startMs } of range.windows) {
    if (startMs >= range.toMs) break;
    windows.set(
      startMs,
      figureOf((series) => series?.windows.get(startMs)),
    );
    await pace.rest();
  }
  return { total: figureOf((series) => series?.total), windows };
}

interface Groups {
  /** The largest first. */
  ranked: { key: string; series: MeterSeries }[];
  other: MeterSeries | undefined;
}

/**
 * First the keys with the largest totals, then their windows; what is beyond the limit is measured as one, because a
 * peak or a distinct count of the rest is not what is left of the sum.
 */
async function measureGroups(
  measure: Measure,
  meter: Meter,
  scope: Scope,
  { groupBy }: UsageQuestion,
): Promise<Groups | undefined> {
  if (groupBy === undefined) return undefined;
  const { fromMs, toMs } = scope.range;
  const whole: Range = { ...scope.range, windows: [{ startMs: fromMs, endMs: toMs, isPartial: false }] };
  const by: Split = { by: groupBy.dimension, keep: undefined, most: undefined };
  // A distinct count gives two rows for a key, one for the only window and one for the range.
  const most = 2 * (groupBy.limit + 1);
  const totals = await measure(meter, { ...scope, range: whole, split: { ...by, most } });
  const keys = [...totals.keys].flatMap(([key, series]) => (hasAnyData(series) ? [key] : []));
  const keep = keys.length > groupBy.limit ? keys.slice(0, groupBy.limit) : undefined;
  const measured = await measure(meter, { ...scope, split: { ...by, keep } });
  const ranked = keys.slice(0, groupBy.limit).flatMap((key) => {
    const series = measured.keys.get(key);
    return series && hasAnyData(series) ? [{ key, series }] : [];
  });
  return { ranked, other: measured.other && hasAnyData(measured.other) ? measured.other : undefined };
}

/** Leaves out keys that were there only before the range. */
function hasAnyData({ windows }: MeterSeries): boolean {
  return [...windows.values()].some((window) => window.hasData);
}

async function presentGroups(
  meter: Meter,
  { ranked, other }: Groups,
  total: Figure,
  present: (series: MeterSeries) => PresentedSeries,
): Promise<UsageGroup[]> {
  const pace = createPace();
  const group = (key: string, series: MeterSeries): UsageGroup => {
    const presented = present(series);
    return { key, ...presented, share: shareOf(meter, presented.total, total) };
  };
  const groups: UsageGroup[] = [];
  for (const { key, series } of ranked) {
    groups.push(group(key, series));
    await pace.rest();
  }
  return other ? [...groups, { ...group("other", other), is_other: true }] : groups;
}

/** A part of the whole, rounded to 6 decimals; an average has no parts. */
function shareOf({ rule }: Meter, part: Figure, whole: Figure): number | null {
  if (traitsOf(rule).isNullWithoutEvents || part === null || whole === null) return null;
  const share = quotient(String(part), String(whole), 6);
  return share === undefined ? null : Number(share);
}

function emptySeries(meter: Meter): MeterSeries {
  return { total: { figure: zeroOf(meter), hasData: false }, windows: new Map() };
}

/** What a meter comes to where there is nothing: null where nothing has no figure. */
export const figureOfNothing = (meter: Meter): Figure =>
  traitsOf(meter.rule).isNullWithoutEvents ? null : zeroOf(meter);

/** The figure of a meter without data: sums, minutes and averages are decimal strings, counts and peaks numbers. */
export const zeroOf = ({ rule }: Pick<Meter, "rule">): string | number => (traitsOf(rule).isDecimal ? "0" : 0);

/** A window as every series of the answer writes it. */
type LabelledWindow = Pick<UsagePoint, "start" | "end" | "partial"> & { startMs: number };

/** Written once, however many series there are: instants of a zone cost more than all else of a point. */
async function labelled(windows: readonly Window[], tz: string, nowMs: number): Promise<LabelledWindow[]> {
  const pace = createPace();
  const written: LabelledWindow[] = [];
  for (const { startMs, endMs, isPartial } of windows) {
    const [start, end] = [formatInstant(startMs, tz), formatInstant(endMs, tz)];
    written.push({ startMs, start, end, partial: isPartial || endMs > nowMs });
    await pace.rest();
  }
  return written;
}

type PresentedSeries = UsageDetails & { total: Figure; series: UsagePoint[] };

function presentSeries(
  meter: Meter,
  { total, windows: measured }: MeterSeries,
  { fill, tz }: UsageQuestion,
  windows: readonly LabelledWindow[],
): PresentedSeries {
  const isNoneOfNothing = traitsOf(meter.rule).isNullWithoutEvents;
  const zero = fill === "null" || isNoneOfNothing ? null : zeroOf(meter);
  const series = windows.flatMap(({ startMs, start, end, partial }): UsagePoint[] => {
    const value = measured.get(startMs);
    if (fill === "none" && !value?.hasData) return [];
    return [{ start, end, value: value?.hasData ? value.figure : zero, partial, ...detailsOf(meter, value, tz) }];
  });
  return { total: isNoneOfNothing && !total.hasData ? null : total.figure, ...detailsOf(meter, total, tz), series };
}

function detailsOf({ rule }: Meter, measured: Measured | undefined, tz: string): UsageDetails {
  const at = measured?.atMs === undefined ? null : formatInstant(measured.atMs, tz);
  switch (rule.kind) {
    case "peak":
      return { at };
    case "distinct":
      return { relative_error: 0 };
    case "session_peak":
      return {
        at,
        organization: measured?.session?.organization ?? null,
        session: measured?.session?.session ?? null,
      };
    case "events":
      if (rule.aggregation === "max" || rule.aggregation === "latest") return { at };
      if (rule.aggregation === "unique") return { relative_error: 0 };
      return rule.aggregation === "sum" ? { average: measured?.average ?? null } : {};
    case "sum":
      return { average: measured?.average ?? null };
    case "value_level":
      return { average: measured?.average ?? null, peak: measured?.peak ?? null, at };
    case "minutes":
    case "level":
    case "starts":
    case "count":
    case "turnaround":
    case "derived":
      return {};
  }
}
