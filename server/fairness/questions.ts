/**
 * Who may ask now: every request of a known caller is a question, and what questions take of this process and of the stores
 * is shared fairly between those who ask. A question ends with its caller: what it asked of the stores ends too.
 */
import { setMaxListeners } from "node:events";
import { type Caller, FairTurns } from "./fair-turns.ts";

export const questionLimits = {
  maxOfCaller: 6,
  maxOfTenant: 12,
  most: 24,
  /** A tenant's only question waits for nobody until this many tenants ask at once. */
  maxWithFirst: 64,
  maxWaitingOfCaller: 200,
  maxWaitingOfTenant: 1_000,
  patienceMs: 30_000,
  /** Answers that are large, in all: each holds its figures in memory until it is sent. */
  maxLarge: 2,
  /** How long a question may take once it is its turn, until its answer begins. */
  maxMs: 60_000,
  /** Statements of one question that the store works on at once. */
  maxStatements: 8,
} as const;

/** The caller has gone, so nobody reads the answer. */
export class CallerGoneError extends Error {
  override name = "CallerGoneError";
}

/** It took longer than a question may. */
export class TooLongError extends Error {
  override name = "TooLongError";
}

/** One question while it is answered. */
export interface Question {
  caller: Caller;
  /** Aborted when the caller has gone (CallerGoneError) or it took too long (TooLongError). */
  signal: AbortSignal;
  /** Resolves when there is room for a large answer, which it keeps until the question ends. Throws NoTurnError. */
  becomeLarge(): Promise<void>;
  /** Whether it has, or waits for, room for a large answer. */
  readonly isLarge: boolean;
  /** Its answer is sent in pieces from now on: it ends when `isSent` is called, and may take as long as its caller reads. */
  send(): { isSent: () => void };
  /** Runs a statement when fewer than `maxStatements` of this question run. */
  ask<Answer>(statement: () => Promise<Answer>): Promise<Answer>;
}

export class Questions {
  readonly #turns = new FairTurns(questionLimits);
  readonly #large = new FairTurns({
    ...questionLimits,
    most: questionLimits.maxLarge,
    maxWithFirst: questionLimits.maxLarge,
    maxOfTenant: 1,
    maxOfCaller: 1,
  });

  /** Being answered, and waiting for it. */
  get running(): number {
    return this.#turns.running;
  }
  get waiting(): number {
    return this.#turns.waiting;
  }
  /** Waiting for room for a large answer. */
  get waitingLarge(): number {
    return this.#large.waiting;
  }

  /**
   * What `answer` gives for a question, when it is the caller's turn. `gone` is aborted when the caller has gone. Throws
   * NoTurnError, and whatever `answer` throws.
   */
  async answer<Answer>(
    caller: Caller,
    gone: AbortSignal,
    answer: (question: Question) => Promise<Answer>,
  ): Promise<Answer> {
    const ending = new AbortController();
    // Each of its statements that waits for its turn or runs listens, and takes its listener away: that many are no leak.
    setMaxListeners(0, ending.signal);
    const leave = () => ending.abort(new CallerGoneError("the caller has gone"));
    if (gone.aborted) leave();
    gone.addEventListener("abort", leave, { once: true });
    const ends: (() => void)[] = [() => gone.removeEventListener("abort", leave)];
    let parts = 1;
    const end = () => {
      if (--parts === 0) for (const one of ends.splice(0)) one();
    };
    try {
      ends.push(await this.#turns.take(caller, ending.signal));
      const timer = setTimeout(() => ending.abort(new TooLongError("it took too long")), questionLimits.maxMs);
      ends.push(() => clearTimeout(timer));
      const statements = new FairTurns(statementLimits);
      let isLarge = false;
      return await answer({
        caller,
        signal: ending.signal,
        becomeLarge: async () => {
          if (isLarge) return;
          isLarge = true;
          ends.push(await this.#large.take(caller, ending.signal));
        },
        get isLarge() {
          return isLarge;
        },
        send: () => {
          clearTimeout(timer);
          parts++;
          let isSent = false;
          return {
            isSent: () => {
              if (!isSent) end();
              isSent = true;
            },
          };
        },
        ask: async (statement) => {
          const over = await statements.take(caller, ending.signal);
          try {
            return await statement();
          } finally {
            over();
          }
        },
      });
    } finally {
      end();
    }
  }
}

const { maxStatements, maxMs } = questionLimits;
const statementLimits = {
  most: maxStatements,
  maxWithFirst: maxStatements,
  maxOfTenant: maxStatements,
  maxOfCaller: maxStatements,
  maxWaitingOfCaller: Number.POSITIVE_INFINITY,
  maxWaitingOfTenant: Number.POSITIVE_INFINITY,
  patienceMs: maxMs,
};
