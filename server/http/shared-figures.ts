/**
 * What those who have a token of a dashboard may ask in a time, and the answers that they share. Anybody may pass a token on, so
 * a panel costs the stores one reading in a while, however many look at it, and nobody who makes tokens up costs more than a
 * refusal. Each process counts by itself.
 */
import { LRUCache } from "lru-cache";
import { networkOf } from "../address-ranges.ts";
import { secondMs } from "../contract/durations.ts";
import { type BucketRate, TokenBuckets } from "../fairness/token-buckets.ts";
import { ProblemError } from "../problem.ts";

/** Requests: a dashboard of six panels that is read again every minute makes seven a minute for each who looks at it. */
export const sharedRates = {
  /** With one token, or with tokens of one key for one dashboard and node. */
  ofShare: { burst: 240, perSecond: 8 },
  ofTenant: { burst: 960, perSecond: 32 },
  /** With tokens that open nothing, from one network. */
  ofStrangers: { burst: 30, perSecond: 0.5 },
} as const satisfies Record<string, BucketRate>;

/** For so long an answer stands for all who ask the same: figures of a dashboard are read again once a minute. */
export const sharedAnswerMs = 10 * secondMs;
const maxKeptBytes = 32 * 1024 * 1024;

export class SharedFigures {
  readonly #buckets: TokenBuckets;
  readonly #kept = new LRUCache<string, string>({
    maxSize: maxKeptBytes,
    sizeCalculation: (text) => Math.max(1, 2 * text.length),
    ttl: sharedAnswerMs,
  });
  readonly #reading = new Map<string, Promise<string>>();

  constructor(now: () => number = Date.now) {
    this.#buckets = new TokenBuckets(now);
  }

  /** Call it before a token is looked up. Throws `too_fast` where too many from there opened nothing. */
  checkStranger(address: string | undefined): void {
    this.#require([[strangersAt(address), sharedRates.ofStrangers]]);
  }

  countStranger(address: string | undefined): void {
    this.#buckets.take(strangersAt(address), sharedRates.ofStrangers, 1);
  }

  /** Throws `too_fast`, and then counts nothing. */
  countRequest({ caller, tenant }: { caller: string; tenant: string }): void {
    const rates: [string, BucketRate][] = [
      [`by ${caller}`, sharedRates.ofShare],
      [`of ${tenant}`, sharedRates.ofTenant],
    ];
    this.#require(rates);
    for (const [key, rate] of rates) this.#buckets.take(key, rate, 1);
  }

  /** The answer to `question` as JSON; `read` says whether it may be kept for others. What fails is kept for nobody. */
  async ask(question: string, read: () => Promise<{ text: string; isKept: boolean }>): Promise<string> {
    const kept = this.#kept.get(question);
    if (kept !== undefined) return kept;
    const running = this.#reading.get(question);
    if (running) return await running;
    const reading = read().then(({ text, isKept }) => {
      if (isKept) this.#kept.set(question, text);
      return text;
    });
    this.#reading.set(question, reading);
    const forget = () => this.#reading.delete(question);
    reading.then(forget, forget);
    return await reading;
  }

  #require(rates: readonly [string, BucketRate][]): void {
    const waits = rates.map(([key, rate]) => (1 - this.#buckets.tokens(key, rate)) / rate.perSecond);
    const waitSeconds = Math.max(...waits);
    if (waitSeconds > 0)
      throw new ProblemError("too_fast", "too many requests for this shared dashboard", {
        retryAfterSeconds: Math.ceil(waitSeconds),
      });
  }
}

const strangersAt = (address: string | undefined) => `from ${address === undefined ? "nowhere" : networkOf(address)}`;
