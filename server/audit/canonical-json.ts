/** JSON in which equal values are equal text, so that a hash of it can be checked later. */
import { compareText } from "../contract/compare-text.ts";

/** Names of this service's columns and members whose values nobody may read, wherever they stand. */
const secretNames: ReadonlySet<string> = new Set([
  "secret",
  "secrets",
  "password",
  "passwords",
  "token",
  "tokens",
  "passwordHash",
  "keyHash",
  "tokenHash",
  "totpSecret",
  "recoveryHashes",
  "recoveryCodes",
]);
/** The members of these are named by users: a field `token` is no more of a secret there than `region`. */
const namedByUsers: ReadonlySet<string> = new Set(["fields", "properties"]);
const redacted = "[redacted]";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * What JSON would hold of the value, with dates as RFC 3339 in UTC, bigints as decimal text, maps' and objects' undefined
 * left out.
 */
export function toPlainJson(value: unknown): Json {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (value instanceof Set || Array.isArray(value)) return [...value].map(toPlainJson);
  if (typeof value !== "object") throw new TypeError(`a ${typeof value} has no JSON`);
  const members = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(members.map(([key, inner]) => [key, toPlainJson(inner)]));
}

/** The value to be kept and shown: secrets replaced; null and booleans stay, since they only tell whether there is one. */
export function withoutSecrets(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (value === null || typeof value !== "object") return value;
  const shown = ([key, inner]: [string, Json]): [string, Json] => {
    if (namedByUsers.has(key)) return [key, inner];
    const isSecret = secretNames.has(key) && inner !== null && typeof inner !== "boolean";
    return [key, isSecret ? redacted : withoutSecrets(inner)];
  };
  return Object.fromEntries(Object.entries(value).map(shown));
}

/** The same for equal values: keys in the order of their UTF-16 units, no space. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => compareText(a, b));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(",")}}`;
}
