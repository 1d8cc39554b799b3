/** How many figures an answer may have, known from the question alone: nothing is read for one that would have more. */
import type { Meter } from "../catalog/meter.ts";
import { dayMs, hourMs } from "../contract/durations.ts";
import type { WindowKind } from "../contract/usage.ts";
import { operationsIn } from "../numbers/formula.ts";
import { maxWindows } from "./windows.ts";

/** For all nodes, meters, groups and windows together. At 110 bytes each this is an answer of 27 MB. */
export const maxFigures = 250_000;
/** Answers with more figures than this wait their turn: only a few of that size are made at once. */
export const largeFigures = 20_000;
export const maxMeters = 50;

export interface AskedSize {
  /** The meters of each node. */
  meters: readonly (readonly Meter[])[];
  window: WindowKind;
  /** ms. */
  lengthMs: number;
  /** How many groups are kept apart; undefined: it is not grouped. */
  groups: number | undefined;
  /** Windows of the range that it is compared with. */
  comparedWindows: number;
}

/** Thrown for a question whose answer would be too large, with the parameter that contributes most. */
export class TooManyFiguresError extends Error {
  override name = "TooManyFiguresError";
  readonly field: "window" | "limit" | "meter" | "node";
  constructor(message: string, field: TooManyFiguresError["field"]) {
    super(message);
    this.field = field;
  }
}

const usualLengthMs: Readonly<Record<WindowKind, number>> = {
  minute: 60_000,
  hour: hourMs,
  day: dayMs,
  week: 7 * dayMs,
  month: 30.4 * dayMs,
  quarter: 91.3 * dayMs,
  year: 365.25 * dayMs,
  cycle: 30.4 * dayMs,
  total: Number.POSITIVE_INFINITY,
};

/** This many operations of a formula cost as much as one more meter. */
const operationsPerMeter = 20;

/** How many windows a range has, by the calendar's usual lengths: clock changes make it a few more or fewer. */
export const usualWindows = (lengthMs: number, window: WindowKind): number =>
  Math.ceil(lengthMs / usualLengthMs[window]) + 1;

/** How many figures it takes to make the answer, by the calendar's usual lengths. Throws TooManyFiguresError. */
export function sizeOfAnswer({ meters, window, lengthMs, groups, comparedWindows }: AskedSize): number {
  const windows = usualWindows(lengthMs, window);
  // Clock changes make a range a few windows longer or shorter: a question near the bound is counted again when its windows are made.
  if (windows > maxWindows * 1.05)
    throw new TooManyFiguresError(`the range has more than ${maxWindows} windows of a ${window}`, "window");
  const measured = meters.flat().reduce((sum, meter) => sum + costOf(meter), 0);
  const series = groups === undefined ? 1 : groups + 2;
  const figures = measured * (series * windows + comparedWindows);
  if (figures <= maxFigures) return figures;
  const each = Math.max(...meters.map((of) => of.length));
  const factors = [
    ["window", windows],
    ["limit", series],
    ["meter", each],
    ["node", meters.length],
  ] as const;
  const [field] = factors.reduce((most, one) => (one[1] > most[1] ? one : most));
  const shape = `${meters.length} nodes, ${each} meters, ${series} series of each and ${windows} windows`;
  throw new TooManyFiguresError(
    `the answer would have more than ${maxFigures} values (${shape}); request longer windows, a shorter range, a smaller limit, fewer meters or fewer nodes`,
    field,
  );
}

function costOf({ rule }: Meter): number {
  if (rule.kind !== "derived") return 1;
  const operands = rule.operands.reduce((sum, operand) => sum + costOf(operand), 0);
  return 1 + operands + Math.floor(operationsIn(rule.formula) / operationsPerMeter);
}
