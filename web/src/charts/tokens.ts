/** The theme's tokens as charts draw with them. */

export interface Tokens {
  /** A custom property of the document, such as `--ink`. */
  token: (name: string) => string;
  /** The font of the page. */
  family: string;
}

let tokens: Tokens | undefined;

/**
 * As they are now. All charts that are drawn in one turn of the event loop share what was read: between two of them the page changes, and
 * asking for a token again then has the browser compute its styles again, 15 ms for each of twelve charts.
 */
export function readTokens(): Tokens {
  if (tokens) return tokens;
  const style = getComputedStyle(document.documentElement);
  const values = new Map<string, string>();
  const token = (name: string) => {
    const value = values.get(name) ?? style.getPropertyValue(name).trim();
    values.set(name, value);
    return value;
  };
  tokens = { token, family: style.fontFamily };
  queueMicrotask(() => {
    tokens = undefined;
  });
  return tokens;
}
