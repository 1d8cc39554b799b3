/** How meters are drawn and called. */
import type { MeterSummary } from "@contract/meters.ts";

/** What a drawing has to know of a meter; `node`: whose it is, null where it is built in. */
export type ChartedMeter = Pick<MeterSummary, "meter" | "title" | "adds_up" | "node">;

/**
 * Bars for what adds up over time; lines for peaks, levels, averages and distinct counts, which do not: a week's peak is not the
 * sum of its days. A line too while the meter is not known: nothing is stacked that may not add up.
 */
export function drawnAs(meter: string, all: readonly ChartedMeter[]): "bar" | "line" {
  return all.find((candidate) => candidate.meter === meter)?.adds_up ? "bar" : "line";
}

export function titleOf(meter: string, all: readonly ChartedMeter[]): string {
  return all.find((candidate) => candidate.meter === meter)?.title ?? meter;
}
