/** One turn at a time at something slow, in turns of tenants: however much one of them asks for, the others' come in between. */

interface Waiting {
  tenant: string;
  begin: () => void;
}

/** Tenants whose last turn is remembered; of more, who was there may be taken for new. */
const maxRemembered = 10_000;

export class SerialTurns {
  /** By tenant, when its last turn was, counted. */
  readonly #last = new Map<string, number>();
  #waiting: Waiting[] = [];
  #isTaken = false;
  #count = 0;

  /** Resolves, however long that takes, with the function that ends the turn. Rejects with the reason of `signal`. */
  async take(tenant: string, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#isTaken) await this.#wait(tenant, signal);
    else this.#begin(tenant);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#isTaken = false;
      this.#next()?.begin();
    };
  }

  #begin(tenant: string): void {
    this.#isTaken = true;
    if (this.#last.size >= maxRemembered) this.#last.clear();
    this.#last.set(tenant, ++this.#count);
  }

  #wait(tenant: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        signal?.removeEventListener("abort", giveUp);
        this.#waiting = this.#waiting.filter((one) => one !== entry);
      };
      const giveUp = () => {
        end();
        reject(signal?.reason);
      };
      const entry: Waiting = {
        tenant,
        begin: () => {
          end();
          // Nobody comes between before the one that waited goes on.
          this.#begin(tenant);
          resolve();
        },
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#waiting.push(entry);
    });
  }

  /** The one whose tenant had its last turn the longest ago; within a tenant the first that came. */
  #next(): Waiting | undefined {
    let next: Waiting | undefined;
    const lastOf = ({ tenant }: Waiting) => this.#last.get(tenant) ?? 0;
    for (const one of this.#waiting) if (!next || lastOf(one) < lastOf(next)) next = one;
    return next;
  }
}
