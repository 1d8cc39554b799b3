/** What was compared with what, on which page, and where they differ. */

export class Compared {
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #differences = new Set<string>();

  /** `what` is the kind of comparison, such as `page = answer`. */
  count(place: string, what: string, times = 1): void {
    const ofPlace = this.#counts.get(place) ?? new Map<string, number>();
    ofPlace.set(what, (ofPlace.get(what) ?? 0) + times);
    this.#counts.set(place, ofPlace);
  }

  differ(place: string, difference: string): void {
    const line = `${place}: ${difference}`;
    if (!this.#differences.has(line)) console.error(`  DIFFERENT ${line}`);
    this.#differences.add(line);
  }

  /** One figure; `undefined` is a figure that is not there. */
  same(place: string, what: string, which: string, found: string | undefined, wanted: string | undefined): void {
    this.count(place, what);
    if (found !== wanted) this.differ(place, `${what}: ${which} is ${found ?? "missing"}, not ${wanted ?? "there"}`);
  }

  lineOf(place: string): string {
    const kinds = [...(this.#counts.get(place) ?? [])].map(([what, times]) => `${times} ${what}`);
    return kinds.length === 0 ? "no figure" : kinds.join(", ");
  }

  get total(): number {
    return [...this.#counts.values()].flatMap((ofPlace) => [...ofPlace.values()]).reduce((all, one) => all + one, 0);
  }

  get pages(): number {
    return this.#counts.size;
  }

  get differences(): readonly string[] {
    return [...this.#differences];
  }
}
