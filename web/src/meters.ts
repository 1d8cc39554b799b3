/** How meters are drawn. A meter keeps its colour on every page, whatever else is chosen. */
import type { MeterSummary } from "@contract/usage.ts";

const seriesColors = 8;

/** 1 to 8: the colour token of the meter, by its place in the catalog. */
export function colorOf(meter: string, all: readonly MeterSummary[]): number {
  const place = all.findIndex((candidate) => candidate.meter === meter);
  return (Math.max(0, place) % seriesColors) + 1;
}

/**
 * Bars for what adds up over time; lines for peaks, levels and distinct counts, which do not: a week's peak is not the
 * sum of its days.
 */
export function drawnAs(meter: string): "bar" | "line" {
  return /^(?:max|live|active)_/.test(meter) ? "line" : "bar";
}

export function titleOf(meter: string, all: readonly MeterSummary[]): string {
  return all.find((candidate) => candidate.meter === meter)?.title ?? meter;
}
