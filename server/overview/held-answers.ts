/**
 * Answers that may take the stores longer than a person should wait. What was read is kept: while nothing was stored since,
 * it is the answer. Else it is read again, and where that is known to be quick, who asks waits for it: so a service that
 * is not large always answers with everything that is stored. Where it is not, the held answer is given, which says by its
 * watermark how old it is, while the next one is being read.
 */
import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";

export interface HeldAnswersOptions {
  /** How long an answer of the same state holds: usage that is still open grows with time alone. */
  freshMs: number;
  /** How old an answer may be given while it is read again. */
  maxAgeMs: number;
  /** How long a reading may take for those who ask to wait for it while there is an older answer; may change. */
  patienceMs: () => number;
  maxAnswers: number;
  now?: (() => number) | undefined;
}

interface Held<Answer> {
  answer: Answer;
  state: string;
  readAtMs: number;
  /** The quickest reading of this key so far: others were held up by something else. */
  costMs: number;
}

interface Reading<Answer> {
  state: string;
  answer: Promise<Answer>;
}

/** What is not quick is read again so many times its length after it was: at most a fifth of the time is spent on one answer. */
const pausePerReading = 4;
/** Something holds the stores up where a quick reading takes this many times what people wait. */
const longestWait = 2;

export class HeldAnswers<Answer> {
  readonly #options: HeldAnswersOptions;
  readonly #now: () => number;
  readonly #held: LRUCache<string, Held<Answer>>;
  readonly #readings = new Map<string, Reading<Answer>>();

  constructor(options: HeldAnswersOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#held = new LRUCache({ max: options.maxAnswers });
  }

  /**
   * `state` is another one whenever `read` could answer otherwise; `isPatient` waits for an answer of this state however
   * long it takes. Rejects as `read` does where nothing held may be given.
   */
  async ask(key: string, state: string, isPatient: boolean, read: () => Promise<Answer>): Promise<Answer> {
    const { freshMs, maxAgeMs } = this.#options;
    const held = this.#held.get(key);
    const ageMs = held ? this.#now() - held.readAtMs : Number.POSITIVE_INFINITY;
    if (held && held.state === state && ageMs <= freshMs) return held.answer;
    if (!held || ageMs > maxAgeMs || isPatient) return await this.#read(key, state, read);
    const patienceMs = this.#options.patienceMs();
    const isQuick = held.costMs <= patienceMs;
    if (!isQuick && ageMs < held.costMs * (1 + pausePerReading)) return held.answer;
    // Its failure is met by the next one that asks when what is held has become too old.
    const reading = this.#read(key, state, read).catch(() => held.answer);
    return isQuick
      ? await Promise.race([reading, delay(patienceMs * longestWait, held.answer, { ref: false })])
      : held.answer;
  }

  /** Who asks while an older state is being read waits for that and reads again: what was stored before asking is in the answer. */
  #read(key: string, state: string, read: () => Promise<Answer>): Promise<Answer> {
    const running = this.#readings.get(key);
    if (running?.state === state) return running.answer;
    const begin = async () => {
      await running?.answer.catch(() => undefined);
      const readAtMs = this.#now();
      const startedAtMs = performance.now();
      const answer = await read();
      const costMs = Math.min(performance.now() - startedAtMs, this.#held.get(key)?.costMs ?? Number.POSITIVE_INFINITY);
      this.#held.set(key, { answer, state, readAtMs, costMs });
      return answer;
    };
    const reading: Reading<Answer> = { state, answer: begin() };
    this.#readings.set(key, reading);
    const forget = () => {
      if (this.#readings.get(key) === reading) this.#readings.delete(key);
    };
    reading.answer.then(forget, forget);
    return reading.answer;
  }
}
