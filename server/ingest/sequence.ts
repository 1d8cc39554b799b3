/** Numbers that only grow, over restarts too: batch ids, and versions of rows of which the newest wins. */

/** A number is (ms << 10) + n, so it tells about when it was given, and stays exact in a JavaScript number until 2248. */
const perMs = 1024;

export interface Sequence {
  next(): number;
}

/** `after` is the largest number that may have been given before; a clock that was set back does not reuse one. */
export function createSequence(after: number, now: () => number = Date.now): Sequence {
  let last = after;
  return {
    next() {
      last = Math.max(last + 1, now() * perMs);
      return last;
    },
  };
}
