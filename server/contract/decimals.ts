/** Decimals as texts, which no double may bend. */
import { limits } from "./events.ts";

/** How many digits the limits, thresholds and tiers have that amounts are held against: as many as an amount. */
export const amountDigits = { wholes: limits.maxIntegerDigits, decimals: limits.maxValueFractionDigits } as const;

/** A decimal of up to nine decimals, such as "-12.5", in billionths. */
export function billionthsOf(text: string): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(amountDigits.decimals, "0"));
}
