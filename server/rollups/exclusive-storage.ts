/** What whoever writes into storage beside the flush needs of it: a turn of its own, and how far storage has come. */

export interface ExclusiveResult {
  batch: number;
  organizations: ReadonlySet<string>;
  /** Addresses of nodes whose levels may have changed. */
  levels: ReadonlySet<string>;
}

export interface ExclusiveStorage {
  /** Every event that was accepted up to this instant is visible in queries. */
  watermark(): Date;
  /**
   * Everything stored under this id or a smaller one can be queried, and nothing more will be stored under one; 0 before the first.
   * But for a correction whose first try failed: it is stored again under the numbers of that try. So what it changed is noted
   * beside (past-changes.ts); counters that were folded stay folded, since the fold's version is larger.
   */
  readonly settledBatch: number;
  /**
   * Runs `work` while no batch is being stored or derived. It answers the newest batch it wrote under and of what something
   * changed. Rejects when `work` does, or when the process stops first.
   */
  exclusive(work: () => Promise<ExclusiveResult>): Promise<void>;
}
