/** JSON in which equal values are equal text, so that a hash of it can be checked later. */

/** Keys whose values are told to nobody, wherever they stand; null and booleans only tell whether there is one. */
const secretKey =
  /(?:secret|password|token|hash|passphrase|credential)s?$|^(?:api_?)?key$|authorization|recovery_?codes/i;
const redacted = "[redacted]";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * What JSON would hold of the value, with dates as RFC 3339 in UTC, bigints as decimal text, maps' and objects' undefined
 * left out, and secrets replaced.
 */
export function toPlainJson(value: unknown): Json {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (value instanceof Set || Array.isArray(value)) return [...value].map(toPlainJson);
  if (typeof value !== "object") throw new TypeError(`a ${typeof value} has no JSON`);
  const plain: { [key: string]: Json } = {};
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    const isSecret = inner !== null && typeof inner !== "boolean" && secretKey.test(key);
    plain[key] = isSecret ? redacted : toPlainJson(inner);
  }
  return plain;
}

/** The same for equal values: keys in the order of their UTF-16 units, no space. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(",")}}`;
}
