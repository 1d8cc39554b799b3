/**
 * Looks up credentials that this process does not know, those of a moment together: made-up ones cost a query now and then instead of one
 * each, and a valid one among them waits no longer than that query takes.
 */
import { ProblemError } from "../problem.ts";

/** Between the starts of two queries. Whoever has just signed in does not notice it. */
const restMs = 50;
const maxTogether = 1_000;
/** As many sign-in sessions of one network may be looked up anew at once, when roles have changed. */
const maxWaitingOfNetwork = 2_000;
const maxWaiting = 10_000;

interface LookUp<T> {
  network: string;
  answer: Promise<T | undefined>;
  resolve: (value: T | undefined) => void;
  reject: (error: unknown) => void;
}

export class StrangerLookUps<T> {
  readonly #readMany: (secretHashes: readonly string[]) => Promise<ReadonlyMap<string, T>>;
  /** By hash, the longest waiting first. */
  readonly #waiting = new Map<string, LookUp<T>>();
  readonly #waitingOf = new Map<string, number>();
  #isBusy = false;

  constructor(readMany: (secretHashes: readonly string[]) => Promise<ReadonlyMap<string, T>>) {
    this.#readMany = readMany;
  }

  /**
   * What a query that begins from now on finds. Rejects with `too_fast` where too many of the network wait already, and with the store's
   * error for all that wait while it cannot be asked.
   */
  read(secretHash: string, network: string): Promise<T | undefined> {
    const waiting = this.#waiting.get(secretHash);
    if (waiting) return waiting.answer;
    const ofNetwork = this.#waitingOf.get(network) ?? 0;
    if (ofNetwork >= maxWaitingOfNetwork || this.#waiting.size >= maxWaiting) return Promise.reject(tooMany());
    const lookUp = { network } as LookUp<T>;
    lookUp.answer = new Promise((resolve, reject) => Object.assign(lookUp, { resolve, reject }));
    this.#waiting.set(secretHash, lookUp);
    this.#waitingOf.set(network, ofNetwork + 1);
    this.#lookUp();
    return lookUp.answer;
  }

  #lookUp(): void {
    if (this.#isBusy || this.#waiting.size === 0) return;
    this.#isBusy = true;
    const together = this.#take(maxTogether);
    const rested = new Promise<void>((resolve) => setTimeout(resolve, restMs));
    const answered = this.#answer(together);
    void Promise.all([rested, answered]).then(() => {
      this.#isBusy = false;
      this.#lookUp();
    });
  }

  async #answer(together: ReadonlyMap<string, LookUp<T>>): Promise<void> {
    try {
      const found = await this.#readMany([...together.keys()]);
      for (const [secretHash, { resolve }] of together) resolve(found.get(secretHash));
    } catch (error) {
      for (const { reject } of together.values()) reject(error);
      for (const { reject } of this.#take(maxWaiting).values()) reject(error);
    }
  }

  #take(most: number): ReadonlyMap<string, LookUp<T>> {
    const taken = new Map<string, LookUp<T>>();
    for (const [secretHash, lookUp] of this.#waiting) {
      if (taken.size === most) break;
      taken.set(secretHash, lookUp);
      this.#waiting.delete(secretHash);
      const left = (this.#waitingOf.get(lookUp.network) ?? 1) - 1;
      if (left === 0) this.#waitingOf.delete(lookUp.network);
      else this.#waitingOf.set(lookUp.network, left);
    }
    return taken;
  }
}

function tooMany(): ProblemError {
  const detail = "too many credentials that are not known here are being checked for this network; try again";
  return new ProblemError("too_fast", detail, { retryAfterSeconds: 1 });
}
