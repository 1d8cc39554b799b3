/**
 * Appends to the audit, in the transaction that makes the change: there is no change without its entry and no entry
 * without its change. Each entry holds the hash of the one before it, so that none can be changed or taken out unseen.
 */
import { hash } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Queries } from "../postgres/client.ts";
import { auditEntries, auditHead } from "../postgres/schema/audit.ts";
import { boundedSnapshot } from "./bounded-snapshot.ts";
import { canonicalJson, toPlainJson, withoutSecrets } from "./canonical-json.ts";

/** Who makes a change; a handler has it from `authorOf`. */
export interface Author {
  kind: "user" | "key" | "system";
  id: string;
  /** A user's e-mail address, or a key's name. */
  name: string;
  /** Where the request came from. */
  address: string | null;
}

/** What the service does by itself: at its start, or because of an event. */
export const system: Author = { kind: "system", id: "system", name: "Tidemark", address: null };

export interface Change {
  by: Author;
  /** Whoever has `audit:read` here or above sees the entry. */
  node: NodeAddress;
  /** Others that see it: those that had, lose or gain what is changed, where they do not stand above `node` now. */
  alsoOf?: readonly NodeAddress[];
  /** `<noun>.<past tense>`, such as `key.revoked`. */
  action: string;
  /** A node's address, or an id. */
  subject: string;
  /** What was there, as far as it matters; absent for something new. Secrets in it are replaced, large parts by their hash. */
  before?: unknown;
  /** What is there now; absent for something removed. */
  after?: unknown;
}

export type AuditEntry = typeof auditEntries.$inferSelect;

/** What the first entry has as the hash before it. */
export const firstHash = "0".repeat(64);

/**
 * Call it last in the transaction: from here to the commit nobody else can record a change. Nothing is recorded where
 * `before` and `after` are the same, secrets in them included.
 */
export async function recordChange(tx: Queries, change: Change): Promise<void> {
  const before = change.before === undefined ? null : toPlainJson(change.before);
  const after = change.after === undefined ? null : toPlainJson(change.after);
  if (before !== null && after !== null && canonicalJson(before) === canonicalJson(after)) return;
  const path = [...new Set([...(await pathOf(tx, change.node)), ...(change.alsoOf ?? [])])];
  const [head] = await tx.select().from(auditHead).for("update");
  if (!head) throw new Error("the audit has no head: its row of audit_head was removed");
  const entry = {
    sequence: head.sequence + 1,
    at: new Date(),
    actorKind: change.by.kind,
    actorId: change.by.id,
    actorName: change.by.name,
    address: change.by.address,
    node: change.node,
    path,
    action: change.action,
    subject: change.subject,
    before: before === null ? null : canonicalJson(boundedSnapshot(withoutSecrets(before))),
    after: after === null ? null : canonicalJson(boundedSnapshot(withoutSecrets(after))),
    previousHash: head.hash,
  };
  const next = { ...entry, hash: hashOfEntry(entry) };
  await tx.insert(auditEntries).values(next);
  await tx.update(auditHead).set({ sequence: next.sequence, hash: next.hash }).where(eq(auditHead.only, 1));
}

/** sha256 in hex of everything in the entry, the hash before it included. */
export function hashOfEntry(entry: Omit<AuditEntry, "hash">): string {
  const { sequence, at, actorKind, actorId, actorName, address, node, path, action, subject } = entry;
  const { before, after, previousHash } = entry;
  const content = [sequence, at.toISOString(), actorKind, actorId, actorName, address, node, path, action, subject];
  return hash("sha256", canonicalJson([...content, before, after, previousHash]), "hex");
}

/** Read in the transaction, which may have made the node or moved it. */
async function pathOf(tx: Queries, node: NodeAddress): Promise<NodeAddress[]> {
  const agent = /^agent:([^/]*)\//s.exec(node);
  const start = agent ? `organization:${agent[1]}` : node;
  const { rows } = await tx.execute<{ node: string }>(sql`
    WITH RECURSIVE path (node, depth) AS (
      SELECT ${start}::text, 0
      UNION ALL
      SELECT (SELECT p.parent FROM node_parents p WHERE p.node = path.node AND p.valid_from <= clock_timestamp() ORDER BY p.valid_from DESC LIMIT 1), depth + 1
      FROM path WHERE path.node IS NOT NULL AND path.node <> 'all' AND depth < 8
    ) SELECT node FROM path WHERE node IS NOT NULL ORDER BY depth`);
  const above = rows.map((row) => row.node);
  return agent ? [node, ...above] : above;
}
