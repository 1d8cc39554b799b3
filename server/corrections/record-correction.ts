/** A correction on record, with its entries in the audit, before storage is touched. */
import { randomUUID } from "node:crypto";
import { type Author, recordChange } from "../audit/record-change.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { EventRow } from "../clickhouse/event-columns.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { GivenEvent } from "../ingest/accept/event-gate.ts";
import type { Postgres } from "../postgres/client.ts";
import { announcePastChanges, type PastChange } from "../postgres/past-changes.ts";
import { eventCorrections } from "../postgres/schema/corrections.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { type AffectedSpan, affectedSpan, ownersOf, type SpanDeps } from "./affected-span.ts";
import { eventOfRow } from "./amend-event.ts";

export type Correction = typeof eventCorrections.$inferSelect;

export interface CorrectionRequest {
  organization: string;
  id: string;
  /** A CloudEvent's; undefined: as `findStoredEvent` has it. */
  source?: string | undefined;
  /** The event's time, ms since 1970, where it is known: an old event is found faster. */
  timeMs: number | undefined;
  reason: string;
  /** Undefined: the event is voided. Else the fields that change, null for those taken away. */
  changes: Readonly<Record<string, unknown>> | undefined;
  by: Author;
  /** Throws when the caller may not correct events of the organization that an event is moved to. */
  mayMoveTo: (organization: string) => void;
  /** Throws when the event is not what the caller saw. */
  check: (current: GivenEvent) => void;
  /** Throws when somebody else had the organization in that time, whose figures the correction could change. */
  mayChange: (span: AffectedSpan) => void;
}

export interface RecordingDeps extends SpanDeps {
  postgres: Postgres;
  clickhouse: ClickHouse;
  tree: Pick<NodeTree, "pathAt" | "pathsBetween">;
}

/** By which the changes of a correction are announced. */
export const causeOf = ({ id }: Pick<Correction, "id">): string => `correction:${id}`;

const uniqueViolation = "23505";

/** `replaces`: the batch of the row that is corrected. Throws ProblemError `conflict` while another correction of the row is not applied. */
export async function recordCorrection(
  deps: RecordingDeps,
  request: CorrectionRequest,
  { before, after, replaces }: { before: EventRow; after: EventRow | null; replaces: number },
): Promise<Correction> {
  const { postgres, tree } = deps;
  const nowMs = Date.now();
  const spans = await Promise.all([before, ...(after ? [after] : [])].map((row) => affectedSpan(deps, row, nowMs)));
  for (const span of spans) request.mayChange(span);
  const { organization, reason, by } = request;
  const { id: eventId, source = "" } = before;
  const action = after === null ? ("void" as const) : ("amend" as const);
  const correction = {
    id: `cor_${randomUUID()}`,
    organization,
    eventId,
    source,
    action,
    reason,
    actorKind: by.kind,
    actorId: by.id,
    actorName: by.name,
    at: new Date(),
    before,
    after,
    newOrganization: after === null || after.organization === organization ? null : after.organization,
    replaces,
    voidBatch: null,
    amendBatch: null,
    appliedAt: null,
    failures: 0,
    retryAt: null,
    inDoubtUntil: null,
  };
  try {
    await postgres.transaction(async (tx) => {
      await tx.insert(eventCorrections).values(correction);
      await announcePastChanges(tx, causeOf(correction), pastChangesOf(tree, spans, nowMs));
      for (const change of changesOf(tree, request, before, after, spans)) await recordChange(tx, change);
    });
  } catch (error) {
    if (isUniqueViolation(error))
      throw new ProblemError("conflict", "the event is being corrected by somebody else; read it again");
    throw error;
  }
  return correction;
}

/** One for each node that is concerned, from the first of its spans to the last. */
function pastChangesOf(tree: RecordingDeps["tree"], spans: readonly AffectedSpan[], nowMs: number): PastChange[] {
  const byNode = new Map<NodeAddress, { node: NodeAddress; fromMs: number; toMs: number }>();
  for (const span of spans)
    for (const node of ownersOf(tree, span)) {
      const { fromMs, toMs } = byNode.get(node) ?? span;
      byNode.set(node, { node, fromMs: Math.min(fromMs, span.fromMs), toMs: Math.max(toMs, span.toMs) });
    }
  return [...byNode.values()].map((change) => ({ ...change, toMs: change.toMs < nowMs ? change.toMs : null }));
}

/** An event that leaves its organization has an entry there and one where it goes to: each has its own side of it. */
function changesOf(
  tree: RecordingDeps["tree"],
  request: CorrectionRequest,
  before: EventRow,
  after: EventRow | null,
  spans: readonly AffectedSpan[],
) {
  const { organization, id: subject, reason, by } = request;
  const about = (place: string) => ({
    by,
    subject,
    node: nodeAddress("organization", place),
    alsoOf: spans.filter((span) => span.organization === place).flatMap((span) => ownersOf(tree, span)),
  });
  const shown = { before: eventOfRow(before), after: after && { ...eventOfRow(after), reason } };
  if (!after) return [{ ...about(organization), action: "event.voided", before: shown.before }];
  const action = "event.amended";
  if (after.organization === organization) return [{ ...about(organization), action, ...shown }];
  return [
    { ...about(organization), action, before: shown.before, after: { reason } },
    { ...about(after.organization), action, after: shown.after },
  ];
}

function isUniqueViolation(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ("code" in cause && cause.code === uniqueViolation) return true;
  return false;
}
