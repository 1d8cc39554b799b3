/**
 * Remembers for two seconds what a credential stands for, so that a busy key costs one query in that time. A change is
 * in force everywhere after two seconds at most, and at once where the notice of it arrives.
 */
import { hash, randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";

/** Together with the gateway's own check every two seconds this keeps a revoked socket below five. */
const rememberMs = 2_000;
/** Bounds the memory that made-up credentials can take. */
const maxRemembered = 10_000;

/** 256 random bits, in 43 characters that are safe in headers and URLs. */
export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** What is stored of a secret. Its 256 random bits need no salt and no slow hash. */
export function hashSecret(secret: string): string {
  return hash("sha256", secret, "hex");
}

export class CredentialCache<T> {
  readonly #read: (secretHash: string) => Promise<T | undefined>;
  readonly #now: () => number;
  readonly #remembered = new LRUCache<string, { value: T | undefined; until: number }>({ max: maxRemembered });
  readonly #reading = new Map<string, Promise<T | undefined>>();
  /** Grows with every `clear`: what was read before one is not remembered after it. */
  #generation = 0;

  constructor(read: (secretHash: string) => Promise<T | undefined>, now: () => number = Date.now) {
    this.#read = read;
    this.#now = now;
  }

  /** Rejects when the store cannot be asked and the answer is not remembered. */
  async get(secret: string): Promise<T | undefined> {
    const secretHash = hashSecret(secret);
    const found = this.#remembered.get(secretHash);
    if (found && found.until > this.#now()) return found.value;
    const running = this.#reading.get(secretHash);
    if (running) return running;
    const reading = this.#readAndRemember(secretHash);
    this.#reading.set(secretHash, reading);
    try {
      return await reading;
    } finally {
      if (this.#reading.get(secretHash) === reading) this.#reading.delete(secretHash);
    }
  }

  clear(): void {
    this.#generation++;
    this.#remembered.clear();
    this.#reading.clear();
  }

  async #readAndRemember(secretHash: string): Promise<T | undefined> {
    const generation = this.#generation;
    const until = this.#now() + rememberMs;
    const value = await this.#read(secretHash);
    if (generation === this.#generation) this.#remembered.set(secretHash, { value, until });
    return value;
  }
}
