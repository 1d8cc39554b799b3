/** Passwords as argon2id hashes. */
import { hash, verify } from "@node-rs/argon2";
import { ProblemError } from "../problem.ts";
import { newSecret } from "./credential-cache.ts";

/** argon2id as OWASP advises: 19 MiB, two passes; some 30 ms of one core. */
const hashing = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** For strangers together, who may be one attacker's thousand: about a second of hashing. */
const maxWaitingStrangers = 30;

/** Whose password it is: a `stranger` comes after everybody who is known, and is refused where too many wait. */
export type Turn = "known" | "stranger";

export class Passwords {
  /** What passwords of unknown accounts are compared with, so that they take as long as known ones. */
  readonly #decoy: Promise<string>;
  readonly #waiting: Record<Turn, (() => Promise<void>)[]> = { known: [], stranger: [] };
  /** One password at a time: hashing shares its threads with the disk, whose syncs must not wait behind it. */
  #isHashing = false;

  constructor() {
    this.#decoy = this.hash(newSecret());
  }

  hash(password: string): Promise<string> {
    return this.#inTurn("known", () => hash(password, hashing));
  }

  /** False without a hash, after the same time. Throws `overloaded` where too many strangers wait. */
  async matches(passwordHash: string | null | undefined, password: string, turn: Turn): Promise<boolean> {
    const known = passwordHash ?? (await this.#decoy);
    return (await this.#inTurn(turn, () => verify(known, password))) && typeof passwordHash === "string";
  }

  #inTurn<T>(turn: Turn, work: () => Promise<T>): Promise<T> {
    if (turn === "stranger" && this.#waiting.stranger.length >= maxWaitingStrangers)
      throw new ProblemError("overloaded", "too many people are signing in at once; try again", {
        retryAfterSeconds: 2,
      });
    return new Promise<T>((resolve, reject) => {
      this.#waiting[turn].push(() => work().then(resolve, reject));
      void this.#next();
    });
  }

  async #next(): Promise<void> {
    if (this.#isHashing) return;
    this.#isHashing = true;
    for (;;) {
      const next = this.#waiting.known.shift() ?? this.#waiting.stranger.shift();
      if (!next) break;
      await next();
    }
    this.#isHashing = false;
  }
}
