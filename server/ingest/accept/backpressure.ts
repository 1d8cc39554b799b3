/**
 * Who may send now: a token bucket of events for each key, a bound on the bodies held in memory, and a stop before the
 * log or its disk is full. A refusal says when to come back.
 */
import { limits } from "../../contract/events.ts";
import { type BucketRate, TokenBuckets } from "../../fairness/token-buckets.ts";
import { ProblemError } from "../../problem.ts";
import { EventMemory, type EventMemoryOptions } from "./event-memory.ts";

export interface AdmissionOptions {
  log: { readonly backlogBytes: number; readonly maxBytes: number };
  /** Default 50,000. */
  eventsPerSecond?: number;
  /** Events a key may send at once after a pause; at least one full request. Default 100,000. */
  burstEvents?: number;
  /** The memory for bodies, a tenth or so of what they cost once parsed. */
  memory?: EventMemoryOptions;
  /** Free bytes on the log's disk, asked at most once a second; without it the disk is not watched. */
  freeDiskBytes?: () => Promise<number>;
  now?: () => number;
  random?: () => number;
}

export interface RateState {
  limit: number;
  remaining: number;
  /** Until the bucket is full again. */
  resetSeconds: number;
}

/** Above this share of its bound the log is drained before more is taken. */
const overloadedShare = 0.8;
/** With less than this on the log's disk nothing more is taken. */
const minFreeDiskBytes = 256 * 1024 * 1024;

export class Admission {
  readonly memory: EventMemory;
  readonly #log: AdmissionOptions["log"];
  readonly #rate: BucketRate;
  readonly #freeDiskBytes: (() => Promise<number>) | undefined;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #buckets: TokenBuckets;
  #isDiskLow = false;
  #diskAskedAtMs = Number.NEGATIVE_INFINITY;
  #backlogSeen: { bytes: number; atMs: number } | undefined;
  #drainBytesPerSecond = 0;

  constructor(options: AdmissionOptions) {
    this.#log = options.log;
    this.memory = new EventMemory(options.memory);
    this.#rate = {
      perSecond: options.eventsPerSecond ?? 50_000,
      burst: Math.max(options.burstEvents ?? 100_000, limits.maxEventsPerRequest),
    };
    this.#freeDiskBytes = options.freeDiskBytes;
    this.#now = options.now ?? Date.now;
    this.#buckets = new TokenBuckets(this.#now);
    this.#random = options.random ?? Math.random;
  }

  /** Whether requests are refused now because the log or its disk is nearly full; for /readyz. */
  get isOverloaded(): boolean {
    this.#watchDisk();
    return this.#isDiskLow || this.#log.backlogBytes > overloadedShare * this.#log.maxBytes;
  }

  /** Before a byte of the body is read. Throws ProblemError: overloaded, too_fast, body_too_large. */
  enter(key: string, announcedBytes: number | undefined, maxBytes: number): void {
    this.#watchBacklog();
    if (this.isOverloaded) {
      throw new ProblemError("overloaded", "more events are waiting to be stored than can be accepted now", {
        retryAfterSeconds: this.#retryAfterSeconds(),
      });
    }
    if (announcedBytes !== undefined && announcedBytes > maxBytes) {
      throw new ProblemError("body_too_large", `the body is larger than ${maxBytes} bytes`);
    }
    if (this.#buckets.tokens(key, this.#rate) < 1) throw this.#tooFast(1, 0);
  }

  /** Takes the events of a request from the key's bucket. Throws ProblemError too_fast, and then takes none. */
  spend(key: string, events: number): RateState {
    const tokens = this.#buckets.tokens(key, this.#rate);
    if (tokens < events) throw this.#tooFast(events, tokens);
    this.#buckets.take(key, this.#rate, events);
    return this.rateOf(key);
  }

  rateOf(key: string): RateState {
    const { burst, perSecond } = this.#rate;
    const tokens = this.#buckets.tokens(key, this.#rate);
    return {
      limit: burst,
      remaining: Math.floor(tokens),
      resetSeconds: Math.ceil((burst - tokens) / perSecond),
    };
  }

  #tooFast(events: number, tokens: number): ProblemError {
    const seconds = Math.max(1, Math.ceil((events - tokens) / this.#rate.perSecond));
    return new ProblemError("too_fast", `this key can send ${this.#rate.perSecond} events per second`, {
      retryAfterSeconds: seconds,
    });
  }

  /** The time until the backlog is below the mark at the speed it drains, with jitter so that senders do not return at once. */
  #retryAfterSeconds(): number {
    const excess = this.#log.backlogBytes - overloadedShare * this.#log.maxBytes;
    const seconds = this.#drainBytesPerSecond > 0 ? excess / this.#drainBytesPerSecond : 30;
    return Math.round(Math.min(30, Math.max(5, seconds * (0.75 + this.#random() / 2))));
  }

  #watchBacklog(): void {
    const atMs = this.#now();
    const bytes = this.#log.backlogBytes;
    if (this.#backlogSeen && atMs - this.#backlogSeen.atMs < 1000) return;
    if (this.#backlogSeen) {
      this.#drainBytesPerSecond = ((this.#backlogSeen.bytes - bytes) / (atMs - this.#backlogSeen.atMs)) * 1000;
    }
    this.#backlogSeen = { bytes, atMs };
  }

  #watchDisk(): void {
    if (!this.#freeDiskBytes || this.#now() - this.#diskAskedAtMs < 1000) return;
    this.#diskAskedAtMs = this.#now();
    this.#freeDiskBytes().then(
      (bytes) => {
        this.#isDiskLow = bytes < minFreeDiskBytes;
      },
      // A disk that cannot be asked is found out by the next append.
      () => undefined,
    );
  }
}
