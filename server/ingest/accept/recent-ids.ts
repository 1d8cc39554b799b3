/**
 * An exact table of the identities taken last, 20 bytes each: (identity hash, body hash), open-addressed in typed arrays
 * so that millions of them cost the garbage collector nothing. It is filled in generations; the oldest is let go when a
 * new one is needed and all in it is settled, so whatever is not yet in storage is here.
 */
import { comparePositions, type LogPosition } from "../log/write-ahead-log.ts";

export type RecentAnswer =
  /** Not among the recent ones. */
  | "unknown"
  | "same_body"
  /** Exactly this identity, with another body. */
  | "other_body"
  /** The identity hash is known with another body, but whether it is this identity is no longer known here. */
  | "unsure";

export interface RecentIdsOptions {
  /** Slots of a generation, a power of two; it is full at three quarters. */
  slots: number;
  /** How many generations may wait for storage before the oldest is let go unsettled. */
  maxGenerations: number;
}

const forgotten = 0xffff_ffff;
/** Whole identities are kept for this many of the latest, to tell a conflict from two identities with one hash. */
const exactIdentities = 2 ** 17;

class Generation {
  /** Four words an entry: identity hash low and high, body hash low and high. */
  readonly entries: Uint32Array;
  /** 0: empty slot; `forgotten`: its append failed; else the number of the entry in order of arrival. */
  readonly orders: Uint32Array;
  used = 0;
  /** Entries whose append has not resolved. */
  unlogged = 0;
  lastPosition: LogPosition | undefined;

  constructor(slots: number) {
    this.entries = new Uint32Array(slots * 4);
    this.orders = new Uint32Array(slots);
  }

  clear(): void {
    this.entries.fill(0);
    this.orders.fill(0);
    this.used = 0;
    this.lastPosition = undefined;
  }
}

/** The entries that one request added; exactly one of `logged` and `forget` must follow. */
export class Claims {
  readonly #slots = new Map<Generation, number[]>();

  add(generation: Generation, slot: number): void {
    generation.unlogged++;
    const slots = this.#slots.get(generation);
    if (slots) slots.push(slot);
    else this.#slots.set(generation, [slot]);
  }

  /** Their record ends at `position` and is on disk. */
  logged(position: LogPosition): void {
    for (const [generation, { length }] of this.#slots) {
      generation.unlogged -= length;
      if (!generation.lastPosition || comparePositions(position, generation.lastPosition) > 0) {
        generation.lastPosition = position;
      }
    }
  }

  /** Their record was not taken: they are as new as before. */
  forget(): void {
    for (const [generation, slots] of this.#slots) {
      generation.unlogged -= slots.length;
      for (const slot of slots) generation.orders[slot] = forgotten;
    }
  }
}

export class RecentIds {
  readonly #generations: Generation[];
  readonly #slotMask: number;
  readonly #capacity: number;
  readonly #maxGenerations: number;
  readonly #identities: string[] = new Array<string>(exactIdentities).fill("");
  #arrivals = 0;
  #settled: LogPosition | undefined;
  #uncertainThrough: LogPosition | undefined;
  readonly #scratch = new BigUint64Array(2);
  readonly #words = new Uint32Array(this.#scratch.buffer);

  constructor({ slots, maxGenerations }: RecentIdsOptions) {
    if (!Number.isInteger(Math.log2(slots))) throw new RangeError(`slots must be a power of two, not ${slots}`);
    this.#slotMask = slots - 1;
    this.#capacity = Math.floor(slots * 0.75);
    this.#maxGenerations = maxGenerations;
    this.#generations = [new Generation(slots)];
  }

  find(identity: string, idHash: bigint, bodyHash: bigint): RecentAnswer {
    this.#scratch[0] = idHash;
    this.#scratch[1] = bodyHash;
    for (const generation of this.#generations) {
      const slot = this.#slotOf(generation);
      const order = generation.orders[slot] as number;
      if (order === 0 || order === forgotten) continue;
      const kept = this.#identityAt(order);
      // Two identities with one hash: this one may be anywhere, only storage knows.
      if (kept !== undefined && kept !== identity) return "unsure";
      const at = slot * 4;
      if (generation.entries[at + 2] === this.#words[2] && generation.entries[at + 3] === this.#words[3])
        return "same_body";
      return kept === undefined ? "unsure" : "other_body";
    }
    return "unknown";
  }

  /** Adds what `find` answered "unknown" for. */
  add(identity: string, idHash: bigint, bodyHash: bigint, claims: Claims): void {
    if ((this.#generations[0] as Generation).used >= this.#capacity) this.#startGeneration();
    const generation = this.#generations[0] as Generation;
    this.#scratch[0] = idHash;
    this.#scratch[1] = bodyHash;
    const slot = this.#slotOf(generation);
    if (generation.orders[slot] === 0) generation.used++;
    generation.entries.set(this.#words, slot * 4);
    this.#arrivals = (this.#arrivals % (forgotten - 1)) + 1;
    generation.orders[slot] = this.#arrivals;
    this.#identities[this.#arrivals % exactIdentities] = identity;
    claims.add(generation, slot);
  }

  /** Everything in the log up to `position` can be found in storage. */
  settledThrough(position: LogPosition): void {
    this.#settled = position;
    if (this.#uncertainThrough && comparePositions(position, this.#uncertainThrough) >= 0)
      this.#uncertainThrough = undefined;
  }

  /** Whether all that is not in storage is here; false after an outage so long that a generation was let go unsettled. */
  get isCertain(): boolean {
    return this.#uncertainThrough === undefined;
  }

  #startGeneration(): void {
    const oldest = this.#generations.at(-1) as Generation;
    const isSettled =
      oldest.unlogged === 0 &&
      (!oldest.lastPosition ||
        (this.#settled !== undefined && comparePositions(oldest.lastPosition, this.#settled) <= 0));
    const mustGo = this.#generations.length >= this.#maxGenerations && oldest.unlogged === 0;
    if (this.#generations.length < 2 || !(isSettled || mustGo)) {
      this.#generations.unshift(new Generation(this.#slotMask + 1));
      return;
    }
    if (!isSettled) this.#uncertainThrough = oldest.lastPosition;
    this.#generations.pop();
    oldest.clear();
    this.#generations.unshift(oldest);
  }

  /** The slot that holds the identity hash in `scratch`, or the empty one where it would go. */
  #slotOf(generation: Generation): number {
    const low = this.#words[0] as number;
    const high = this.#words[1] as number;
    let slot = low & this.#slotMask;
    while (generation.orders[slot] !== 0) {
      const at = slot * 4;
      if (generation.entries[at] === low && generation.entries[at + 1] === high) break;
      slot = (slot + 1) & this.#slotMask;
    }
    return slot;
  }

  #identityAt(order: number): string | undefined {
    return (this.#arrivals - order) >>> 0 < exactIdentities ? this.#identities[order % exactIdentities] : undefined;
  }
}
