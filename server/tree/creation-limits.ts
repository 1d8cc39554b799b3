/** How many nodes may be made per time: by each key or user, and by all that stand below one node right below the root. */
import { type BucketRate, TokenBuckets } from "../fairness/token-buckets.ts";

/** Made by people and by keys, one by one or from a table; the operator fills a whole tree from one. */
export const creationRates = {
  /** By events that name an organization which is not there. */
  ofEmitter: { burst: 2_000, perSecond: 20 },
  ofTenant: { burst: 10_000, perSecond: 50 },
  ofOperator: { burst: 200_000, perSecond: 100 },
} as const satisfies Record<string, BucketRate>;

/** More nodes than may be made now; nothing was made. */
export class TooManyNodesError extends Error {
  override name = "TooManyNodesError";
  readonly retryAfterSeconds: number;
  constructor(retryAfterSeconds: number) {
    super("too many nodes were created in a short time; try again later");
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export class CreationLimits {
  readonly #buckets: TokenBuckets;

  constructor(now: () => number = Date.now) {
    this.#buckets = new TokenBuckets(now);
  }

  /** Counts `nodes` for each of those who make them. Throws TooManyNodesError, and then counts them for nobody. */
  spend(makers: readonly { id: string; rate: BucketRate }[], nodes: number): void {
    // One request may be larger than what is left after any pause: then it takes a whole pause, and is paid for afterwards.
    const waits = makers.map(
      ({ id, rate }) => (Math.min(nodes, rate.burst) - this.#buckets.tokens(id, rate)) / rate.perSecond,
    );
    const waitSeconds = Math.max(...waits);
    if (waitSeconds > 0) throw new TooManyNodesError(Math.ceil(waitSeconds));
    for (const { id, rate } of makers) this.#buckets.take(id, rate, nodes);
  }
}
