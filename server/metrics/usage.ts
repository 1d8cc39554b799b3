/**
 * Answers GET /v1/usage: meters of one node over windows of time. A running window counts up to now; what lies ahead of
 * now is not counted yet. Totals fold as the meter demands (a peak's is the peak of the whole range, a distinct count's
 * is counted over the whole range), never as a sum of windows where that would be wrong.
 */
import { z } from "zod";
import type { Meter, SlotLevel } from "../catalog/catalog.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import type { FillKind, MeterUsage, UsageAnswer, UsagePoint, WindowKind } from "../contract/usage.ts";
import { minutesOf, sumDecimals, trimDecimal } from "./figures.ts";
import { carryLevel, changesOfEdges, type LevelChanges, type LevelEdge, type LevelWindow } from "./level-windows.ts";
import { type NodeFilter, nodeFilter, nodeParams } from "./node-filter.ts";
import { type Edge, edgesOf } from "./resolve-session.ts";
import { formatInstant, type Window, windowsBetween } from "./windows.ts";

const millis = z.coerce.number();
const range = nodeParams.extend({ from_ms: z.number(), to_ms: z.number(), bounds: z.array(z.number()) });
const placeParams = z.object({ kind: z.string(), node: z.string() });

const levelWindows = defineQuery(
  "level_windows",
  placeParams.extend({ level: z.string(), from_ms: z.number(), to_ms: z.number(), bounds: z.array(z.number()) }),
  z.object({
    window_ms: millis,
    first_ms: millis,
    net: millis,
    lag_ms: millis,
    peak: millis,
    peak_at_ms: millis,
    starts: millis,
  }),
);
const levelOpening = defineQuery(
  "level_opening",
  placeParams.extend({ levels: z.array(z.string()), at_ms: z.number() }),
  z.object({ level: z.string(), value: millis }),
);
const usageWindows = defineQuery(
  "usage_windows",
  range.extend({ types: z.array(z.string()), whole_from_ms: z.number(), whole_to_ms: z.number() }),
  z.object({ window_ms: millis, events: millis, amount: z.string() }),
);
const agentSpans = defineQuery(
  "agent_spans",
  z.object({ organization: z.string(), agent: z.string(), to_ms: z.number() }),
  z.object({ session: z.string(), level: z.string(), start_ms: millis, end_ms: millis }),
);
const activeUsers = defineQuery("active_users", range, z.object({ window_ms: millis, users: millis }));

export interface UsageQuestion {
  meters: readonly Meter[];
  node: string;
  fromMs: number;
  toMs: number;
  window: WindowKind;
  tz: string;
  fill: FillKind;
}

interface Range {
  filter: NodeFilter;
  fromMs: number;
  /** Exclusive, never after now. */
  toMs: number;
  windows: Window[];
  bounds: number[];
}

/** Levels of a node just before an instant, by name; levels that never were are 0. */
export async function levelsAt(
  clickhouse: ClickHouse,
  node: string,
  levels: readonly SlotLevel[],
  atMs: number,
): Promise<Map<string, number>> {
  const filter = nodeFilter(node);
  if (filter.agent === "") {
    const rows = await levelOpening(clickhouse, { ...filter, levels: [...levels], at_ms: atMs });
    return new Map(rows.map((row) => [row.level, row.value]));
  }
  const values = new Map<string, number>();
  for (const { level, atMs: edgeMs, delta } of await agentEdges(clickhouse, filter, atMs))
    if (edgeMs < atMs) values.set(level, (values.get(level) ?? 0) + delta);
  return values;
}

/** Agents have no slots: there are many, each with little. Their edges follow from their own intervals. */
async function agentEdges(clickhouse: ClickHouse, filter: NodeFilter, toMs: number): Promise<Edge[]> {
  const rows = await agentSpans(clickhouse, {
    organization: filter.node,
    agent: filter.agent,
    to_ms: toMs,
  });
  const sessions = new Map<string, { level: string; startMs: number; endMs: number | undefined }[]>();
  for (const { session, level, start_ms, end_ms } of rows) {
    const spans = sessions.get(session) ?? [];
    sessions.set(session, spans);
    spans.push({ level, startMs: start_ms, endMs: end_ms === 0 ? undefined : end_ms });
  }
  return [...sessions.values()].flatMap(edgesOf);
}

