/** Whether the audit is what was written: every entry there, none changed, none added, the newest included. */
import { asc, gt } from "drizzle-orm";
import type { Postgres } from "../postgres/client.ts";
import { auditEntries, auditHead } from "../postgres/schema/audit.ts";
import { firstHash, hashOfEntry } from "./record-change.ts";

export interface AuditVerdict {
  entries: number;
  /** The newest entry's hash. Kept elsewhere, it shows later that not even the whole chain was written anew. */
  headHash: string;
  /** The first thing that is wrong; absent when the audit is whole. */
  fault?: string;
}

/** Entries made before their size was bounded may be large. */
const entriesPerRead = 100;

/** `expected`: the hash that entry `sequence` had when it was last looked at. */
export async function verifyAudit(
  postgres: Postgres,
  expected?: { sequence: number; hash: string },
): Promise<AuditVerdict> {
  return await postgres.transaction(async (tx) => {
    const [head] = await tx.select().from(auditHead);
    let last = { sequence: 0, hash: firstHash };
    const faulty = (fault: string): AuditVerdict => ({ entries: last.sequence, headHash: last.hash, fault });
    for (;;) {
      const entries = await tx
        .select()
        .from(auditEntries)
        .where(gt(auditEntries.sequence, last.sequence))
        .orderBy(asc(auditEntries.sequence))
        .limit(entriesPerRead);
      for (const entry of entries) {
        if (entry.sequence !== last.sequence + 1)
          return faulty(`entry ${last.sequence + 1} is missing: ${entry.sequence} follows ${last.sequence}`);
        if (entry.previousHash !== last.hash)
          return faulty(`entry ${entry.sequence} does not follow the entry ${last.sequence} that is there`);
        if (hashOfEntry(entry) !== entry.hash) return faulty(`entry ${entry.sequence} was changed`);
        if (expected?.sequence === entry.sequence && expected.hash !== entry.hash)
          return faulty(`entry ${entry.sequence} is not the one that was expected: the chain was written anew`);
        last = { sequence: entry.sequence, hash: entry.hash };
      }
      if (entries.length < entriesPerRead) break;
    }
    if (!head || head.sequence !== last.sequence || head.hash !== last.hash)
      return faulty(`entries after ${last.sequence} are missing: the head is at ${head?.sequence ?? "no entry"}`);
    if (expected && expected.sequence > last.sequence) return faulty(`entry ${expected.sequence} is missing`);
    return { entries: last.sequence, headHash: last.hash };
  }, "snapshot");
}
