/**
 * An answer of GET /v1/usage as lines, each made when it is sent: CSV, or a JSON object a line. Figures are written as in
 * JSON; an empty cell is no data.
 */

import type { ColumnType } from "../contract/reports.ts";
import type {
  ComparedPoint,
  Figure,
  MeterUsage,
  NodesUsageAnswer,
  UsageAnswer,
  UsagePoint,
} from "../contract/usage.ts";
import { createPace } from "../fairness/pace.ts";
import { compareFigures } from "../metrics/comparison.ts";
import { type Table, tableColumns } from "./list-table.ts";

/** One window of one meter, or of one of its groups. */
interface UsageRow {
  node: string;
  meter: string;
  /** Absent where the row is the whole meter; '' is the group of events without a value. */
  group?: string;
  is_other?: boolean;
  /** Absent where only the compared range has data. */
  point?: UsagePoint;
  compared?: ComparedPoint;
}

/** The groups of a meter follow it. */
function* rowsOf(answer: UsageAnswer | NodesUsageAnswer): Generator<UsageRow> {
  for (const { node, meters } of nodesOf(answer))
    for (const usage of meters) {
      const { meter, groups = [] } = usage;
      for (const pair of pairsOf(usage)) yield { node, meter, ...pair };
      for (const { key, is_other, series } of groups)
        for (const point of series) yield { node, meter, group: key, is_other: is_other === true, point };
    }
}

const nodesOf = (answer: UsageAnswer | NodesUsageAnswer) => ("nodes" in answer ? answer.nodes : [answer]);

function* pairsOf({ series, comparison }: MeterUsage): Generator<Pick<UsageRow, "point" | "compared">> {
  const beside = new Map(comparison?.series.map((point) => [point.against, point]));
  for (const point of series) {
    const compared = beside.get(point.start);
    yield compared ? { point, compared } : { point };
  }
  const starts = new Set(series.map(({ start }) => start));
  for (const compared of comparison?.series ?? []) if (!starts.has(compared.against)) yield { compared };
}

function differenceOf({ point, compared }: UsageRow): { delta: Figure; percent: number | null } {
  return compareFigures(point?.value ?? null, compared?.value ?? null);
}

const textOf = (value: Figure | boolean | undefined) => (value === null || value === undefined ? "" : String(value));

/**
 * For one node without groups, a row for each window and a column for each meter, where no meter is named like another column;
 * else a row for each window of each node, meter and group. What was compared has columns of its own.
 */
export function usageTable(answer: UsageAnswer | NodesUsageAnswer): Table {
  const nodes = nodesOf(answer);
  const isWide = nodes.length === 1 && nodes[0]?.meters.every(({ groups }) => groups === undefined);
  const isCompared = nodes.some(({ meters }) => meters.some(({ comparison }) => comparison));
  const wide = isWide ? wideTable(answer, isCompared) : undefined;
  const isClear = wide && new Set(wide.columns.map(({ key }) => key)).size === wide.columns.length;
  return isClear ? wide : longTable(answer, isCompared);
}

const instants = { start: "instant", end: "instant", compared_start: "instant", compared_end: "instant" } as const;

function wideTable(answer: UsageAnswer | NodesUsageAnswer, isCompared: boolean): Table {
  const [{ meters } = { meters: [] }] = nodesOf(answer);
  const names = meters.map(({ meter }) => meter);
  const beside = ["compared_start", "compared_end"];
  const columns = names.flatMap((name) => [name, `${name}_compared`, `${name}_delta`, `${name}_percent`]);
  const figures = Object.fromEntries(columns.map((name, index) => [name, index % 4 === 3 ? "percent" : "decimal"]));
  const heads = ["start", "end", "partial", ...(isCompared ? [...beside, ...columns] : names)];
  return {
    columns: tableColumns(heads, { ...figures, ...instants, partial: "boolean" } as Record<string, ColumnType>),
    rows: wideRows(answer, names, isCompared),
    isGathered: true,
  };
}

