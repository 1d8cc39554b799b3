/** The job intervals-expire: ends open intervals that have been silent for longer than their timeout. */

import { z } from "zod";
import { settlingMs } from "../billing/statements/due-parts.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Sequence } from "../ingest/log/sequence.ts";
import type { Postgres } from "../postgres/client.ts";
import {
  announcedSince,
  announcePastChanges,
  confirmPastChanges,
  unconfirmedCauses,
} from "../postgres/past-changes.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { ownersWithin } from "../tree/past-owners.ts";
import type { Derivation, Derive } from "./derive-levels.ts";

const markExpiredSessions = defineStatement("mark_expired_sessions", z.object({ batch: z.number(), now: z.number() }));
const expiringSessions = defineQuery(
  "expiring_sessions",
  z.object({ batch: z.number(), before_ms: z.number() }),
  z.object({ organization: z.string(), from_ms: numberColumn }),
);

/** Where it is noted what a time-out takes back of the past. */
export interface ExpiryNotes {
  postgres: Postgres;
  tree: Pick<NodeTree, "pathsBetween">;
}

const causes = "expiry:";

/** Returns what was derived anew; idempotent, and harmless when it comes late: an interval ends at its last sign of life. */
export async function expireIntervals(
  clickhouse: ClickHouse,
  derive: Derive,
  sequence: Sequence,
  nowMs: number,
  notes?: ExpiryNotes,
): Promise<Derivation | undefined> {
  // What a run, of whichever process, announced and did not derive has timed out all the same, and is derived by this one.
  const again = notes ? await unconfirmedCauses(notes.postgres.db, causes) : [];
  const batch = sequence.next();
  const { writtenRows } = await markExpiredSessions(clickhouse, { batch, now: nowMs });
  const cause = `${causes}${batch}`;
  const isNoted =
    notes !== undefined && writtenRows > 0 && (await announceExpiry(notes, clickhouse, { cause, again }, batch, nowMs));
  const derivation = writtenRows > 0 ? await derive([batch], nowMs, "changes") : undefined;
  if (notes) for (const one of isNoted ? [...again, cause] : again) await confirmPastChanges(notes.postgres.db, one);
  return derivation;
}

/** Whether anything was. What began within the time after which statements are closed is in none of them. */
async function announceExpiry(
  { postgres, tree }: ExpiryNotes,
  clickhouse: ClickHouse,
  { cause, again }: { cause: string; again: readonly string[] },
  batch: number,
  nowMs: number,
): Promise<boolean> {
  const expiring = await expiringSessions(clickhouse, { batch, before_ms: nowMs - settlingMs });
  const sinceByNode = new Map<NodeAddress, number>();
  for (const { organization, from_ms: fromMs } of expiring)
    for (const node of ownersWithin(tree, nodeAddress("organization", organization), fromMs, nowMs))
      sinceByNode.set(node, Math.min(sinceByNode.get(node) ?? fromMs, fromMs));
  // While deriving fails, each run finds the same ones again.
  const announced = await announcedSince(postgres.db, again);
  const changes = [...sinceByNode]
    .filter(([node, fromMs]) => fromMs < (announced.get(node) ?? Number.POSITIVE_INFINITY))
    .map(([node, fromMs]) => ({ node, fromMs, toMs: null }));
  await postgres.transaction((tx) => announcePastChanges(tx, cause, changes));
  return changes.length > 0;
}
