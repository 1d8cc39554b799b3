/** A shorter one is copied when it is cut out of another text. */
const shortestSlice = 13;

const scratch = Buffer.allocUnsafeSlow(2 * 1024);

/**
 * The same text, by itself. A text that was cut out of a longer one, as a column out of its line, keeps all of that in memory for as
 * long as it is kept. It must have no lone surrogates.
 */
export function detachString(text: string): string {
  if (text.length < shortestSlice) return text;
  // A character of two bytes in memory takes three at most.
  if (text.length * 3 > scratch.length) return Buffer.from(text).toString();
  return scratch.toString("utf8", 0, scratch.write(text));
}
