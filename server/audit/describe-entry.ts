/** An entry of the audit as a reader sees it. */
import type { AuditEntryAnswer } from "../contract/audit.ts";
import type { AuditEntry } from "./record-change.ts";
import { type AuditReader, shownEntry } from "./shown-entry.ts";

export function describeEntry(entry: AuditEntry, reader: AuditReader): AuditEntryAnswer {
  return {
    sequence: entry.sequence,
    at: entry.at.toISOString(),
    actor: { kind: entry.actorKind, id: entry.actorId, name: entry.actorName },
    address: entry.address,
    node: entry.node,
    action: entry.action,
    subject: entry.subject,
    ...shownEntry(entry, reader),
  };
}
