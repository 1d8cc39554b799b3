/** How meters are drawn and called. */
import type { MeterSummary } from "@contract/meters.ts";

/**
 * Bars for what adds up over time; lines for peaks, levels, averages and distinct counts, which do not: a week's peak is not the
 * sum of its days.
 */
export function drawnAs(meter: string): "bar" | "line" {
  return /^(?:max|live|active)_|^(?:recording_storage|sip_trunks)$|_(?:accuracy|turnaround)$/.test(meter)
    ? "line"
    : "bar";
}

export function titleOf(meter: string, all: readonly MeterSummary[]): string {
  return all.find((candidate) => candidate.meter === meter)?.title ?? meter;
}
