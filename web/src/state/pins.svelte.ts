/** The nodes that somebody looks at again and again, by their addresses in the order in which they were pinned. */
import { StoredList } from "./stored-list.svelte.ts";

class Pins extends StoredList {
  has(node: string): boolean {
    return this.items.includes(node);
  }

  /** Whether one more can be pinned. */
  get isFull(): boolean {
    return this.items.length >= this.most;
  }

  toggle(node: string): void {
    if (this.has(node)) this.replace(this.items.filter((one) => one !== node));
    else if (!this.isFull) this.replace([...this.items, node]);
  }
}

/** One for each digit. */
export const pins = new Pins("tidemark-pins", 9);
