/** What the events of one step come to, session by session, until so much is gathered that it is written. */
import type { Pace } from "../fairness/pace.ts";
import { DerivedRows } from "./write-derivation.ts";

/** Bounds the memory of one step, whatever a batch has. */
const sessionsPerWrite = 8_000;
/** Changes of so many sessions are handed to the listener at once, and are then held there only. */
const sessionsPerTelling = 200;

export interface GatheredRowsDeps {
  nowMs: number;
  pace: Pace;
  nextVersion: () => number;
  tell: (rows: DerivedRows) => void;
  /** Once storage has the events, and all that was derived before. */
  write: (rows: DerivedRows) => Promise<void>;
}

export class GatheredRows {
  readonly nowMs: number;
  readonly pace: Pace;
  /** Those that are not written yet. */
  rows: DerivedRows;
  /** All that were derived. */
  sessions = 0;
  readonly #deps: GatheredRowsDeps;

  constructor(deps: GatheredRowsDeps) {
    this.#deps = deps;
    this.nowMs = deps.nowMs;
    this.pace = deps.pace;
    this.rows = new DerivedRows(deps.nextVersion());
  }

  tell(): void {
    this.#deps.tell(this.rows);
  }

  /** To be called for each session whose rows were added. */
  async addedSession(): Promise<void> {
    this.sessions++;
    if (this.rows.sessions >= sessionsPerWrite) await this.write();
    else if (this.sessions % sessionsPerTelling === 0) this.tell();
    await this.pace.rest();
  }

  async write(): Promise<void> {
    this.tell();
    await this.#deps.write(this.rows);
    this.rows = new DerivedRows(this.#deps.nextVersion());
  }
}
