/** Amounts as exact decimals: one text for each number, so that 12.5, "12.50" and "+12.5" are the same amount. */
import { limits } from "../contract/events.ts";

/**
 * The shortest decimal text of an amount that has the form of `value`; undefined for a number whose digits are not
 * certain. A JSON number arrives as a double, which keeps 15 significant digits and whole numbers up to 2^53 exactly;
 * whatever has more must be a string, or the sum would be of other digits than the emitter wrote.
 */
export function exactDecimal(value: string | number): string | undefined {
  if (typeof value === "string") return shortestDecimal(value);
  if (Number.isSafeInteger(value)) return value === 0 ? "0" : String(value);
  const shortest = String(value);
  // A double below 0.000001 is written with an exponent; its nine decimals are it, or it has more than nine.
  const text = shortest.includes("e") ? shortestDecimal(value.toFixed(limits.maxValueFractionDigits)) : shortest;
  if (Number(text) !== value || significantDigits(text) > 15) return undefined;
  const point = text.indexOf(".");
  return point < 0 || text.length - point - 1 > limits.maxValueFractionDigits ? undefined : text;
}

const padded = /^\+|^-?0\d|\.\d*0$|^-0/;

function shortestDecimal(text: string): string {
  if (!padded.test(text)) return text;
  const isNegative = text.startsWith("-");
  const [whole = "", fraction = ""] = text.replace(/^[+-]/, "").split(".");
  const shortWhole = whole.replace(/^0+(?=\d)/, "");
  const shortFraction = fraction.replace(/0+$/, "");
  const short = shortFraction === "" ? shortWhole : `${shortWhole}.${shortFraction}`;
  return isNegative && short !== "0" ? `-${short}` : short;
}

function significantDigits(text: string): number {
  return text.replace(/^-?0*\.?0*/, "").replace(".", "").length;
}
