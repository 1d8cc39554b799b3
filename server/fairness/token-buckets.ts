/**
 * A token bucket for each key: full at first, it fills at its rate up to its burst. By hand, because the limiters of
 * `rate-limiter-flexible` count in fixed windows, at whose edges twice as much as allowed would pass.
 */
export interface BucketRate {
  /** At once after a pause. */
  burst: number;
  perSecond: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
  rate: BucketRate;
}

const maxIdle = 10_000;

export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** What is in the bucket now, fractions too; below zero after `take` took more than there was. */
  tokens(key: string, rate: BucketRate): number {
    const bucket = this.#buckets.get(key);
    return bucket ? tokensAt(bucket, this.#now()) : rate.burst;
  }

  take(key: string, rate: BucketRate, tokens: number): void {
    const atMs = this.#now();
    if (this.#buckets.size >= maxIdle && !this.#buckets.has(key)) this.#dropFull(atMs);
    this.#buckets.set(key, { tokens: this.tokens(key, rate) - tokens, atMs, rate });
  }

  /** A bucket that has filled up again is the same as none. */
  #dropFull(nowMs: number): void {
    for (const [key, bucket] of this.#buckets)
      if (tokensAt(bucket, nowMs) >= bucket.rate.burst) this.#buckets.delete(key);
  }
}

function tokensAt({ tokens, atMs, rate }: Bucket, nowMs: number): number {
  return Math.min(rate.burst, tokens + (Math.max(0, nowMs - atMs) / 1_000) * rate.perSecond);
}
