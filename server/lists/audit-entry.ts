/**
 * An entry of the audit as a reader may see it: prices only of the levels that they see, nodes only of their subtree. What is
 * kept is whole; only those who see all of it get its hash, since a hash confirms a guess.
 */

import { withoutDigests } from "../audit/bounded-snapshot.ts";
import type { AuditEntry } from "../audit/record-change.ts";
import { visibleLevelsOnRecord, visibleTerms } from "../billing/price-visibility.ts";
import type { AuditEntryAnswer } from "../contract/audit.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { PlanTerms, PriceLevel } from "../contract/plans.ts";
import type { Actor } from "../identity/actor.ts";
import { parseJson } from "../json/parse-json.ts";

export interface AuditReader {
  /** With all that the caller may, not what the audit needs alone. */
  actor: Pick<Actor, "grants">;
  /** Whether the node stands within the subtree that the reader reads the audit of. */
  isWithin: (node: NodeAddress) => boolean;
}

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

/** `before` and `after` parsed, null where there was nothing; `hash` null where something of the audit is not shown. */
function shownEntry(
  entry: AuditEntry,
  { actor, isWithin }: AuditReader,
): { before: unknown; after: unknown; hash: string | null } {
  const levels = visibleLevelsOnRecord(actor, entry);
  const show = (text: string | null) =>
    text === null ? null : shownSnapshot(entry.action, parseJson(text), levels, isWithin);
  const seesAll = actor.grants.some(
    ({ node, actions }) => node === "all" && actions.has("audit:read") && actions.has("prices:read"),
  );
  const shown = (text: string | null) => (seesAll ? show(text) : withoutDigests(show(text)));
  return { before: shown(entry.before), after: shown(entry.after), hash: seesAll ? entry.hash : null };
}

function shownSnapshot(
  action: string,
  snapshot: unknown,
  levels: ReadonlySet<PriceLevel>,
  isWithin: AuditReader["isWithin"],
): unknown {
  if (typeof snapshot !== "object" || snapshot === null) return snapshot;
  switch (action.slice(0, action.indexOf("."))) {
    case "plan":
      return "terms" in snapshot && typeof snapshot.terms === "object"
        ? { ...snapshot, terms: visibleTerms(snapshot.terms as PlanTerms, levels) }
        : snapshot;
    case "statement":
      return levels.size > 0 ? snapshot : withoutMembers(snapshot, ["reason", "reference"]);
    case "node":
      return withoutHidden(snapshot, isWithin);
    default:
      return snapshot;
  }
}

function withoutMembers(snapshot: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(snapshot).filter(([name]) => !names.includes(name)));
}

/** What stands above the reader's own node, and where a node went to or came from, is another's. */
function withoutHidden(snapshot: object, isWithin: AuditReader["isWithin"]): object {
  const shown = (node: unknown) => (typeof node === "string" && isWithin(node) ? node : null);
  return {
    ...snapshot,
    ...("parent" in snapshot && { parent: shown(snapshot.parent) }),
    ...("stays" in snapshot && {
      stays: (snapshot.stays as ({ parent: string; from: string } | string)[]).map((stay) =>
        typeof stay === "string" ? stay : { ...stay, parent: shown(stay.parent) },
      ),
    }),
  };
}
