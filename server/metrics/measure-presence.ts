/** Meters of presence: distinct users and rooms, and the fullest session. */
import { z } from "zod";
import type { MeterRule } from "../catalog/meter.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { highestOf } from "./highest-of.ts";
import {
  boundsOf,
  chosenBy,
  chosenParams,
  type Measured,
  rangeParams,
  type Scope,
  type SplitSeries,
  seriesWithWhole,
  splitColumns,
  splitRows,
  windowOrWhole,
} from "./scope.ts";
import { isOfWholeNode, type WholeNode } from "./whole-node.ts";

const distinctWindows = defineQuery(
  "distinct_windows",
  chosenParams.extend({
    ...rangeParams.shape,
    thing: z.string(),
    levels: z.array(z.string()),
    events: z.number(),
  }),
  z.object({ ...windowOrWhole, things: numberColumn }),
);
const sessionPeaks = defineQuery(
  "session_peaks",
  chosenParams.extend({ ...rangeParams.shape, level: z.string() }),
  z.object({
    ...splitColumns,
    peak: numberColumn,
    peak_at_ms: numberColumn,
    peak_organization: z.string(),
    peak_session: z.string(),
  }),
);

/** Totals are counted over the whole range: a user of two windows counts once. */
export async function measureDistinct(
  clickhouse: ClickHouse,
  { thing, levels, events }: Extract<MeterRule, { kind: "distinct" }>,
  scope: Scope,
  whole: WholeNode,
): Promise<SplitSeries> {
  const { range } = scope;
  const counted = (things: number): Measured => ({ figure: things, hasData: things > 0 });
  if (isOfWholeNode(scope) && !events) {
    const { total, windows } = await whole.things(thing, levels, range);
    const series = {
      total: counted(total),
      windows: new Map([...windows].map(([ms, things]) => [ms, counted(things)])),
    };
    return { keys: new Map([["", series]]), other: undefined };
  }
  const asked = { ...chosenBy(scope), ...boundsOf(range), thing, levels: [...levels], events: events ? 1 : 0 };
  const rows = await distinctWindows(clickhouse, asked);
  return await splitRows(rows, (own) => seriesWithWhole(own, ({ things }) => counted(things), counted(0)));
}

export async function measureSessionPeak(
  clickhouse: ClickHouse,
  { level }: Extract<MeterRule, { kind: "session_peak" }>,
  scope: Scope,
): Promise<SplitSeries> {
  const asked = { ...chosenBy(scope), ...boundsOf(scope.range), level };
  const rows = await sessionPeaks(clickhouse, asked);
  return await splitRows(rows, (own) => {
    const measured = own
      .map((row) => ({
        startMs: row.window_ms,
        figure: row.peak,
        hasData: true,
        atMs: row.peak_at_ms,
        session: { organization: row.peak_organization, session: row.peak_session },
      }))
      .sort((a, b) => a.startMs - b.startMs);
    const highest = highestOf(measured, (a, b) => a.figure - b.figure);
    return {
      total: highest ?? { figure: 0, hasData: true },
      windows: new Map(measured.map((window) => [window.startMs, window])),
    };
  });
}
