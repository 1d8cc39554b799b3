/**
 * Derives batches while they are being stored, in the order in which they were sealed, and has them settled in it. While what one
 * changed is written, the next are worked on.
 */
import type { Derivation, LevelMaterializer } from "../../rollups/derive-levels.ts";
import { maxBatchBytes } from "./log-pieces.ts";
import type { SealedBatch } from "./seal-batch.ts";
import { createSignal } from "./signal.ts";

/** How far sealing may run ahead of deriving, in batches and in bytes of their lines. */
const maxDerivableBatches = 16;
const maxDerivableBytes = 2 * maxBatchBytes;

export interface StoringBatch extends Pick<SealedBatch, "manifest" | "organizations" | "rows" | "receipts"> {
  bytes: number;
  stored: Promise<void>;
}

export interface BatchDerivationsDeps {
  materializer: Pick<LevelMaterializer, "deriveEvents">;
  now: () => number;
  /** Tries again until it succeeds; rejects only when the service stops. */
  untilDone: (derive: (attempt: number) => Promise<Derivation>) => Promise<Derivation>;
  /** What was derived together is settled together. `touched`: addresses of nodes of which levels may have changed. */
  settle: (group: readonly StoringBatch[], touched: ReadonlySet<string>) => Promise<void>;
}

export class BatchDerivations {
  readonly #deps: BatchDerivationsDeps;
  /** Batches that wait for their derivation. Far behind, many are derived at once: a session they share is derived once. */
  #waiting: StoringBatch[] = [];
  /** Ends when all that were handed on wait. */
  #handedOn: Promise<void> = Promise.resolve();
  /** While they are worked on; never rejects. */
  #working: Promise<void> | undefined;
  /** Ends when all that were worked on are written and settled. */
  #settled: Promise<void> = Promise.resolve();

  constructor(deps: BatchDerivationsDeps) {
    this.#deps = deps;
  }

  /** Resolves when the next one may be handed on. `stored`: when storage has it. */
  handOn({ manifest, organizations, rows, receipts }: SealedBatch, stored: Promise<void>): Promise<void> {
    const isFull = () => this.#waiting.length >= maxDerivableBatches || bytesOf(this.#waiting) >= maxDerivableBytes;
    this.#handedOn = this.#handedOn.then(async () => {
      while (this.#working && isFull()) await this.#working;
      const bytes = rows.bytes(0, rows.length).reduce((sum, { length }) => sum + length, 0);
      this.#waiting.push({ manifest, organizations, rows, receipts, bytes, stored });
      this.#working ??= this.#workOnWaiting().finally(() => {
        this.#working = undefined;
      });
    });
    return this.#handedOn;
  }

  /** Resolves when all that were handed on are settled; rejects when the service stops before. */
  async settled(): Promise<void> {
    await this.#handedOn;
    await this.#working;
    await this.#settled;
  }

  async #workOnWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const worked = createSignal();
      const before = this.#settled;
      this.#settled = this.#derive(group, before, worked.set).then(async (touched) => {
        await before;
        await this.#deps.settle(group, touched);
      });
      // Who awaits it next sees the rejection.
      this.#settled.catch(worked.set);
      await worked.next();
      // Where batches wait for each other already, more of them at once cost less than time is won beside a write.
      if (group.length > 1) await this.#settled.catch(() => undefined);
    }
  }

  /** Calls `onWorked` when the next ones would be derived at once, which is before these are stored or written. */
  async #derive(group: readonly StoringBatch[], before: Promise<void>, onWorked: () => void) {
    const { materializer, now, untilDone } = this.#deps;
    const lines = linesOf(group);
    const stored = asSealed(group);
    stored.catch(() => undefined);
    if (lines.length === 0) {
      onWorked();
      await stored;
      return new Set<string>();
    }
    const { changedNodes } = await untilDone(async (attempt) => {
      if (attempt === 0) return await materializer.deriveEvents({ lines, stored }, now(), onWorked);
      // What failed is done again in order, one by one, and with what was stored in the end.
      await before;
      await Promise.all(group.map((batch) => batch.stored));
      const again = { lines: linesOf(group), stored: Promise.resolve(numbersOf(group)) };
      return await materializer.deriveEvents(again, now());
    });
    onWorked();
    return changedNodes;
  }
}

/** Resolves with the numbers of the batches when they are stored; rejects where storage has refused events that are in `linesOf` now. */
async function asSealed(group: readonly StoringBatch[]): Promise<number[]> {
  const refused = () => group.reduce((sum, { manifest }) => sum + manifest.refused.length, 0);
  const refusedBefore = refused();
  await Promise.all(group.map(({ stored }) => stored));
  if (refused() > refusedBefore) throw new Error("storage refused events of what is derived");
  return numbersOf(group);
}

const bytesOf = (batches: readonly StoringBatch[]) => batches.reduce((sum, { bytes }) => sum + bytes, 0);
const partsOf = (batches: readonly StoringBatch[]) =>
  batches.flatMap(({ manifest, rows }) => manifest.parts.map((part) => ({ ...part, rows })));
const numbersOf = (batches: readonly StoringBatch[]) => partsOf(batches).map(({ batch }) => batch);
/** Those of the events that storage has not refused. */
const linesOf = (batches: readonly StoringBatch[]) =>
  partsOf(batches).flatMap(({ rows, from, to }) => rows.bytes(from, to));
