/** Reads the audit, newest first, page by page. */
import { and, arrayContains, arrayOverlaps, desc, eq, gte, like, lt, or, type SQL } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Postgres } from "../postgres/client.ts";
import { auditEntries } from "../postgres/schema/audit.ts";
import type { AuditEntry } from "./record-change.ts";

export interface AuditFilter {
  /** Only what concerned these nodes or those below them, as the tree was at the change; nothing where there is none. */
  reach: readonly NodeAddress[];
  node?: NodeAddress | undefined;
  /** An action such as `key.revoked`, or a noun such as `key`. */
  action?: string | undefined;
  subject?: string | undefined;
  /** An id, an e-mail address or a key's name. */
  actor?: string | undefined;
  fromMs?: number | undefined;
  toMs?: number | undefined;
  /** Only entries before this sequence. */
  before?: number | undefined;
  limit: number;
}

export async function readAudit(postgres: Postgres, filter: AuditFilter): Promise<AuditEntry[]> {
  const { reach, node, action, subject, actor, fromMs, toMs, before, limit } = filter;
  if (reach.length === 0) return [];
  const conditions: (SQL | undefined)[] = [
    reach.includes("all") ? undefined : arrayOverlaps(auditEntries.path, [...reach]),
    node === undefined ? undefined : arrayContains(auditEntries.path, [node]),
    action && or(eq(auditEntries.action, action), like(auditEntries.action, `${action.replace(/[\\%_]/g, "\\$&")}.%`)),
    subject === undefined ? undefined : eq(auditEntries.subject, subject),
    actor === undefined ? undefined : or(eq(auditEntries.actorId, actor), eq(auditEntries.actorName, actor)),
    fromMs === undefined ? undefined : gte(auditEntries.at, new Date(fromMs)),
    toMs === undefined ? undefined : lt(auditEntries.at, new Date(toMs)),
    before === undefined ? undefined : lt(auditEntries.sequence, before),
  ].map((condition) => condition || undefined);
  return await postgres.db
    .select()
    .from(auditEntries)
    .where(and(...conditions))
    .orderBy(desc(auditEntries.sequence))
    .limit(limit);
}
