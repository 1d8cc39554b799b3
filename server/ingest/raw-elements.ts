import { endOfString } from "../numbers/exact-json.ts";

/**
 * The text of each event in a body that is one JSON object or an array of them, as it was sent: every digit of its numbers and
 * both of two equal names, on one line. The body is looked through when the first of them is asked for.
 */
export function rawElements(bytes: Buffer): (index: number) => string {
  let found: [number, number][] | undefined;
  return (index) => {
    found ??= elementsOf(bytes);
    const [start, end] = found[index] ?? [0, 0];
    return bytes.toString("utf8", start, end).trim().replace(lineBreaks, "");
  };
}

/** With the indentation that follows: in JSON they stand between values, never inside a text. */
const lineBreaks = /[\r\n][ \t\r\n]*/g;

/** Where the elements of the outermost array begin and end; of what is no array: the whole. */
function elementsOf(bytes: Buffer): [number, number][] {
  let at = 0;
  while (at < bytes.length && bytes[at] !== openBracket && bytes[at] !== openBrace) at++;
  if (bytes[at] !== openBracket) return [[at, bytes.length]];
  const elements: [number, number][] = [];
  let depth = 0;
  let from = at + 1;
  for (; at < bytes.length; at++) {
    switch (bytes[at]) {
      case quote:
        at = endOfString(bytes, at, bytes.length) - 1;
        break;
      case openBracket:
      case openBrace:
        depth++;
        break;
      case closeBracket:
      case closeBrace:
        if (--depth === 0) {
          elements.push([from, at]);
          return elements;
        }
        break;
      case comma:
        if (depth === 1) {
          elements.push([from, at]);
          from = at + 1;
        }
        break;
    }
  }
  return elements;
}

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
