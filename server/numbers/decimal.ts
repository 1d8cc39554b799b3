/** Numbers as storage keeps them, in Decimal(38, 9): decimals of up to nine places, each with one text. */
import { limits } from "../contract/events.ts";

const { maxIntegerDigits, maxValueFractionDigits: places } = limits;

export interface Decimal {
  /** Shortest form without exponent: "12.5", "-0.000000001", "0". */
  text: string;
  /** It had more than nine decimals and was rounded, half to even. */
  isRounded: boolean;
}

const numberForm = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** The decimal that a number's text stands for; undefined when it is none, or does not fit. */
export function readDecimal(text: string): Decimal | undefined {
  const match = numberForm.exec(text);
  if (!match) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const digits = whole + fraction;
  const first = digits.search(/[1-9]/);
  if (first < 0) return { text: "0", isRounded: false };
  let last = digits.length - 1;
  while (digits.charCodeAt(last) === 48) last--;
  const significant = digits.slice(first, last + 1);
  /** Where the point stands in `significant`; beyond either end there are zeros. */
  const point = whole.length - first + Number(exponent);
  if (point > maxIntegerDigits) return undefined;
  const kept = point + places;
  const isRounded = significant.length > kept;
  const units = isRounded ? roundHalfEven(significant, kept) : significant.padEnd(kept, "0");
  const padded = units.padStart(places + 1, "0");
  const integer = padded.slice(0, -places);
  if (integer.length > maxIntegerDigits) return undefined;
  const decimals = padded.slice(-places).replace(/0+$/, "");
  const size = decimals === "" ? integer : `${integer}.${decimals}`;
  return { text: sign === "-" && size !== "0" ? `-${size}` : size, isRounded };
}

/** The first `kept` digits of `significant`, whose last digit is not 0, as a whole number. */
function roundHalfEven(significant: string, kept: number): string {
  if (kept < 0) return "0";
  const head = BigInt(significant.slice(0, kept) || "0");
  const next = significant.charCodeAt(kept) - 48;
  const isUp = next > 5 || (next === 5 && (significant.length > kept + 1 || head % 2n === 1n));
  return String(isUp ? head + 1n : head);
}
