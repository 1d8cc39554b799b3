/** A short list of texts that this browser keeps; where storage is denied, it lasts as long as the page is open. */
export class StoredList {
  items = $state.raw<readonly string[]>([]);
  readonly #key: string;
  readonly most: number;

  constructor(key: string, most: number) {
    this.#key = key;
    this.most = most;
    this.items = this.#stored();
  }

  /** By these, as far as there is room. */
  replace(items: readonly string[]): void {
    this.items = items.slice(0, this.most);
    try {
      localStorage.setItem(this.#key, JSON.stringify(this.items));
    } catch {
      // The list then lasts as long as the page.
    }
  }

  #stored(): string[] {
    try {
      const stored: unknown = JSON.parse(localStorage.getItem(this.#key) ?? "[]");
      return Array.isArray(stored) ? stored.filter((one) => typeof one === "string").slice(0, this.most) : [];
    } catch {
      return [];
    }
  }
}
