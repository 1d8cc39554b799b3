/** The range of a page as its charts narrow it, and the way back to what stood before the first of these steps. */
import type { Range } from "@contract/ranges.ts";
import { formatRange } from "./range.ts";

const textOf = (range: Range) => JSON.stringify(formatRange(range));

export class Zooming {
  readonly #range: () => Range;
  readonly #show: (range: Range) => void;
  #steps = $state.raw<{ before: Range; to: string }>();

  /** `range`: what is shown now; `show` shows another. */
  constructor(range: () => Range, show: (range: Range) => void) {
    this.#range = range;
    this.#show = show;
  }

  narrow(next: Range): void {
    const before = this.#isNarrowed && this.#steps ? this.#steps.before : this.#range();
    this.#steps = { before, to: textOf(next) };
    this.#show(next);
  }

  /** Undefined where nothing is narrowed, or another range was chosen since. */
  get back(): (() => void) | undefined {
    const steps = this.#steps;
    return steps && this.#isNarrowed ? () => this.#show(steps.before) : undefined;
  }

  get #isNarrowed(): boolean {
    return this.#steps?.to === textOf(this.#range());
  }
}
