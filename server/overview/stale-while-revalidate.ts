/**
 * A stale-while-revalidate cache of answers that may take the stores longer than a person should wait. While nothing was
 * stored since an answer was read, it is fresh. A stale one is read again; where that is known to be quick, the caller waits
 * for it, so that a small service always answers with everything that is stored. Where it is not, the stale answer is given,
 * which says by its watermark how old it is, while the next one is being read.
 */
import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";

export interface CacheOptions {
  /** How long an answer of the same state is fresh: usage that is still open grows with time alone. */
  freshMs: number;
  /** How old an answer may be given while it is read again. */
  maxAgeMs: number;
  /** How long a reading may take for those who ask to wait for it while there is an older answer; may change. */
  waitMs: () => number;
  maxAnswers: number;
  now?: (() => number) | undefined;
}

interface Cached<Answer> {
  answer: Answer;
  state: string;
  readAtMs: number;
  /** The quickest reading of this key so far: others were held up by something else. */
  costMs: number;
}

interface Reading<Answer> {
  state: string;
  /** The newest state that was asked for before it began. */
  read: () => Promise<Answer>;
  hasBegun: boolean;
  answer: Promise<Answer>;
}

export interface CacheKey {
  /** Whose readings share the bound on those for which nobody waits. */
  tenant: string;
  key: string;
}

/** Readings at once for which nobody may be waiting, so that they are in nobody's turn. Beyond them the stale answer is given, and the next to ask may begin one. */
const maxUnawaited = { ofTenant: 8, inAll: 24 };

/** A slow answer is read again only after this many times the length of its reading: at most a fifth of the time is spent on it. */
const pausePerReading = 4;
/** A quick reading that takes this many times the usual wait is held up: the stale answer is given. */
const longestWait = 2;

export class StaleWhileRevalidateCache<Answer> {
  readonly #options: CacheOptions;
  readonly #now: () => number;
  readonly #cached: LRUCache<string, Cached<Answer>>;
  readonly #readings = new Map<string, Reading<Answer>>();
  /** By tenant. */
  readonly #unawaited = new Map<string, number>();

  constructor(options: CacheOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#cached = new LRUCache({ max: options.maxAnswers });
  }

  /**
   * `state` is another one whenever `read` could answer otherwise; `mustRevalidate` waits for an answer of this state however
   * long it takes. Rejects as `read` does where no cached answer may be given.
   */
  async ask(
    { tenant, key }: CacheKey,
    state: string,
    mustRevalidate: boolean,
    read: () => Promise<Answer>,
  ): Promise<Answer> {
    const { freshMs, maxAgeMs } = this.#options;
    const cached = this.#cached.get(key);
    const ageMs = cached ? this.#now() - cached.readAtMs : Number.POSITIVE_INFINITY;
    if (cached && cached.state === state && ageMs <= freshMs) return cached.answer;
    if (!cached || ageMs > maxAgeMs || mustRevalidate) return await this.#read(key, state, read);
    const waitMs = this.#options.waitMs();
    const isQuick = cached.costMs <= waitMs;
    if (!isQuick && ageMs < cached.costMs * (1 + pausePerReading)) return cached.answer;
    if (!this.#mayReadUnawaited(tenant)) return cached.answer;
    // Its failure is met by the next one that asks when the cached answer has become too old.
    this.#countUnawaited(tenant, 1);
    const reading = this.#read(key, state, read)
      .catch(() => cached.answer)
      .finally(() => this.#countUnawaited(tenant, -1));
    return isQuick
      ? await Promise.race([reading, delay(waitMs * longestWait, cached.answer, { ref: false })])
      : cached.answer;
  }

  /** The newest that there is, however old. */
  latest(key: string): Answer | undefined {
    return this.#cached.get(key)?.answer;
  }

  #mayReadUnawaited(tenant: string): boolean {
    const inAll = [...this.#unawaited.values()].reduce((sum, readings) => sum + readings, 0);
    return (this.#unawaited.get(tenant) ?? 0) < maxUnawaited.ofTenant && inAll < maxUnawaited.inAll;
  }

  #countUnawaited(tenant: string, change: 1 | -1): void {
    const readings = (this.#unawaited.get(tenant) ?? 0) + change;
    if (readings > 0) this.#unawaited.set(tenant, readings);
    else this.#unawaited.delete(tenant);
  }

  /**
   * A caller that asks while an older state is being read waits for that, and for one more reading that all share who ask before
   * it begins: events stored before asking are in the answer.
   */
  #read(key: string, state: string, read: () => Promise<Answer>): Promise<Answer> {
    const running = this.#readings.get(key);
    if (running?.state === state) return running.answer;
    if (running && !running.hasBegun) {
      Object.assign(running, { state, read });
      return running.answer;
    }
    const begin = async (reading: Omit<Reading<Answer>, "answer">) => {
      if (running) await running.answer.catch(() => undefined);
      reading.hasBegun = true;
      const { state } = reading;
      const readAtMs = this.#now();
      const startedAtMs = performance.now();
      const answer = await reading.read();
      const costMs = Math.min(
        performance.now() - startedAtMs,
        this.#cached.get(key)?.costMs ?? Number.POSITIVE_INFINITY,
      );
      this.#cached.set(key, { answer, state, readAtMs, costMs });
      return answer;
    };
    const waiting = { state, read, hasBegun: false };
    const reading: Reading<Answer> = Object.assign(waiting, { answer: begin(waiting) });
    this.#readings.set(key, reading);
    const forget = () => {
      if (this.#readings.get(key) === reading) this.#readings.delete(key);
    };
    reading.answer.then(forget, forget);
    return reading.answer;
  }
}
