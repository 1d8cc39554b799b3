/**
 * Exact arithmetic, the one way in which figures, money and formulas are computed: fractions of whole numbers, rounded only
 * where a figure is written. By hand on bigint, because fraction.js seeks the greatest common divisor at each step: the sum
 * of 1,000 amounts takes it 7 times as long.
 */
export interface Exact {
  readonly top: bigint;
  /** Above 0. */
  readonly bottom: bigint;
}

export const zero: Exact = { top: 0n, bottom: 1n };
export const one: Exact = { top: 1n, bottom: 1n };

/** Reads a decimal such as "-12.5", or a number as String() writes it. Throws on anything but a decimal. */
export function exact(decimal: string | number): Exact {
  const parts = /^([+-]?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(String(decimal));
  if (!parts) throw new Error(`${decimal} is not a decimal`);
  const [, sign, whole = "", fraction = "", exponent = "0"] = parts;
  const size = BigInt(whole + fraction);
  const digits = sign === "-" ? -size : size;
  const places = fraction.length - Number(exponent);
  return places > 0 ? { top: digits, bottom: tenTo(places) } : { top: digits * tenTo(-places), bottom: 1n };
}

/** Throws where `bottom` is 0. */
export function ratio(top: number, bottom: number): Exact {
  return fraction(BigInt(top), BigInt(bottom));
}

export function plus(a: Exact, b: Exact): Exact {
  if (a.bottom === b.bottom) return { top: a.top + b.top, bottom: a.bottom };
  return fraction(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom);
}

export function minus(a: Exact, b: Exact): Exact {
  return plus(a, { top: -b.top, bottom: b.bottom });
}

export function times(a: Exact, b: Exact): Exact {
  return fraction(a.top * b.top, a.bottom * b.bottom);
}

/** Throws where `b` is 0. */
export function over(a: Exact, b: Exact): Exact {
  return fraction(a.top * b.bottom, a.bottom * b.top);
}

/** The larger one comes out positive. */
export function compare(a: Exact, b: Exact): number {
  const difference = a.bottom === b.bottom ? a.top - b.top : a.top * b.bottom - b.top * a.bottom;
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

export const isZero = ({ top }: Exact): boolean => top === 0n;

export function smaller(a: Exact, b: Exact): Exact {
  return compare(a, b) <= 0 ? a : b;
}

/** The least whole number that is not below a number of 0 or more. */
export function ceiling({ top, bottom }: Exact): Exact {
  return { top: (top + bottom - 1n) / bottom, bottom: 1n };
}

/**
 * A decimal string with exactly this many decimals, a half rounded to the even neighbour: over many lines the halves rounded up
 * and those rounded down weigh the same. Money is written this way.
 */
export function roundHalfEven(number: Exact, decimals: number): string {
  return written(number, decimals, (floor, half) => half > 0 || (half === 0 && floor % 2n === 1n));
}

/** The same with a half rounded away from zero, as people round: so figures are written. */
export function roundHalfAway(number: Exact, decimals: number): string {
  return written(number, decimals, (_, half) => half >= 0);
}

/** The same with what is beyond the last decimal left out. */
export function truncate(number: Exact, decimals: number): string {
  return written(number, decimals, () => false);
}

/** `isUp` knows the whole units and how what is left compares with half a unit. */
function written({ top, bottom }: Exact, decimals: number, isUp: (floor: bigint, half: -1 | 0 | 1) => boolean): string {
  const size = (top < 0n ? -top : top) * tenTo(decimals);
  const floor = size / bottom;
  const rest = size % bottom;
  const twice = 2n * rest;
  const units = rest > 0n && isUp(floor, twice > bottom ? 1 : twice === bottom ? 0 : -1) ? floor + 1n : floor;
  const digits = String(units).padStart(decimals + 1, "0");
  const sign = top < 0n && units > 0n ? "-" : "";
  return sign + (decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`);
}

/** Larger than what sums and one product of amounts need: fractions are reduced from here on, which costs more than they do. */
const longest = 10n ** 60n;

/** Throws where `bottom` is 0. */
function fraction(top: bigint, bottom: bigint): Exact {
  if (bottom === 0n) throw new RangeError("division by zero");
  if (bottom < 0n) return fraction(-top, -bottom);
  if (bottom < longest) return { top, bottom };
  let [a, b] = [top < 0n ? -top : top, bottom];
  while (b > 0n) [a, b] = [b, a % b];
  return { top: top / a, bottom: bottom / a };
}

const tens = Array.from({ length: 40 }, (_, exponent) => 10n ** BigInt(exponent));
const tenTo = (exponent: number): bigint => tens[exponent] ?? 10n ** BigInt(exponent);
