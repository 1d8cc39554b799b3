/**
 * Remembers for two seconds what a credential stands for, so that a busy key costs one query in that time. A change is
 * in force everywhere after two seconds at most, and at once where the notice of it arrives. While the store cannot be
 * asked, credentials that were known go on, for as long as `holdMs`; those that this process knows as ended do not.
 * `fetch` of lru-cache is not used: a read that is under way when a credential is revoked could not be found and dropped there, and
 * its stale answer would be kept.
 */
import { hash, randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import { networkOf } from "../address-ranges.ts";
import { StrangerLookUps } from "./stranger-look-ups.ts";

/** Together with the gateway's own check every two seconds this keeps a revoked socket below five. */
const rememberMs = 2_000;
/** How long a known credential waits for a store that does not answer. */
const patienceMs = 1_000;
/** While the store is away it is asked so often, for each credential. */
const askAgainMs = 1_000;
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

export interface Holding {
  /** For so long after the store was found to be away, what was known before goes on. */
  holdMs: number;
  isUnavailable: (error: unknown) => boolean;
}

/** What these hashes stand for now, of those that stand for something. */
type ReadMany<T> = (secretHashes: readonly string[]) => Promise<ReadonlyMap<string, T>>;

interface Known<T> {
  value: T;
  until: number;
  /** What the cache's was when it was read. */
  generation: number;
}

export class CredentialCache<T> {
  readonly #readMany: ReadMany<T>;
  readonly #strangers: StrangerLookUps<T>;
  readonly #now: () => number;
  readonly #holding: Holding | undefined;
  readonly #known = new LRUCache<string, Known<T>>({ max: maxRemembered });
  /** Apart from what is known: made-up credentials push nobody's out of memory. */
  readonly #unknown = new LRUCache<string, number>({ max: maxRemembered });
  readonly #reading = new Map<string, Promise<T | undefined>>();
  /** Grows with every `clear`: what was read before one is not remembered after it. */
  #generation = 0;
  /** What was read before this one may have ended since without a notice. */
  #doubtedBefore = 0;
  #away: { sinceMs: number; askedAtMs: Map<string, number> } | undefined;

  constructor(readMany: ReadMany<T>, now: () => number = Date.now, holding: Holding | undefined = undefined) {
    this.#readMany = readMany;
    this.#strangers = new StrangerLookUps(readMany);
    this.#now = now;
    this.#holding = holding;
  }

  /** False when the store has been away for so long that nothing that was known counts any more. */
  get isTrusted(): boolean {
    return this.#away === undefined || this.#now() - this.#away.sinceMs <= (this.#holding?.holdMs ?? 0);
  }

  /**
   * Rejects when the store cannot be asked and the answer is not remembered, and with `too_fast` where too many that were never known here
   * come from the network of `address`: one that was known is asked about by itself, whatever others send.
   */
  async get(secret: string, address = ""): Promise<T | undefined> {
    const secretHash = hashSecret(secret);
    const nowMs = this.#now();
    const known = this.#known.get(secretHash);
    if (known && known.until > nowMs) return known.value;
    if ((this.#unknown.get(secretHash) ?? 0) > nowMs) return undefined;
    const held = known && this.#holding && known.generation >= this.#doubtedBefore ? known : undefined;
    if (!known) return await this.#readOnce(secretHash, () => this.#strangers.read(secretHash, networkOf(address)));
    if (!held) return await this.#readOnce(secretHash);
    if (this.#away && this.isTrusted && nowMs - (this.#away.askedAtMs.get(secretHash) ?? 0) < askAgainMs)
      return held.value;
    this.#away?.askedAtMs.set(secretHash, nowMs);
    return await this.#readOrHold(secretHash, held);
  }

  /** What these credentials stand for is looked at anew; one that has ended meanwhile does not go on without the store. */
  clear(isOfThese?: (value: T) => boolean): void {
    this.#generation++;
    this.#reading.clear();
    this.#unknown.clear();
    if (isOfThese) {
      for (const [secretHash, { value }] of this.#known.entries()) if (isOfThese(value)) this.#known.delete(secretHash);
      return;
    }
    if (!this.#holding) {
      this.#known.clear();
      return;
    }
    this.#doubtedBefore = this.#generation;
    for (const known of this.#known.values()) known.until = 0;
    this.#readKnown().catch(() => undefined);
  }

  #readOnce(secretHash: string, read = () => this.#readOne(secretHash)): Promise<T | undefined> {
    const running = this.#reading.get(secretHash);
    if (running) return running;
    const reading = this.#readAndRemember(secretHash, read).finally(() => {
      if (this.#reading.get(secretHash) === reading) this.#reading.delete(secretHash);
    });
    this.#reading.set(secretHash, reading);
    return reading;
  }

  async #readOrHold(secretHash: string, held: Known<T>): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const outOfPatience = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), patienceMs);
    });
    const reading = this.#readOnce(secretHash);
    reading.catch(() => undefined);
    try {
      const read = await Promise.race([reading.then((value) => ({ value })), outOfPatience]);
      if (read !== "late") return read.value;
      this.#away ??= { sinceMs: this.#now(), askedAtMs: new Map([[secretHash, this.#now()]]) };
    } catch (error) {
      if (!this.#holding?.isUnavailable(error)) throw error;
      this.#away?.askedAtMs.set(secretHash, this.#now());
      if (!this.#isHeld(secretHash, held)) throw error;
      return held.value;
    } finally {
      clearTimeout(timer);
    }
    return this.#isHeld(secretHash, held) ? held.value : await reading;
  }

  /** Whether it still counts, after notices that may have come meanwhile. */
  #isHeld(secretHash: string, held: Known<T>): boolean {
    return this.isTrusted && this.#known.get(secretHash) === held && held.generation >= this.#doubtedBefore;
  }

  async #readOne(secretHash: string): Promise<T | undefined> {
    return (await this.#readMany([secretHash])).get(secretHash);
  }

  async #readAndRemember(secretHash: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const generation = this.#generation;
    const until = this.#now() + rememberMs;
    const value = await this.#asked(read);
    if (generation === this.#generation) this.#remember(secretHash, value, until, generation);
    return value;
  }

  async #readKnown(): Promise<void> {
    const generation = this.#generation;
    const until = this.#now() + rememberMs;
    const hashes = [...this.#known.keys()];
    // Also of none: that the store answers is what makes this trusted again.
    const values = await this.#asked(() => this.#readMany(hashes));
    if (generation !== this.#generation) return;
    for (const secretHash of hashes) this.#remember(secretHash, values.get(secretHash), until, generation);
  }

  #remember(secretHash: string, value: T | undefined, until: number, generation: number): void {
    if (value === undefined) {
      this.#known.delete(secretHash);
      this.#unknown.set(secretHash, until);
    } else this.#known.set(secretHash, { value, until, generation });
  }

  async #asked<Result>(read: () => Promise<Result>): Promise<Result> {
    try {
      const result = await read();
      this.#away = undefined;
      return result;
    } catch (error) {
      if (this.#holding?.isUnavailable(error)) this.#away ??= { sinceMs: this.#now(), askedAtMs: new Map() };
      throw error;
    }
  }
}
