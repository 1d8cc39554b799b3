/** How a percentage is written for people: on pages and in messages alike. Pure. */

const oneDecimal = new Intl.NumberFormat("en", { maximumFractionDigits: 1, roundingMode: "trunc" });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0, roundingMode: "trunc" });
/** From here on nobody reads a decimal. */
const wholeFrom = 1_000;

/**
 * `12.5%`: one decimal at most and none from 1,000 on, cut off, so that only what has reached 100 says so; `< 0.1%` for
 * what is more than nothing. The exact figure belongs beside it. `percent`: a number or a decimal string.
 */
export function percentText(percent: number | string): string {
  // 0.29 of 1 is 28.999999999999996 percent to a computer.
  const value = Number(Number(percent).toFixed(6));
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size > 0 && size < 0.1) return `${sign}< 0.1%`;
  return `${sign}${(size < wholeFrom ? oneDecimal : whole).format(size)}%`;
}
