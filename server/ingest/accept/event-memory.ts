/**
 * The memory for bodies of events while they are read and taken: bounded in all, and for each tenant and key, so that slow
 * or many bodies of one leave memory for the others. First come, first served among those whose share is not used up.
 */
import { limits } from "../../contract/events.ts";
import { ProblemError } from "../../problem.ts";

/** Whose body it is. */
export interface BodySender {
  key: string;
  /** Whose keys share: the first node below the root that the key stands below. */
  tenant: string;
}

/** What a request has reserved of the memory for bodies. */
export interface Reservation {
  /** Counts bytes that arrived or were inflated. Throws ProblemError overloaded. */
  take(bytes: number): void;
  release(): void;
}

export interface EventMemoryOptions {
  /** Bytes that are set aside at once, in all; default 32 MiB. */
  maxBytes?: number;
  /** How long a request waits until others have released theirs; default 5,000. */
  timeoutMs?: number;
  random?: () => number;
}

/** What is set aside for a body of unknown length, and how many times larger a coded one is taken to become. */
const unknownBytes = 256 * 1024;
const usualInflation = 8;
/** How far bodies may outgrow what was set aside for them, in all, and those of one tenant. */
const growthBytes = 4 * limits.maxInflatedBytes;
const growthOfOneBytes = 2 * limits.maxInflatedBytes;
/** The share of all memory that one tenant, and one key, may reserve. */
const shareOfOne = 5 / 8;
/** Whoever holds no more than one full body is let in beyond what others may take. */
const assuredBytes = limits.maxInflatedBytes;

interface Waiting {
  sender: BodySender;
  bytes: number;
  enter: () => void;
}

export class EventMemory {
  readonly #maxBytes: number;
  readonly #shareBytes: number;
  readonly #assuredBytes: number;
  readonly #timeoutMs: number;
  readonly #random: () => number;
  readonly #held = { all: 0, tenants: new Map<string, number>(), keys: new Map<string, number>() };
  #waiting: Waiting[] = [];

  constructor({ maxBytes = 32 * 1024 * 1024, timeoutMs = 5_000, random = Math.random }: EventMemoryOptions = {}) {
    this.#maxBytes = maxBytes;
    this.#shareBytes = Math.floor(maxBytes * shareOfOne);
    this.#assuredBytes = Math.min(assuredBytes, Math.floor(this.#shareBytes / 2));
    this.#timeoutMs = timeoutMs;
    this.#random = random;
  }

  /**
   * Waits for memory for a body; nothing of it is read meanwhile, so its sender is held back by TCP. Throws
   * ProblemError overloaded when there is none in time.
   */
  async reserve(sender: BodySender, announcedBytes: number | undefined, isCoded: boolean): Promise<Reservation> {
    const usual = (announcedBytes ?? unknownBytes) * (isCoded ? usualInflation : 1);
    let reserved = Math.min(usual, limits.maxInflatedBytes, this.#shareBytes);
    await this.#wait(sender, reserved);
    let used = 0;
    return {
      take: (taken) => {
        used += taken;
        const more = used - reserved;
        if (more <= 0) return;
        if (!this.#mayGrow(sender, more)) throw this.#full();
        this.#hold(sender, more);
        reserved += more;
      },
      release: () => {
        this.#hold(sender, -reserved);
        reserved = 0;
        this.#letIn();
      },
    };
  }

  #wait(sender: BodySender, bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        sender,
        bytes,
        enter: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        reject(this.#full());
        this.#letIn();
      }, this.#timeoutMs);
      this.#waiting.push(entry);
      this.#letIn();
    });
  }

  #letIn(): void {
    let isFull = false;
    const left: Waiting[] = [];
    for (const entry of this.#waiting) {
      const { sender, bytes } = entry;
      const isAssured = this.#ofTenant(sender) + bytes <= this.#assuredBytes;
      const fits = this.#held.all + bytes <= this.#maxBytes + (isAssured ? growthBytes : 0);
      const enters = this.#fitsShare(sender, bytes) && fits && (isAssured || !isFull);
      if (enters) {
        this.#hold(sender, bytes);
        entry.enter();
        continue;
      }
      // Small bodies do not keep passing a large one that waits for others to end.
      isFull ||= this.#fitsShare(sender, bytes);
      left.push(entry);
    }
    this.#waiting = left;
  }

  #fitsShare(sender: BodySender, bytes: number): boolean {
    const ofKey = this.#ofKey(sender) + bytes;
    const ofTenant = this.#ofTenant(sender) + bytes;
    const assured = ofKey <= this.#assuredBytes ? this.#assuredBytes : 0;
    return ofKey <= this.#shareBytes && ofTenant <= this.#shareBytes + assured;
  }

  #mayGrow(sender: BodySender, more: number): boolean {
    const ofTenant = this.#ofTenant(sender) + more;
    const assured = ofTenant <= this.#assuredBytes ? this.#assuredBytes : 0;
    if (this.#held.all + more > this.#maxBytes + growthBytes + assured) return false;
    return ofTenant <= this.#shareBytes + growthOfOneBytes;
  }

  #hold({ tenant, key }: BodySender, bytes: number): void {
    this.#held.all += bytes;
    add(this.#held.tenants, tenant, bytes);
    add(this.#held.keys, key, bytes);
  }

  #ofKey({ key }: BodySender): number {
    return this.#held.keys.get(key) ?? 0;
  }

  #ofTenant({ tenant }: BodySender): number {
    return this.#held.tenants.get(tenant) ?? 0;
  }

  #full(): ProblemError {
    const seconds = 1 + Math.round(this.#random() * 2);
    return new ProblemError("overloaded", "too many bodies are being read at once", { retryAfterSeconds: seconds });
  }
}

function add(held: Map<string, number>, name: string, bytes: number): void {
  const left = (held.get(name) ?? 0) + bytes;
  if (left > 0) held.set(name, left);
  else held.delete(name);
}
