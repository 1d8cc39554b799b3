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

/** More of these is no good news. */
const unwanted = ["failed_jobs", "job_turnaround"];

/** 1 where a change in this direction is good news for the meter, -1 where it is bad, 0 where nothing changed. */
export const meritOf = (direction: number, meter: string): number =>
  Math.sign(direction) * (unwanted.includes(meter) ? -1 : 1);

export function titleOf(meter: string, all: readonly ChartedMeter[]): string {
  return all.find((candidate) => candidate.meter === meter)?.title ?? meter;
}

/** A meter's title within a sentence: `Call minutes` is `call minutes`, and `API calls` stays as it is. */
export const titleInSentence = (title: string): string =>
  title.replace(/^\p{Lu}(?=[\p{Ll}-])/u, (first) => first.toLowerCase());