async function* wideRows(
  answer: UsageAnswer | NodesUsageAnswer,
  names: readonly string[],
  isCompared: boolean,
): AsyncGenerator<(string | null | undefined)[]> {
  const pace = createPace();
  const windows = new Map<string, Map<string, UsageRow>>();
  for (const row of rowsOf(answer)) {
    await pace.rest();
    // An asked window that no meter has data in may still stand beside a compared one.
    const key = row.point?.start ?? row.compared?.against ?? "";
    const window = windows.get(key) ?? new Map<string, UsageRow>();
    windows.set(key, window.set(row.meter, row));
  }
  const placed = [...windows.values()].map((window) => ({ window, atMs: instantOf(window) }));
  await pace.rest();
  for (const { window } of placed.sort((a, b) => a.atMs - b.atMs)) {
    const rows = [...window.values()];
    const point = rows.find((row) => row.point)?.point;
    const compared = rows.find((row) => row.compared)?.compared;
    const head = [point?.start ?? compared?.against, point?.end, textOf(point?.partial)];
    const values = (name: string) => {
      const row = window.get(name);
      const value = textOf(row?.point?.value);
      if (!isCompared) return [value];
      const { delta, percent } = row ? differenceOf(row) : { delta: null, percent: null };
      return [value, textOf(row?.compared?.value), textOf(delta), textOf(percent)];
    };
    yield [...head, ...(isCompared ? [compared?.start, compared?.end] : []), ...names.flatMap(values)];
  }
}

/** Instants of one zone sort by the moment they stand for, not by their text, where clocks change. */
function instantOf(window: ReadonlyMap<string, UsageRow>): number {
  const [row] = window.values();
  return Date.parse(row?.point?.start ?? row?.compared?.against ?? "");
}

function longTable(answer: UsageAnswer | NodesUsageAnswer, isCompared: boolean): Table {
  const beside = ["compared_start", "compared_end", "compared_value", "delta", "percent"];
  const columns = ["node", "meter", "of", "group", "is_other", "start", "end", "partial", "value", "at"];
  return {
    columns: tableColumns([...columns, ...(isCompared ? beside : [])], {
      ...instants,
      at: "instant",
      is_other: "boolean",
      partial: "boolean",
      value: "decimal",
      compared_value: "decimal",
      delta: "decimal",
      percent: "percent",
    }),
    rows: longRows(answer, isCompared),
    isGathered: true,
  };
}

async function* longRows(
  answer: UsageAnswer | NodesUsageAnswer,
  isCompared: boolean,
): AsyncGenerator<(string | null | undefined)[]> {
  for (const row of rowsOf(answer)) {
    const { node, meter, group, is_other = false, point, compared } = row;
    const of = group === undefined ? "total" : is_other ? "other" : "group";
    const cells = [node, meter, of, group, textOf(is_other), point?.start ?? compared?.against, point?.end];
    cells.push(textOf(point?.partial), textOf(point?.value), point?.at ?? "");
    if (isCompared) {
      const { delta, percent } = differenceOf(row);
      cells.push(
        textOf(compared?.start),
        textOf(compared?.end),
        textOf(compared?.value),
        textOf(delta),
        textOf(percent),
      );
    }
    yield cells;
  }
}

/** First the answer without its series, so with every total, then each window of each node, meter and group. */
export async function* usageLines(answer: UsageAnswer | NodesUsageAnswer): AsyncGenerator<string> {
  yield `${JSON.stringify(answer, (key, value) => (key === "series" ? undefined : value))}\n`;
  for (const { point, compared, ...place } of rowsOf(answer)) {
    const comparison = compared && { compared, ...differenceOf({ ...place, ...(point && { point }), compared }) };
    yield `${JSON.stringify({ ...place, ...point, ...comparison })}\n`;
  }
}
