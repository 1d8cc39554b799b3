/**
 * Checks JSON by its bytes before anything parses it: how deeply it nests and how much it holds. A parser works for seconds
 * on a few kilobytes of brackets, and what walks its result recursively has no stack for it.
 */

import { endOfString } from "./exact-json.ts";

export interface JsonBounds {
  maxDepth: number;
  /** In one object or array. */
  maxMembers: number;
  /** Objects and arrays in all. */
  maxContainers: number;
}

/** More than any request of the API has: plans, the largest of them, nest 8 levels. */
export const requestBounds: JsonBounds = { maxDepth: 32, maxMembers: 10_000, maxContainers: 50_000 };

const [quote, comma] = [0x22, 0x2c];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * What is wrong with the JSON in [from, to), in words to stand behind "the body"; undefined when it keeps to `bounds`. Does not
 * check that it is JSON at all: for anything else any answer may come, still in one pass.
 */
export function brokenBound(
  bytes: Uint8Array,
  { maxDepth, maxMembers, maxContainers }: JsonBounds,
  from = 0,
  to = bytes.length,
): string | undefined {
  const members = new Int32Array(maxDepth + 1);
  let depth = 0;
  let containers = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at];
    if (byte === quote) at = endOfString(bytes, at, to) - 1;
    else if (byte === comma) {
      const count = (members[depth] ?? 0) + 1;
      if (count >= maxMembers) return `has an object or an array with more than ${maxMembers} members`;
      members[depth] = count;
    } else if (byte === openArray || byte === openObject) {
      if (++depth > maxDepth) return `nests more than ${maxDepth} levels deep`;
      if (++containers > maxContainers) return `has more than ${maxContainers} objects and arrays`;
      members[depth] = 0;
    } else if ((byte === closeArray || byte === closeObject) && depth > 0) depth--;
  }
  return undefined;
}

/**
 * Where each element of the array in `bytes` begins and ends, at most `maxElements` of them and one more; undefined when
 * no array begins at `from`. What is not JSON gives pieces that are not JSON either.
 */
export function elementsOf(
  bytes: Uint8Array,
  from: number,
  maxElements: number,
): [from: number, to: number][] | undefined {
  const elements: [number, number][] = [];
  let start = from;
  while (start < bytes.length && bytes[start] !== openArray) {
    if (!isBlank(bytes[start])) return undefined;
    start++;
  }
  if (start === bytes.length) return undefined;
  start++;
  let depth = 1;
  for (let at = start; at < bytes.length && elements.length <= maxElements; at++) {
    const byte = bytes[at];
    if (byte === quote) at = endOfString(bytes, at, bytes.length) - 1;
    else if (byte === openArray || byte === openObject) depth++;
    else if (byte === closeArray || byte === closeObject) depth--;
    if (depth > 1 || (depth === 1 && byte !== comma)) continue;
    elements.push([start, at]);
    start = at + 1;
    if (depth === 0) {
      for (let rest = start; rest < bytes.length; rest++) if (!isBlank(bytes[rest])) return undefined;
      return elements;
    }
  }
  return elements.length > maxElements ? elements : undefined;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
