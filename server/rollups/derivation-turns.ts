/**
 * Whose turn it is to derive. One derivation at a time works on what memory holds, two at once could each see the other's session
 * half changed; what it came to is written, in the order of the work. While one is written the next may work already, but only on
 * what memory holds: storage does not have all that memory has. One that cannot be written takes with it what worked on meanwhile,
 * and memory with both.
 */
import type { FencingEpoch } from "./fencing-epoch.ts";

export interface DerivationTurnsDeps {
  nextVersion: () => number;
  /** Throws while another process derives. */
  currentEpoch: () => FencingEpoch;
  /** Another epoch has begun: others may have stored what is not known here. */
  enterEpoch: () => void;
  /** Puts back what derivations wrote, under this version and later ones, that did not end. */
  undo: (epoch: number, since: number) => Promise<void>;
  /** What memory holds may be what was not written, or not have what was. */
  invalidate: () => void;
}

/** What a derivation came to while those before it were being written. */
export interface Unwritten<Result> {
  result: Result;
  /** Writes it. */
  write: () => Promise<void>;
}

/** One that works while another is written. */
export interface OverlappingTurn {
  epoch: number;
  /** Resolves when storage has all that derivations before this one came to; rejects where it does not. */
  allWritten: () => Promise<void>;
}

export class DerivationTurns {
  readonly #deps: DerivationTurnsDeps;
  /** Ends, and never rejects, with the work of the last turn. */
  #worked: Promise<unknown> = Promise.resolve();
  /** Ends, and never rejects, with the writing of the last turn, and with that of the one before it. */
  #written: Promise<unknown> = Promise.resolve();
  #writtenBefore: Promise<unknown> = Promise.resolve();
  /** Versions from which on derivations wrote that have not ended. */
  readonly #unfinished = new Set<number>();
  #failures = 0;
  /** Whether something is to be undone before anything else is derived. */
  #isUndoDue = false;
  #epoch = 0;

  constructor(deps: DerivationTurnsDeps) {
    this.#deps = deps;
  }

  /** The version from which on written edges may be of a derivation that has not ended; undefined: all have. */
  get unfinishedSince(): number | undefined {
    return this.#unfinished.size > 0 ? Math.min(...this.#unfinished) : undefined;
  }

  /** Runs `work`, which also writes, while nothing else works or is written. */
  alone<Result>(work: (epoch: number) => Promise<Result>): Promise<Result> {
    return this.#next(async () => {
      await this.#prepare();
      const version = this.#begin();
      const result = await work(this.#epoch);
      this.#unfinished.delete(version);
      return result;
    });
  }

  /** Resolves when it is written. `onWorked` is called when the next one would work at once. */
  async overlapping<Result>(
    work: (turn: OverlappingTurn) => Promise<Unwritten<Result>>,
    onWorked?: () => void,
  ): Promise<Result> {
    const { result, before, written } = await this.#next(async () => {
      // One may wait to be written: more would only be more to do again where it cannot be.
      await this.#writtenBefore;
      if (this.#isUndoDue || this.#deps.currentEpoch().number !== this.#epoch) await this.#prepare();
      const failures = this.#failures;
      const version = this.#begin();
      const allWritten = async () => {
        await this.#written;
        this.#expectNoneSince(failures);
      };
      const { result, write } = await work({ epoch: this.#epoch, allWritten });
      this.#expectNoneSince(failures);
      const before = this.#written;
      const written = before.then(async () => {
        this.#expectNoneSince(failures);
        await write();
        this.#unfinished.delete(version);
      });
      this.#writtenBefore = before;
      this.#written = written.catch(() => {
        if (failures === this.#failures) this.#fail();
      });
      return { result, before, written };
    });
    // What comes until then is worked on together.
    void before.then(onWorked);
    await written;
    return result;
  }

  #next<Result>(turn: () => Promise<Result>): Promise<Result> {
    const worked = this.#worked.then(turn);
    this.#worked = worked.catch(async () => {
      // What is being written needs what memory holds of it until it is.
      await this.#written;
      this.#fail();
    });
    return worked;
  }

  /** To be called in a turn: nothing is being written afterwards, and nothing is left unfinished. */
  async #prepare(): Promise<void> {
    await this.#written;
    const current = this.#deps.currentEpoch();
    if (current.number !== this.#epoch) {
      this.#deps.invalidate();
      this.#deps.enterEpoch();
      this.#unfinished.clear();
      if (current.leftSince !== undefined) this.#unfinished.add(current.leftSince);
      this.#epoch = current.number;
    }
    const since = this.unfinishedSince;
    if (since !== undefined) await this.#deps.undo(this.#epoch, since);
    this.#unfinished.clear();
    this.#isUndoDue = false;
  }

  #begin(): number {
    const version = this.#deps.nextVersion();
    this.#unfinished.add(version);
    return version;
  }

  #expectNoneSince(failures: number): void {
    if (failures !== this.#failures) throw new Error("what was derived before this could not be written");
  }

  #fail(): void {
    this.#failures++;
    this.#isUndoDue = true;
    this.#deps.invalidate();
  }
}
