/** A shorter one is copied when it is cut out of another text. */
const shortestSlice = 13;

/**
 * The same text, by itself. A text that was cut out of a longer one, as a column out of its line, keeps all of that in memory for as
 * long as it is kept. It must have no lone surrogates.
 */
export const detachString = (text: string): string =>
  text.length < shortestSlice ? text : Buffer.from(text).toString();
