/** Passwords as argon2id hashes. */
import { hash, verify } from "@node-rs/argon2";
import { ProblemError } from "../problem.ts";
import { newSecret } from "./credential-cache.ts";

/** argon2id as OWASP advises: 19 MiB, two passes; some 30 ms of one core. */
const hashing = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** How many hashes may wait: of one account or link, of all that are known, of strangers, who may be one attacker's thousand. */
export const maxWaiting = { ofAccount: 2, known: 100, strangers: 30 } as const;
/** Where strangers wait, one of them has a turn after so many who are known. */
const knownPerStranger = 3;

/**
 * Whose password it is: a `stranger` never signed in from where they are; `known` names the account, or whatever else bounds how
 * often its owner is asked.
 */
export type Turn = "stranger" | { known: string };

interface Waiting {
  account: string;
  run: () => Promise<void>;
}

export class Passwords {
  /** What passwords of unknown accounts are compared with, so that they take as long as known ones. */
  readonly #decoy = hash(newSecret(), hashing);
  readonly #known: Waiting[] = [];
  readonly #strangers: Waiting["run"][] = [];
  /** One password at a time: hashing shares its threads with the disk, whose syncs must not wait behind it. */
  #isHashing = false;
  /** Who had turns since a stranger had one. */
  #knownServed = 0;

  /** `known` as `Turn` has it. Throws `overloaded` where too many wait. */
  hash(password: string, known: string): Promise<string> {
    return this.#inTurn({ known }, () => hash(password, hashing));
  }

  /** False without a hash, after the same time. Throws `overloaded` where too many wait. */
  async matches(passwordHash: string | null | undefined, password: string, turn: Turn): Promise<boolean> {
    const known = passwordHash ?? (await this.#decoy);
    return (await this.#inTurn(turn, () => verify(known, password))) && typeof passwordHash === "string";
  }

  #inTurn<T>(turn: Turn, work: () => Promise<T>): Promise<T> {
    if (this.#isFull(turn))
      throw new ProblemError("overloaded", "too many people are signing in at once; try again", {
        retryAfterSeconds: 2,
      });
    return new Promise<T>((resolve, reject) => {
      const run = () => work().then(resolve, reject);
      if (turn === "stranger") this.#strangers.push(run);
      else this.#known.push({ account: turn.known, run });
      void this.#work();
    });
  }

  #isFull(turn: Turn): boolean {
    if (turn === "stranger") return this.#strangers.length >= maxWaiting.strangers;
    const own = this.#known.filter(({ account }) => account === turn.known);
    return own.length >= maxWaiting.ofAccount || this.#known.length >= maxWaiting.known;
  }

  async #work(): Promise<void> {
    if (this.#isHashing) return;
    this.#isHashing = true;
    for (let run = this.#next(); run; run = this.#next()) await run();
    this.#isHashing = false;
  }

  #next(): Waiting["run"] | undefined {
    const isStrangersTurn = this.#knownServed >= knownPerStranger || this.#known.length === 0;
    const stranger = isStrangersTurn ? this.#strangers.shift() : undefined;
    this.#knownServed = stranger ? 0 : this.#knownServed + 1;
    return stranger ?? this.#known.shift()?.run;
  }
}
