/** Numbers that only grow, over restarts too: batch ids, and versions of rows of which the newest wins. */

/** A number is (ms << 10) + n, so it shows about when it was given, and stays exact in a JavaScript number until 2248. */
export const perMs = 1024;
/** This many processes can give numbers without ever giving the same one: each has its own residue class. */
const maxNodes = 64;

export interface Sequence {
  next(): number;
  /** Numbers up to this one are not given any more. */
  advance(past: number): void;
  /** The largest number that may have been given. */
  readonly last: number;
}

/**
 * `after` is the largest number that may have been given before; a clock that was set back does not reuse one. `nodeNumber`,
 * below 64, is of this process alone among those that write to the same storage.
 */
export function createSequence(after: number, now: () => number = Date.now, nodeNumber = 0): Sequence {
  let last = after;
  return {
    next() {
      const least = Math.max(last + 1, now() * perMs);
      last = least + ((nodeNumber - (least % maxNodes) + maxNodes) % maxNodes);
      return last;
    },
    advance(past) {
      last = Math.max(last, past);
    },
    get last() {
      return last;
    },
  };
}
