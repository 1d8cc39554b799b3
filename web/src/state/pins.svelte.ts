/** The nodes that somebody looks at again and again: nine at most, one for each digit. Kept in this browser. */
const storageKey = "tidemark-pins";
const mostPins = 9;

class Pins {
  /** Addresses, in the order in which they were pinned. */
  nodes = $state.raw<readonly string[]>(storedPins());

  has(node: string): boolean {
    return this.nodes.includes(node);
  }

  /** Whether one more can be pinned. */
  get isFull(): boolean {
    return this.nodes.length >= mostPins;
  }

  toggle(node: string): void {
    if (this.has(node)) this.nodes = this.nodes.filter((one) => one !== node);
    else if (!this.isFull) this.nodes = [...this.nodes, node];
    try {
      localStorage.setItem(storageKey, JSON.stringify(this.nodes));
    } catch {
      // Storage may be denied; the pins then last as long as the page.
    }
  }
}

function storedPins(): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(storageKey) ?? "[]");
    return Array.isArray(stored) ? stored.filter((one) => typeof one === "string").slice(0, mostPins) : [];
  } catch {
    return [];
  }
}

export const pins = new Pins();
