/** The rows of the usage table, pure. Figures stay as the server wrote them; sorting never goes through a float. */
import type { Figure, MeterUsage, UsageAnswer, UsagePoint } from "@contract/usage.ts";
import { isRunning } from "../state/range.ts";

export interface UsageRow {
  point: UsagePoint;
  /** `so far` while the window runs, `part` when the range cuts it, empty when it is whole. */
  note: "" | "so far" | "part";
  /** One a meter, in the answer's order. */
  figures: Figure[];
  /** What stands beside each of them in the compared range; null where nothing does. */
  compared: (UsagePoint | null)[];
}

/** `start`, or a meter; descending unless `isAscending`. */
export interface Sort {
  by: string;
  isAscending: boolean;
}

export const usualSort: Sort = { by: "start", isAscending: false };

export function usageRows(answer: UsageAnswer, sort: Sort, nowMs: number): UsageRow[] {
  const windows = answer.meters[0]?.series ?? [];
  const compared = answer.meters.map((meter) => comparedPoints(meter));
  const rows = windows.map((point, place): UsageRow => {
    const note = isRunning(point, answer, nowMs) ? "so far" : point.partial ? "part" : "";
    return {
      point,
      note,
      figures: answer.meters.map(({ series }) => series[place]?.value ?? null),
      compared: compared.map((points) => points[place] ?? null),
    };
  });
  const column = answer.meters.findIndex(({ meter }) => meter === sort.by);
  // Rows come in order of time, and a stable sort keeps that order among equals.
  const ordered =
    column < 0 ? rows : rows.sort((a, b) => compareFigures(a.figures[column] ?? null, b.figures[column] ?? null));
  return sort.isAscending ? ordered : ordered.reverse();
}

/** The compared windows of a meter, each at the place of the window that it stands beside; empty without a comparison. */
export function comparedPoints({ series, comparison }: MeterUsage): (UsagePoint | null)[] {
  if (!comparison) return [];
  const beside = new Map(
    comparison.series.flatMap(({ start, end, against, ...point }) =>
      start === null || end === null ? [] : [[Date.parse(against), { ...point, start, end }] as const],
    ),
  );
  return series.map(({ start }) => beside.get(Date.parse(start)) ?? null);
}

/** No figure comes before every figure. */
export function compareFigures(a: Figure, b: Figure): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return compareDecimals(String(a), String(b));
}

function compareDecimals(a: string, b: string): number {
  const difference = scaled(a) - scaled(b);
  return difference === 0n ? 0 : difference < 0n ? -1 : 1;
}

/** In units of 10⁻⁹, the finest that a value may have. */
function scaled(decimal: string): bigint {
  const [whole = "0", fraction = ""] = decimal.replace(/^[+-]/, "").split(".");
  const units = BigInt(whole + fraction.padEnd(9, "0").slice(0, 9));
  return decimal.startsWith("-") ? -units : units;
}

/** `sessions` or `-sessions` in the address; descending is with the minus. */
export function parseSort(text: string | undefined): Sort {
  if (!text) return usualSort;
  return text.startsWith("-") ? { by: text.slice(1), isAscending: false } : { by: text, isAscending: true };
}

export function formatSort({ by, isAscending }: Sort): string | undefined {
  if (by === usualSort.by && isAscending === usualSort.isAscending) return undefined;
  return isAscending ? by : `-${by}`;
}
