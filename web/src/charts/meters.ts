/** How meters are drawn. */
import type { MeterSummary } from "@contract/meters.ts";

const seriesColors = 8;

/**
 * The colour token of each chosen meter, 1 to 8: by its place in the catalog, so that it is the same on every page; where
 * an earlier one has that colour already, the next that is free. Only more than eight meters share colours.
 */
export function colorsOf(chosen: readonly string[], all: readonly MeterSummary[]): ReadonlyMap<string, number> {
  const placeOf = (meter: string) =>
    Math.max(
      0,
      all.findIndex((candidate) => candidate.meter === meter),
    );
  const colors = new Map<string, number>();
  const taken = new Set<number>();
  for (const meter of [...chosen].sort((a, b) => placeOf(a) - placeOf(b))) {
    let color = placeOf(meter) % seriesColors;
    while (taken.has(color) && taken.size < seriesColors) color = (color + 1) % seriesColors;
    taken.add(color);
    colors.set(meter, color + 1);
  }
  return colors;
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
