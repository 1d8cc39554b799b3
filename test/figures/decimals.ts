/** Decimal texts of any length, compared and rounded without a float; apart from the product, which is what is being checked. */

const decimal = /^-?\d+(?:\.\d+)?$/;

/** `1e-7` in full, `1.50` as `1.5`, `-0` as `0`; undefined of what is no number. */
export function plain(value: unknown): string | undefined {
  const text = typeof value === "number" ? inFull(value) : typeof value === "string" ? value : "";
  return decimal.test(text) ? scaled(text, scaleOf(text)).text : undefined;
}

const inFull = (value: number): string =>
  Number.isFinite(value) && /e/i.test(String(value)) ? value.toFixed(20) : String(value);

/** Half away from zero, as people round. */
export const rounded = (value: string, decimals: number): string => scaled(value, decimals).text;

/** Towards zero. */
export function cut(value: string, decimals: number): string {
  const [whole = "0", fraction = ""] = value.split(".");
  return plain(`${whole}.${fraction.slice(0, decimals).padEnd(1, "0")}`) ?? value;
}

export function sum(values: readonly string[]): string {
  const scale = Math.max(0, ...values.map(scaleOf));
  const total = values.reduce((all, value) => all + scaled(value, scale).units, 0n);
  return textOf(total, scale);
}

/** Negative, zero or positive, as `a` is below, equal to or above `b`. */
export function compare(a: string, b: string): number {
  const scale = Math.max(scaleOf(a), scaleOf(b));
  const apart = scaled(a, scale).units - scaled(b, scale).units;
  return apart < 0n ? -1 : apart > 0n ? 1 : 0;
}

const scaleOf = (text: string): number => text.split(".")[1]?.length ?? 0;

function scaled(text: string, decimals: number): { units: bigint; text: string } {
  const sign = text.startsWith("-") ? -1n : 1n;
  const [whole = "0", fraction = ""] = text.replace("-", "").split(".");
  const kept = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, "0"));
  const isUp = (fraction[decimals] ?? "0") >= "5";
  const units = sign * (kept + (isUp ? 1n : 0n));
  return { units, text: textOf(units, decimals) };
}

function textOf(units: bigint, scale: number): string {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, "0");
  const cut = digits.length - scale;
  const text = scale === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}`.replace(/\.?0+$/, "");
  return units < 0n ? `-${text}` : text;
}
