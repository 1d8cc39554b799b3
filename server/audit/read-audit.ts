/** Reads the audit, newest first, page by page. */
import { and, arrayContains, arrayOverlaps, desc, eq, gte, inArray, like, lt, or, type SQL, sql } from "drizzle-orm";
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

/** What the entries of one page hold of what was before and after. */
const maxPageBytes = 4 * 1024 * 1024;

export interface AuditPage {
  entries: AuditEntry[];
  /** The `before` of the page that follows; null where none does. */
  next: number | null;
}

/** Fewer than `limit` where entries are large, as those may be that were made before their size was bounded. */
export async function readAudit(postgres: Postgres, filter: AuditFilter): Promise<AuditPage> {
  const { reach, node, action, subject, actor, fromMs, toMs, before, limit } = filter;
  if (reach.length === 0) return { entries: [], next: null };
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
  const { before: was, after: is, sequence } = auditEntries;
  // The lengths of texts are known without reading them; the texts of what is beyond the page are not.
  const found = await postgres.db
    .select({
      sequence,
      bytes: sql<number>`coalesce(octet_length(${was}), 0) + coalesce(octet_length(${is}), 0)`,
    })
    .from(auditEntries)
    .where(and(...conditions))
    .orderBy(desc(sequence))
    .limit(limit + 1);
  const { page, last } = pageWithin(found, limit, maxPageBytes);
  if (page.length === 0) return { entries: [], next: null };
  const entries = await postgres.db
    .select()
    .from(auditEntries)
    .where(
      inArray(
        sequence,
        page.map((one) => one.sequence),
      ),
    )
    .orderBy(desc(sequence));
  return { entries, next: last?.sequence ?? null };
}

/** The first rows that come to no more than that, one at least, and the last of them where another follows. */
function pageWithin<Row extends { bytes: number }>(rows: readonly Row[], limit: number, maxBytes: number) {
  let bytes = 0;
  const tooMany = rows.findIndex((row, index) => {
    bytes += row.bytes;
    return index > 0 && bytes > maxBytes;
  });
  const page = rows.slice(0, tooMany < 0 ? limit : Math.min(limit, tooMany));
  return { page, last: rows.length > page.length ? page.at(-1) : undefined };
}
