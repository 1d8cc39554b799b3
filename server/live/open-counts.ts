/** What is open now, by those who share what they may have. */

/** One of them, and how many it may have. */
type Bound = readonly [name: string, most: number];

export class OpenCounts {
  readonly #open = new Map<string, number>();

  /**
   * Counts one more by each name and returns what takes it away again, once. Undefined, and counts nothing, where one of them has as many as
   * it may: the look and the count are one step, so that those who come at once overrun nothing.
   */
  take(bounds: readonly Bound[]): (() => void) | undefined {
    if (bounds.some(([name, most]) => (this.#open.get(name) ?? 0) >= most)) return undefined;
    for (const [name] of bounds) this.#open.set(name, (this.#open.get(name) ?? 0) + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      for (const [name] of bounds) {
        const left = (this.#open.get(name) ?? 0) - 1;
        if (left > 0) this.#open.set(name, left);
        else this.#open.delete(name);
      }
    };
  }
}
