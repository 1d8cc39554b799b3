/** Edits of what stands under an id: each is made to what its author saw, with its entry in the audit, or not at all. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { type Author, recordChange } from "./record-change.ts";

export interface Edit {
  by: Author;
  /** Throws where the state, which its `ETag` is made of, is not what the author saw. */
  check: (current: unknown) => void;
}

export interface Editable<Row extends { node: NodeAddress }> {
  /** Reads it, locked until the transaction ends; throws `not_found`. */
  lock: (tx: Queries, id: string) => Promise<Row>;
  /** What an `ETag` of it is made of, and what the audit keeps. */
  stateOf: (row: Row) => unknown;
}

/**
 * Locks it, checks it, and records what `make` did to it: `make` returns what is there then, undefined where it was removed.
 * `action`: as in the audit, such as `rule.changed`.
 */
export async function recordedEdit<Row extends { node: NodeAddress }, After extends Row | undefined>(
  postgres: Pick<Postgres, "transaction">,
  { lock, stateOf }: Editable<Row>,
  { id, action, by, check }: Edit & { id: string; action: string },
  make: (tx: Queries, before: Row) => Promise<After>,
): Promise<After> {
  return await postgres.transaction(async (tx) => {
    const before = await lock(tx, id);
    check(stateOf(before));
    const after = await make(tx, before);
    const states = { before: stateOf(before), after: after && stateOf(after) };
    await recordChange(tx, { by, node: after?.node ?? before.node, action, subject: id, ...states });
    return after;
  });
}
