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

const scale = 9;

/** The exact sum of decimal strings of up to 9 decimals. */
export function sumDecimals(decimals: readonly string[]): string {
  let total = 0n;
  for (const decimal of decimals) {
    const negative = decimal.startsWith("-");
    const [whole = "0", fraction = ""] = decimal.replace(/^[+-]/, "").split(".");
    const units = BigInt(whole + fraction.padEnd(scale, "0"));
    total += negative ? -units : units;
  }
  const digits = String(total < 0n ? -total : total).padStart(scale + 1, "0");
  return (total < 0n ? "-" : "") + trimDecimal(`${digits.slice(0, -scale)}.${digits.slice(-scale)}`);
}
