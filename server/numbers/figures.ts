/** How figures are written: once rounded, never through a float that could lose a digit. */

/** Integer milliseconds as minutes, a decimal string rounded half up to 6 decimals, without trailing zeros. */
export function minutesOf(ms: number): string {
  const micros = (BigInt(Math.abs(ms)) * 100n + 3n) / 6n;
  const sign = ms < 0 && micros > 0n ? "-" : "";
  return sign + trimDecimal(`${micros / 1_000_000n}.${String(micros % 1_000_000n).padStart(6, "0")}`);
}

/** Drops zeros that say nothing: "1.250" and "1.25" are the same figure and are written the same. */
export function trimDecimal(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}

/** Of what emitters send, and so of sums and averages of it. */
export const amountDecimals = 9;

/** More than any figure has: sums have 9 decimals, products of two of them 18. */
const scale = 18;

/** Takes what String() makes of a number too: "1e-7". Digits after the last place are dropped. */
function unitsOf(decimal: string): bigint {
  const [mantissa = "0", exponent = "0"] = decimal.replace(/^[+-]/, "").split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const places = scale + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  const units = places >= 0 ? digits * 10n ** BigInt(places) : digits / 10n ** BigInt(-places);
  return decimal.startsWith("-") ? -units : units;
}

function decimalOf(units: bigint, decimals: number): string {
  const digits = String(units < 0n ? -units : units).padStart(decimals + 1, "0");
  return (units < 0n ? "-" : "") + trimDecimal(`${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`);
}

/** The exact sum of decimal strings of up to 18 decimals. */
export function sumDecimals(decimals: readonly string[]): string {
  return decimalOf(
    decimals.reduce((total, decimal) => total + unitsOf(decimal), 0n),
    scale,
  );
}

/** The larger of two decimal strings comes out positive. */
export function compareDecimals(a: string, b: string): number {
  const difference = unitsOf(a) - unitsOf(b);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

/** a / b as a decimal string, rounded half away from zero to `decimals`; undefined when b is 0. */
export function quotient(a: string, b: string, decimals: number): string | undefined {
  const [dividend, divisor] = [unitsOf(a) * 10n ** BigInt(decimals), unitsOf(b)];
  if (divisor === 0n) return undefined;
  const [size, by] = [dividend < 0n ? -dividend : dividend, divisor < 0n ? -divisor : divisor];
  const rounded = (2n * size + by) / (2n * by);
  return decimalOf(dividend < 0n === divisor < 0n ? rounded : -rounded, decimals);
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
  const share = quotient(a, b, 6);
  return share === undefined ? undefined : Number(decimalOf(unitsOf(share) * 100n, scale));
}