export async function answerUsage(
  clickhouse: ClickHouse,
  question: UsageQuestion,
  watermark: Date,
  nowMs: number,
): Promise<UsageAnswer> {
  const { fromMs, toMs, tz, window, node } = question;
  const windows = windowsBetween(fromMs, toMs, window, tz);
  const range: Range = {
    filter: nodeFilter(node),
    fromMs,
    toMs: Math.max(fromMs, Math.min(toMs, nowMs)),
    windows,
    bounds: windows.map((one) => one.startMs),
  };
  const levels = new Map<SlotLevel, Promise<LevelSeries>>();
  const levelSeries = (level: SlotLevel) => {
    const found = levels.get(level) ?? readLevel(clickhouse, range, level);
    levels.set(level, found);
    return found;
  };
  const meters = await Promise.all(
    question.meters.map(async (meter) => {
      const measured = await measure(clickhouse, meter, range, levelSeries);
      return presentMeter(meter, measured, question, windows, nowMs);
    }),
  );
  const instant = (ms: number) => formatInstant(ms, tz);
  return { node, from: instant(fromMs), to: instant(toMs), tz, window, watermark: watermark.toISOString(), meters };
}

type Measured = { figure: string | number; hasData: boolean; atMs?: number | undefined };
interface MeterSeries {
  total: Measured;
  /** By the window's start. */
  windows: Map<number, Measured>;
}

interface LevelSeries {
  opening: number;
  windows: LevelWindow[];
}

async function readLevel(clickhouse: ClickHouse, range: Range, level: SlotLevel): Promise<LevelSeries> {
  const begun = range.windows
    .filter((window) => window.startMs < range.toMs)
    .map(({ startMs, endMs }) => ({ startMs, endMs: Math.min(endMs, range.toMs) }));
  if (begun.length === 0) return { opening: 0, windows: [] };
  const { opening, changes } =
    range.filter.agent === ""
      ? await storedChanges(clickhouse, range, level)
      : changesOfEdges(await edgesOfLevel(clickhouse, range, level), begun);
  return { opening, windows: carryLevel(opening, begun, changes) };
}

async function edgesOfLevel(clickhouse: ClickHouse, { filter, toMs }: Range, level: SlotLevel): Promise<LevelEdge[]> {
  const edges = await agentEdges(clickhouse, filter, toMs);
  return edges.filter((edge) => edge.level === level && edge.atMs < toMs);
}

async function storedChanges(
  clickhouse: ClickHouse,
  range: Range,
  level: SlotLevel,
): Promise<{ opening: number; changes: LevelChanges[] }> {
  const place = { kind: range.filter.kind, node: range.filter.node };
  const [opening, rows] = await Promise.all([
    levelOpening(clickhouse, { ...place, levels: [level], at_ms: range.fromMs }),
    levelWindows(clickhouse, { ...place, level, from_ms: range.fromMs, to_ms: range.toMs, bounds: range.bounds }),
  ]);
  const changes = rows.map((row) => ({
    windowMs: row.window_ms,
    firstMs: row.first_ms,
    net: row.net,
    lagMs: row.lag_ms,
    peak: row.peak,
    peakAtMs: row.peak_at_ms,
    starts: row.starts,
  }));
  return { opening: opening[0]?.value ?? 0, changes };
}

async function measure(
  clickhouse: ClickHouse,
  meter: Meter,
  range: Range,
  levelSeries: (level: SlotLevel) => Promise<LevelSeries>,
): Promise<MeterSeries> {
  const { rule } = meter;
  switch (rule.kind) {
    case "minutes":
    case "peak":
    case "level":
    case "starts":
      return measureLevel(rule.kind, (await levelSeries(rule.level)).windows);
    case "distinct_users": {
      const rows = await activeUsers(clickhouse, queryRange(range));
      const measured = rows.map((row) => [row.window_ms, { figure: row.users, hasData: row.users > 0 }] as const);
      const windows = new Map<number, Measured>(measured);
      const total = windows.get(0) ?? { figure: 0, hasData: false };
      return { total, windows };
    }
    case "count":
    case "sum": {
      const rows = await usageWindows(clickhouse, {
        ...queryRange(range),
        ...wholeBuckets(range),
        types: [...rule.types],
      });
      const figureOf = (events: number, amount: string) => (rule.kind === "count" ? events : trimDecimal(amount));
      return {
        total: {
          figure: figureOf(
            rows.reduce((sum, row) => sum + row.events, 0),
            sumDecimals(rows.map((row) => row.amount)),
          ),
          hasData: rows.length > 0,
        },
        windows: new Map(
          rows.map((row) => [row.window_ms, { figure: figureOf(row.events, row.amount), hasData: true }]),
        ),
      };
    }
  }
}

