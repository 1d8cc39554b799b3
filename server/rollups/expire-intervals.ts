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
import type { SessionName } from "./set-aside.ts";

const sessionName = z.object({ organization: z.string(), session: z.string() });
const markExpiredSessions = defineStatement(
  "mark_expired_sessions",
  z.object({
    batch: z.number(),
    now: z.number(),
    after_organization: z.string(),
    after_session: z.string(),
    among: z.number(),
    most: z.number(),
  }),
);
const lastMarkedSession = defineQuery("last_marked_session", z.object({ batch: z.number() }), sessionName);
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
/** Sessions that are marked at once. */
const sessionsAtOnce = 8_000;

export interface ExpiryOptions {
  /** Of sessions that this batch made dirty alone; default: of all. */
  among?: number;
  sessionsAtOnce?: number;
}

/**
 * Answers what was derived anew; undefined: nothing. Idempotent, and harmless when it comes late: an interval ends at its last sign of
 * life. Where many have timed out together it takes some at a time, and goes on until it has come by each of them once.
 */
export async function expireIntervals(
  clickhouse: ClickHouse,
  derive: Derive,
  sequence: Sequence,
  nowMs: number,
  notes?: ExpiryNotes,
  { among = 0, sessionsAtOnce: most = sessionsAtOnce }: ExpiryOptions = {},
): Promise<Derivation | undefined> {
  // What a run, of whichever process, announced and did not derive has timed out all the same, and is derived by one of all.
  const again = notes && among === 0 ? await unconfirmedCauses(notes.postgres.db, causes) : [];
  let derived: Derivation | undefined;
  for (let after: SessionName | undefined = { organization: "", session: "" }; after; ) {
    const batch = sequence.next();
    const { organization: after_organization, session: after_session } = after;
    const marking = { batch, now: nowMs, after_organization, after_session, among, most };
    const { writtenRows } = await markExpiredSessions(clickhouse, marking);
    if (writtenRows > 0) {
      const cause = `${causes}${batch}`;
      const isNoted = notes && (await announceExpiry(notes, clickhouse, { cause, again }, batch, nowMs));
      derived = bothOf(await derive([batch], nowMs, "changes"), derived);
      if (isNoted) await confirmPastChanges(notes.postgres.db, cause);
    }
    [after] = writtenRows < most ? [] : await lastMarkedSession(clickhouse, { batch });
  }
  if (notes) for (const cause of again) await confirmPastChanges(notes.postgres.db, cause);
  return derived;
}

function bothOf(one: Derivation, other: Derivation | undefined): Derivation {
  if (!other) return one;
  return {
    changedNodes: new Set([...one.changedNodes, ...other.changedNodes]),
    sessions: one.sessions + other.sessions,
    changedMinutes: one.changedMinutes + other.changedMinutes,
    differences: [],
  };
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
