/**
 * Meters of levels: minutes, peaks, values and starts. What a node did as a whole comes from its slots; with a filter, a
 * split or for an agent, which have none, it comes from the intervals themselves.
 */
import { z } from "zod";
import type { SlotLevel } from "../catalog/levels.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { minutesOf } from "../numbers/figures.ts";
import { highestOf } from "./highest-of.ts";
import type { LevelWindow } from "./level-windows.ts";
import { nodeFilter } from "./node-filter.ts";
import {
  boundsOf,
  chosenBy,
  chosenParams,
  type Measured,
  type MeterSeries,
  type Range,
  rangeParams,
  type Scope,
  type SplitSeries,
  splitColumns,
  splitRows,
} from "./scope.ts";
import { hasWindowsWithinMinutes, isOfWholeNode, type WholeNode } from "./whole-node.ts";

const placeParams = z.object({ kind: z.string(), node: z.string() });

const levelOpening = defineQuery(
  "level_opening",
  placeParams.extend({ levels: z.array(z.string()), at_ms: z.number() }),
  z.object({ level: z.string(), value: numberColumn }),
);
const spanWindows = defineQuery(
  "span_windows",
  chosenParams.extend({ ...rangeParams.shape, level: z.string(), rank: z.string() }),
  z.object({
    ...splitColumns,
    integral_ms: numberColumn,
    peak: numberColumn,
    peak_at_ms: numberColumn,
    closing: numberColumn,
    starts: numberColumn,
  }),
);

export type LevelFigure = "minutes" | "peak" | "level" | "starts";
const ranks: Record<LevelFigure, string> = { minutes: "integral", peak: "peak", level: "closing", starts: "starts" };

export async function measureLevel(
  clickhouse: ClickHouse,
  kind: LevelFigure,
  level: SlotLevel,
  scope: Scope,
  whole: WholeNode,
): Promise<SplitSeries> {
  if (isOfWholeNode(scope) && !hasWindowsWithinMinutes(scope.range))
    return { keys: new Map([["", seriesOf(kind, await whole.slots(level, scope.range))]]), other: undefined };
  const { range } = scope;
  const params = { ...chosenBy(scope), ...boundsOf(range), level, rank: ranks[kind] };
  const rows = await spanWindows(clickhouse, params);
  return await splitRows(rows, (own) => {
    const windows = own.map((row) => ({
      startMs: row.window_ms,
      integralMs: row.integral_ms,
      peak: row.peak,
      peakAtMs: row.peak === 0 ? undefined : row.peak_at_ms,
      closing: row.closing,
      starts: row.starts,
    }));
    return seriesOf(
      kind,
      windows.sort((a, b) => a.startMs - b.startMs),
    );
  });
}

/** Levels of a node just before an instant, by name; levels that never changed are missing. */
export async function levelsAt(
  clickhouse: ClickHouse,
  address: string,
  levels: readonly SlotLevel[],
  atMs: number,
): Promise<Map<string, number>> {
  const node = nodeFilter(address);
  if (node.agent === "") {
    const { kind, node: id } = node;
    const rows = await levelOpening(clickhouse, { kind, node: id, levels: [...levels], at_ms: atMs });
    return new Map(rows.map((row) => [row.level, row.value]));
  }
  const instant: Range = {
    fromMs: atMs - 1,
    toMs: atMs,
    windows: [{ startMs: atMs - 1, endMs: atMs, isPartial: false }],
  };
  const scope: Scope = { node, filters: [], split: undefined, isCustom: false, range: instant };
  const values = await Promise.all(
    levels.map(async (level) => {
      const rows = await spanWindows(clickhouse, { ...chosenBy(scope), ...boundsOf(instant), level, rank: "closing" });
      return [level, rows[0]?.closing ?? 0] as const;
    }),
  );
  return new Map(values);
}

type MeasuredWindow = Omit<LevelWindow, "endMs">;

function seriesOf(kind: LevelFigure, windows: readonly MeasuredWindow[]): MeterSeries {
  return {
    total: totalOf(kind, windows),
    windows: new Map(windows.map((window) => [window.startMs, figureOf(kind, window)])),
  };
}

function figureOf(kind: LevelFigure, window: MeasuredWindow): Measured {
  const hasData = window.peak > 0 || window.starts > 0 || window.integralMs > 0;
  switch (kind) {
    case "minutes":
      return { figure: minutesOf(window.integralMs), hasData };
    case "peak":
      return { figure: window.peak, hasData, atMs: window.peakAtMs };
    case "level":
      return { figure: window.closing, hasData };
    case "starts":
      return { figure: window.starts, hasData };
  }
}

function totalOf(kind: LevelFigure, windows: readonly MeasuredWindow[]): Measured {
  switch (kind) {
    case "minutes":
      return { figure: minutesOf(windows.reduce((sum, window) => sum + window.integralMs, 0)), hasData: true };
    case "peak": {
      const highest = highestOf(windows, (a, b) => a.peak - b.peak);
      return { figure: highest?.peak ?? 0, hasData: true, atMs: highest?.peakAtMs };
    }
    case "level":
      return { figure: windows.at(-1)?.closing ?? 0, hasData: true };
    case "starts":
      return { figure: windows.reduce((sum, window) => sum + window.starts, 0), hasData: true };
  }
}
