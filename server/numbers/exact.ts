/** Exact arithmetic of money and amounts: fractions of whole numbers, rounded only where a figure is written. */
export interface Exact {
  readonly top: bigint;
  /** Above 0. */
  readonly bottom: bigint;
}

export const zero: Exact = { top: 0n, bottom: 1n };
export const one: Exact = { top: 1n, bottom: 1n };

/** Of a decimal such as "-12.5"; of a number what String() makes of it. Throws on what is no decimal. */
export function exact(decimal: string | number): Exact {
  const parts = /^([+-]?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(String(decimal));
  if (!parts) throw new Error(`${decimal} is not a decimal`);
  const [, sign, whole = "", fraction = "", exponent = "0"] = parts;
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const places = fraction.length - Number(exponent);
  return places > 0 ? reduced(digits, 10n ** BigInt(places)) : { top: digits * 10n ** BigInt(-places), bottom: 1n };
}

/** Throws where `bottom` is 0. */
export function ratio(top: number, bottom: number): Exact {
  return reduced(BigInt(top), BigInt(bottom));
}

export function plus(a: Exact, b: Exact): Exact {
  return reduced(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom);
}

export function minus(a: Exact, b: Exact): Exact {
  return plus(a, { top: -b.top, bottom: b.bottom });
}

export function times(a: Exact, b: Exact): Exact {
  return reduced(a.top * b.top, a.bottom * b.bottom);
}

/** Throws where `b` is 0. */
export function over(a: Exact, b: Exact): Exact {
  return reduced(a.top * b.bottom, a.bottom * b.top);
}

/** The larger one comes out positive. */
export function compare(a: Exact, b: Exact): number {
  const difference = a.top * b.bottom - b.top * a.bottom;
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

export function smaller(a: Exact, b: Exact): Exact {
  return compare(a, b) <= 0 ? a : b;
}

/** The least whole number that is not below a number of 0 or more. */
export function ceiling({ top, bottom }: Exact): Exact {
  return { top: (top + bottom - 1n) / bottom, bottom: 1n };
}

/**
 * A decimal string with exactly so many decimals, a half rounded to the even neighbour: over many lines the halves rounded
 * up and those rounded down weigh the same.
 */
export function roundHalfEven({ top, bottom }: Exact, decimals: number): string {
  const size = (top < 0n ? -top : top) * 10n ** BigInt(decimals);
  const floor = size / bottom;
  const twice = 2n * (size % bottom);
  const rounded = twice > bottom || (twice === bottom && floor % 2n === 1n) ? floor + 1n : floor;
  const digits = String(rounded).padStart(decimals + 1, "0");
  const sign = top < 0n && rounded > 0n ? "-" : "";
  return sign + (decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`);
}

/** Throws where `bottom` is 0. */
function reduced(top: bigint, bottom: bigint): Exact {
  if (bottom === 0n) throw new RangeError("division by zero");
  const sign = bottom < 0n ? -1n : 1n;
  let [a, b] = [top < 0n ? -top : top, bottom < 0n ? -bottom : bottom];
  while (b > 0n) [a, b] = [b, a % b];
  const by = a * sign;
  return { top: top / by, bottom: bottom / by };
}
