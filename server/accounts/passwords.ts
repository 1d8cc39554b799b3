/** Passwords as argon2id hashes. */
import { hash, verify } from "@node-rs/argon2";
import { newSecret } from "./credential-cache.ts";

/** argon2id as OWASP advises: 19 MiB, two passes; some 30 ms of one core. */
const hashing = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export class Passwords {
  /** What passwords of unknown accounts are compared with, so that they take as long as known ones. */
  readonly #decoy: Promise<string>;
  /** One password at a time: hashing shares its threads with the disk, whose syncs must not wait behind it. */
  #hashing: Promise<unknown> = Promise.resolve();

  constructor() {
    this.#decoy = this.hash(newSecret());
  }

  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(password, hashing));
  }

  /** False without a hash, after the same time. */
  async matches(passwordHash: string | null | undefined, password: string): Promise<boolean> {
    const known = passwordHash ?? (await this.#decoy);
    return (await this.#inTurn(() => verify(known, password))) && typeof passwordHash === "string";
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#hashing.then(work);
    this.#hashing = result.catch(() => {});
    return result;
  }
}
