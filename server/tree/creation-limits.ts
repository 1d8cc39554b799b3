/** How many nodes may be made in a time: of each key or user, and of all that stand below one node right below the root. */
import { LRUCache } from "lru-cache";

export interface CreationRate {
  /** At once after a pause. */
  burst: number;
  perSecond: number;
}

/** Made by people and by keys, one by one or from a table; the operator fills a whole tree from one. */
export const creationRates = {
  /** By events that name an organization which is not there. */
  ofEmitter: { burst: 2_000, perSecond: 20 },
  ofTenant: { burst: 10_000, perSecond: 50 },
  ofOperator: { burst: 200_000, perSecond: 100 },
} as const satisfies Record<string, CreationRate>;

/** More nodes than may be made now; nothing was made. */
export class TooManyNodesError extends Error {
  override name = "TooManyNodesError";
  readonly retryAfterSeconds: number;
  constructor(retryAfterSeconds: number) {
    super("more nodes than may be made in so short a time");
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const maxHeld = 10_000;

export class CreationLimits {
  readonly #buckets = new LRUCache<string, { left: number; atMs: number }>({ max: maxHeld });
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Counts `nodes` for each of those who make them. Throws TooManyNodesError, and then counts them for nobody. */
  spend(makers: readonly { id: string; rate: CreationRate }[], nodes: number): void {
    const nowMs = this.#now();
    const held = makers.map(({ id, rate }) => {
      const { left, atMs } = this.#buckets.get(id) ?? { left: rate.burst, atMs: nowMs };
      const gained = (Math.max(0, nowMs - atMs) / 1_000) * rate.perSecond;
      return { id, rate, left: Math.min(rate.burst, left + gained) };
    });
    // One request may be larger than what is left after any pause: then it takes a whole pause, and is paid for afterwards.
    const waits = held.map(({ left, rate }) => (Math.min(nodes, rate.burst) - left) / rate.perSecond);
    const waitSeconds = Math.max(...waits);
    if (waitSeconds > 0) throw new TooManyNodesError(Math.ceil(waitSeconds));
    for (const { id, left } of held) this.#buckets.set(id, { left: left - nodes, atMs: nowMs });
  }
}