function measureLevel(kind: "minutes" | "peak" | "level" | "starts", windows: readonly LevelWindow[]): MeterSeries {
  const hasData = (window: LevelWindow) => window.peak > 0 || window.starts > 0 || window.integralMs > 0;
  const figureOf = (window: LevelWindow): Measured => {
    switch (kind) {
      case "minutes":
        return { figure: minutesOf(window.integralMs), hasData: hasData(window) };
      case "peak":
        return { figure: window.peak, hasData: hasData(window), atMs: window.peakAtMs };
      case "level":
        return { figure: window.closing, hasData: hasData(window) };
      case "starts":
        return { figure: window.starts, hasData: hasData(window) };
    }
  };
  return {
    total: totalOfLevel(kind, windows),
    windows: new Map(windows.map((window) => [window.startMs, figureOf(window)])),
  };
}

function totalOfLevel(kind: "minutes" | "peak" | "level" | "starts", windows: readonly LevelWindow[]): Measured {
  switch (kind) {
    case "minutes":
      return { figure: minutesOf(windows.reduce((sum, window) => sum + window.integralMs, 0)), hasData: true };
    case "peak": {
      const highest = windows.reduce<LevelWindow | undefined>(
        (best, one) => (!best || one.peak > best.peak ? one : best),
        undefined,
      );
      return { figure: highest?.peak ?? 0, hasData: true, atMs: highest?.peakAtMs };
    }
    case "level":
      return { figure: windows.at(-1)?.closing ?? 0, hasData: true };
    case "starts":
      return { figure: windows.reduce((sum, window) => sum + window.starts, 0), hasData: true };
  }
}

const bucketMs = 15 * 60_000;

/** The quarters of an hour that lie whole in one window and in the range; finer windows have none. */
function wholeBuckets({ fromMs, toMs, windows }: Range): { whole_from_ms: number; whole_to_ms: number } {
  const isFiner = windows.some((window, index) => index > 0 && window.startMs % bucketMs !== 0);
  const from = Math.ceil(fromMs / bucketMs) * bucketMs;
  const to = Math.max(from, Math.floor(toMs / bucketMs) * bucketMs);
  return { whole_from_ms: from, whole_to_ms: isFiner ? from : to };
}

function queryRange({ filter, fromMs, toMs, bounds }: Range) {
  return { ...filter, from_ms: fromMs, to_ms: toMs, bounds };
}

function presentMeter(
  meter: Meter,
  measured: MeterSeries,
  question: UsageQuestion,
  windows: readonly Window[],
  nowMs: number,
): MeterUsage {
  const isPeak = meter.rule.kind === "peak";
  const isText = meter.rule.kind === "minutes" || meter.rule.kind === "sum";
  const at = (value: Measured | undefined) =>
    isPeak ? { at: value?.atMs === undefined ? null : formatInstant(value.atMs, question.tz) } : {};
  const series = windows.flatMap((window): UsagePoint[] => {
    const value = measured.windows.get(window.startMs);
    if (question.fill === "none" && !value?.hasData) return [];
    const empty = question.fill === "null" ? null : isText ? "0" : 0;
    return [
      {
        start: formatInstant(window.startMs, question.tz),
        end: formatInstant(window.endMs, question.tz),
        value: value?.hasData ? value.figure : empty,
        partial: window.isCut || window.endMs > nowMs,
        ...at(value),
      },
    ];
  });
  return { meter: meter.meter, unit: meter.unit, total: measured.total.figure, ...at(measured.total), series };
}
