import { limits } from "../../contract/events.ts";
import { elementsOf } from "../../json/json-bounds.ts";

/**
 * The text of each event in a body that is one JSON object or an array of them, as it was sent: every digit of its numbers and
 * both of two equal names, on one line. The body, of which the JSON begins at `from`, is looked through when the first of them is asked for.
 */
export function rawElements(bytes: Buffer, from: number): (index: number) => string {
  let found: [number, number][] | undefined;
  return (index) => {
    found ??= elementsOf(bytes, from, limits.maxEventsPerRequest) ?? [[from, bytes.length]];
    const [start, end] = found[index] ?? [0, 0];
    return bytes.toString("utf8", start, end).trim().replace(lineBreaks, "");
  };
}

/** With the indentation that follows: in JSON they stand between values, never inside a text. */
const lineBreaks = /[\r\n][ \t\r\n]*/g;
