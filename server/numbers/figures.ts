/** How figures are written: once rounded, never through a float that could lose a digit. */
import { compare, type Exact, exact, isZero, over, plus, ratio, roundHalfAway, times, zero } from "./exact.ts";

/** Integer milliseconds as minutes, a decimal string rounded half away from zero to 6 decimals, without trailing zeros. */
export function minutesOf(ms: number): string {
  return written(ratio(ms, 60_000), 6);
}

/** Drops zeros that say nothing: "1.250" and "1.25" are the same figure and are written the same. */
export function trimDecimal(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}

/** Decimals of what emitters send, and so of sums and averages of it. */
export const amountDecimals = 9;

/** More than any figure has: sums have 9 decimals, products of two of them 18. */
const maxDecimals = 18;

const written = (number: Exact, decimals: number) => trimDecimal(roundHalfAway(number, decimals));

/** The exact sum of decimal strings of up to 18 decimals. */
export function sumDecimals(decimals: readonly string[]): string {
  return written(decimals.map(exact).reduce(plus, zero), maxDecimals);
}

/** The larger of two decimal strings comes out positive. */
export function compareDecimals(a: string, b: string): number {
  return compare(exact(a), exact(b));
}

/** a / b as a decimal string, rounded half away from zero to `decimals`; undefined when b is 0. */
export function quotient(a: string, b: string, decimals: number): string | undefined {
  const divisor = exact(b);
  return isZero(divisor) ? undefined : written(over(exact(a), divisor), decimals);
}

/**
 * An amount from its sixtieths, in which minutes and seconds are added up: the one division that a figure sees, rounded half
 * away from zero to the 9 decimals of amounts.
 */
export function amountOfSixtieths(sixtieths: string): string {
  return quotient(sixtieths, "60", amountDecimals) ?? "0";
}

/** a / b in percent, rounded half away from zero to 4 decimals; undefined when b is 0. */
export function percentOf(a: string, b: string): number | undefined {
  const divisor = exact(b);
  return isZero(divisor) ? undefined : Number(written(times(over(exact(a), divisor), ratio(100, 1)), 4));
}
