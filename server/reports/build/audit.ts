/** The activity log: every change of configuration, the newest first. Pure. */
import type { AuditEntryAnswer } from "../../contract/audit.ts";
import type { ReportCell, ReportSection } from "../../contract/reports.ts";
import { column, section } from "./section.ts";

const snapshot = (value: unknown) => (value === null || value === undefined ? null : JSON.stringify(value));

export function auditSections(entries: readonly AuditEntryAnswer[]): ReportSection[] {
  const columns = [
    column("sequence", "Number", "integer"),
    column("at", "At", "instant"),
    column("actor_kind", "Type of actor"),
    column("actor", "By"),
    column("address", "From"),
    column("node", "Node"),
    column("action", "Action"),
    column("subject", "Subject"),
    column("before", "Before"),
    column("after", "After"),
  ];
  const rows = entries.map((one): ReportCell[] => [
    one.sequence,
    one.at,
    one.actor.kind,
    one.actor.name,
    one.address,
    one.node,
    one.action,
    one.subject,
    snapshot(one.before),
    snapshot(one.after),
  ]);
  const counts = new Map<string, number>();
  for (const { action } of entries) counts.set(action, (counts.get(action) ?? 0) + 1);
  const byAction = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return [
    section("entries", "Changes", columns, rows),
    section(
      "actions",
      "Changes by action",
      [column("action", "Action"), column("entries", "Changes", "integer")],
      byAction.map(([action, entries]): ReportCell[] => [action, entries]),
      ["entries"],
    ),
  ];
}
