/** A limit of the time that something takes, in which the time does not count that it waits for others. */
export class TimeLimit {
  readonly #over: () => void;
  #leftMs: number;
  #sinceMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #waits = 0;

  /** `over` is called once the time is over. */
  constructor(ms: number, over: () => void) {
    this.#over = over;
    this.#leftMs = ms;
    this.#start();
  }

  /** The time stands still until what this gives is called. */
  pause(): () => void {
    if (this.#waits++ === 0) {
      clearTimeout(this.#timer);
      this.#leftMs -= performance.now() - this.#sinceMs;
    }
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      if (--this.#waits === 0) this.#start();
    };
  }

  end(): void {
    this.#waits++;
    clearTimeout(this.#timer);
  }

  #start(): void {
    this.#sinceMs = performance.now();
    this.#timer = setTimeout(this.#over, Math.max(0, this.#leftMs));
  }
}
