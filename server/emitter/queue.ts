/** What is held until it is answered: in memory here, in files in spool.ts. */

/** Events that go as one request. */
export interface Batch {
  count: number;
  /** As the JSON that is sent, in the order in which they came. */
  read(): string[];
  /** They need not be held any more. `setAside`: those that the service can never take, as the JSON that was sent. */
  answered(setAside: readonly string[]): void;
}

export interface Queue {
  /** Events that wait, those on their way not included. */
  readonly count: number;
  /** Events that are held, those on their way included. */
  readonly heldCount: number;
  readonly heldBytes: number;
  /** Where what is left stays when the program ends; undefined: nowhere. */
  readonly keptIn: string | undefined;
  /** Throws when it cannot be held. */
  add(text: string): void;
  /** As many wait as go in one request. */
  hasWhole(): boolean;
  next(): Batch | undefined;
  /** Takes what a program that has ended left behind; answers how many events that was. */
  takeOver(): Promise<number>;
  close(): void;
}

export interface RequestBounds {
  eventsPerRequest: number;
  bytesPerRequest: number;
}

export class MemoryQueue implements Queue {
  readonly keptIn = undefined;
  heldCount = 0;
  heldBytes = 0;
  readonly #bounds: RequestBounds;
  readonly #waiting: string[] = [];
  #waitingBytes = 0;

  constructor(bounds: RequestBounds) {
    this.#bounds = bounds;
  }

  get count(): number {
    return this.#waiting.length;
  }

  add(text: string): void {
    this.#waiting.push(text);
    this.#waitingBytes += text.length;
    this.heldBytes += text.length;
    this.heldCount++;
  }

  hasWhole(): boolean {
    return this.#waiting.length >= this.#bounds.eventsPerRequest || this.#waitingBytes >= this.#bounds.bytesPerRequest;
  }

  next(): Batch | undefined {
    const { eventsPerRequest, bytesPerRequest } = this.#bounds;
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < eventsPerRequest) {
      const size = (this.#waiting[count] as string).length;
      if (count > 0 && bytes + size > bytesPerRequest) break;
      bytes += size;
      count++;
    }
    if (count === 0) return undefined;
    this.#waitingBytes -= bytes;
    const texts = this.#waiting.splice(0, count);
    return {
      count,
      read: () => texts,
      answered: () => {
        this.heldBytes -= bytes;
        this.heldCount -= count;
      },
    };
  }

  async takeOver(): Promise<number> {
    return 0;
  }

  close(): void {}
}
