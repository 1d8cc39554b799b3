/** Little use, beside a plan's limit or the own past. Pure. */
import { percentUsed } from "../billing/quota-status.ts";
import { compareDecimals } from "../numbers/figures.ts";

/** The middle of the cycles in which anything was used; undefined without one. */
export function usualOfPast(past: readonly string[]): string | undefined {
  const known = past.filter((figure) => Number(figure) > 0).sort(compareDecimals);
  return known[Math.floor((known.length - 1) / 2)];
}

export function isLowUsage(used: string, limit: string, belowPercent: number): boolean {
  const percent = percentUsed(used, limit);
  return percent !== null && Number(percent) < belowPercent;
}
