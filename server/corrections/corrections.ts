/**
 * Voids and amends events of any age. A correction is on record, with its reason and what the event was before, and in the
 * audit, before storage is touched; what is on record and not yet applied is applied by the job corrections-apply, at the
 * latest after the next start. Corrections of one row exclude each other.
 */

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { and, asc, desc, eq, gte, isNull, lt, or, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import { eventType } from "../catalog/catalog.ts";
import { type ClickHouse, StoreUnavailableError } from "../clickhouse/client.ts";
import type { EventRow } from "../clickhouse/event-columns.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { GivenEvent } from "../ingest/accept/event-gate.ts";
import type { EventName } from "../ingest/accept/event-identity.ts";
import type { Ingest } from "../ingest/flush/start-ingest.ts";
import type { Postgres } from "../postgres/client.ts";
import { eventCorrections } from "../postgres/schema/corrections.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { amendEvent, eventOfRow } from "./amend-event.ts";
import { applyCorrection } from "./apply-correction.ts";
import { type ConcernedSpan, concernedSpan, ownersOf } from "./concerned-span.ts";
import { findStoredEvent, SeveralSourcesError } from "./stored-event.ts";

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
  mayChange: (span: ConcernedSpan) => void;
}

export interface Corrections {
  /**
   * Resolves when queries show the correction, or with `appliedAt` null when that takes longer than `patienceMs`. Throws
   * ProblemError: `not_found`, `conflict` when the event is void already or was changed meanwhile, `invalid_request`.
   * Voiding again answers the first voiding.
   */
  correct(request: CorrectionRequest): Promise<Correction>;
  /** The oldest first; of every source where none is named, '' for what has none; also of events that were moved here from another organization. */
  history(organization: string, name: EventName): Promise<Correction[]>;
  /** The event as it counts now; undefined when there is none or it is void. */
  find(organization: string, name: EventName, timeMs: number | undefined): Promise<EventRow | undefined>;
  /** The newest 100 whose event has a time in this range (ms since 1970, UTC; toMs exclusive), the oldest first. */
  within(fromMs: number, toMs: number, isVisible: (event: EventRow) => boolean): Promise<Correction[]>;
  /** Applies what is on record and not applied yet; only where events are stored. */
  applyPending(): Promise<void>;
}

export interface CorrectionsDeps {
  postgres: Postgres;
  clickhouse: ClickHouse;
  tree: Pick<NodeTree, "pathAt" | "pathsBetween">;
  /** Absent in a process that does not store events: then another one applies what is recorded here. */
  ingest:
    | (Pick<Ingest, "log" | "materializer" | "sequence"> & { flush: Pick<Ingest["flush"], "exclusive" | "whenStored"> })
    | undefined;
  /** Where other processes store too, and one of them applies what is recorded. */
  others?: OtherStorers | undefined;
  patienceMs?: number;
}

export interface OtherStorers {
  /** Whether this process is the one that applies corrections now. */
  isHere(): boolean;
  /** Asks the one that does to do it now. */
  applyThere(): Promise<void>;
  /** What every process accepted up to then can be found. */
  watermark(): Date;
}

const pollMs = 100;
const shownCorrections = 100;
const uniqueViolation = "23505";

export function createCorrections(deps: CorrectionsDeps): Corrections {
  const { postgres, clickhouse, tree, ingest, others, patienceMs = 10_000 } = deps;
  let applying: Promise<void> = Promise.resolve();

  async function applyOne(correction: Correction): Promise<void> {
    if (!ingest) return;
    const { flush, materializer, sequence } = ingest;
    // The row may have been stored by a process whose clock is ahead: of one key the larger number stands.
    sequence.advance(correction.replaces);
    const numbers = {
      voidBatch: correction.voidBatch ?? sequence.next(),
      amendBatch: correction.after === null ? null : (correction.amendBatch ?? sequence.next()),
    };
    // On record before they are used: applying again must write under the same numbers.
    if (correction.voidBatch === null)
      await postgres.db.update(eventCorrections).set(numbers).where(eq(eventCorrections.id, correction.id));
    await flush.exclusive(async () => {
      const levels = await applyCorrection(
        { clickhouse, materializer },
        {
          before: correction.before,
          voidBatch: numbers.voidBatch,
          after: correction.after ?? undefined,
          amendBatch: numbers.amendBatch ?? undefined,
        },
        Date.now(),
      );
      const organizations = new Set([correction.organization, correction.newOrganization ?? correction.organization]);
      return { batch: Math.max(numbers.voidBatch, numbers.amendBatch ?? 0), organizations, levels };
    });
    await postgres.db
      .update(eventCorrections)
      .set({ appliedAt: new Date() })
      .where(eq(eventCorrections.id, correction.id));
  }

  function applyPending(): Promise<void> {
    if (others && !others.isHere()) return others.applyThere();
    const next = applying.then(async () => {
      const pending = await postgres.db
        .select()
        .from(eventCorrections)
        .where(isNull(eventCorrections.appliedAt))
        .orderBy(asc(eventCorrections.at), asc(eventCorrections.id));
      for (const correction of pending) await applyOne(correction);
    });
    applying = next.catch(() => undefined);
    return next;
  }

  /** An event that leaves its organization has an entry there and one where it goes to: each has its own side of it. */
  function changesOf(
    request: CorrectionRequest,
    before: EventRow,
    after: EventRow | null,
    spans: readonly ConcernedSpan[],
  ) {
    const { organization, id: subject, reason, by } = request;
    const about = (place: string) => ({
      ...{ by, subject, node: nodeAddress("organization", place) },
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

  async function record(
    request: CorrectionRequest,
    before: EventRow,
    after: EventRow | null,
    replaces: number,
  ): Promise<Correction> {
    const nowMs = Date.now();
    const spans = await Promise.all(
      [before, ...(after ? [after] : [])].map((row) => concernedSpan({ clickhouse, tree }, row, nowMs)),
    );
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
    };
    try {
      await postgres.transaction(async (tx) => {
        await tx.insert(eventCorrections).values(correction);
        for (const change of changesOf(request, before, after, spans)) await recordChange(tx, change);
      });
    } catch (error) {
      if (isUniqueViolation(error))
        throw new ProblemError("conflict", "the event is being corrected by somebody else; look at it again");
      throw error;
    }
    return correction;
  }

  /** What was accepted before this call can be found from here on. */
  async function whenStored(): Promise<void> {
    if (others) return await whenVisible(others, Date.now());
    if (!ingest || ingest.log.backlogBytes === 0) return;
    const stored = ingest.flush.whenStored(ingest.log.syncedEnd);
    const isStored = await Promise.race([stored.then(() => true), delay(patienceMs, false, { ref: false })]);
    if (!isStored) throw new StoreUnavailableError(new Error("what was accepted before could not be stored in time"));
  }

  async function whenVisible({ watermark }: OtherStorers, acceptedMs: number): Promise<void> {
    while (watermark().getTime() < acceptedMs) {
      if (Date.now() > acceptedMs + patienceMs)
        throw new StoreUnavailableError(new Error("what was accepted before could not be stored in time"));
      await delay(pollMs);
    }
  }

  async function history(organization: string, { id, source }: EventName): Promise<Correction[]> {
    return await postgres.db
      .select()
      .from(eventCorrections)
      .where(
        and(
          eq(eventCorrections.eventId, id),
          source === undefined ? undefined : eq(eventCorrections.source, source),
          or(eq(eventCorrections.organization, organization), eq(eventCorrections.newOrganization, organization)),
        ),
      )
      .orderBy(asc(eventCorrections.at), asc(eventCorrections.id));
  }

  /** Throws ProblemError where the id alone does not say which event is meant. */
  async function findEvent(organization: string, name: EventName, timeMs: number | undefined) {
    try {
      return await findStoredEvent(clickhouse, organization, name, timeMs);
    } catch (error) {
      if (!(error instanceof SeveralSourcesError)) throw error;
      throw new ProblemError("invalid_request", error.message, { field: "source" });
    }
  }

  async function whenApplied(correction: Correction): Promise<Correction> {
    const isApplied = async () => {
      const [row] = await postgres.db.select().from(eventCorrections).where(eq(eventCorrections.id, correction.id));
      return row?.appliedAt ? row : undefined;
    };
    const untilMs = Date.now() + patienceMs;
    if (ingest)
      await Promise.race([applyPending().catch(() => undefined), delay(patienceMs, undefined, { ref: false })]);
    for (;;) {
      const applied = await isApplied();
      if (applied || Date.now() >= untilMs) return applied ?? correction;
      await delay(pollMs);
    }
  }

  return {
    history,
    applyPending,
    async within(fromMs, toMs, isVisible) {
      const beforeMs = sql<number>`(${eventCorrections.before}->>'time_ms')::bigint`;
      const rows = await postgres.db
        .select()
        .from(eventCorrections)
        .where(and(gte(beforeMs, fromMs), lt(beforeMs, toMs)))
        .orderBy(desc(eventCorrections.at), desc(eventCorrections.id));
      return rows
        .filter(({ before, after }) => isVisible(before) || (after !== null && isVisible(after)))
        .slice(0, shownCorrections)
        .reverse();
    },
    async find(organization, name, timeMs) {
      return (await findEvent(organization, name, timeMs))?.current;
    },
    async correct(request) {
      const { organization, timeMs, changes } = request;
      await whenStored();
      // A correction that is on record and not applied yet comes first.
      if (ingest) await applyPending();
      const stored = await findEvent(organization, { id: request.id, source: request.source }, timeMs);
      if (!stored) throw new ProblemError("not_found", "there is no such event", { field: "id" });
      if (!stored.current) {
        const last = (await history(organization, { ...stored.name, source: stored.name.source ?? "" })).findLast(
          (one) => one.organization === organization,
        );
        if (changes === undefined && last?.action === "void") return last;
        throw new ProblemError("conflict", "the event does not count here any more; see its history");
      }
      const before = stored.current;
      request.check(eventOfRow(before));
      if (changes === undefined) return await whenApplied(await record(request, before, null, stored.batch));
      const after = amendEvent(before, changes, {
        nowMs: Date.now(),
        eventType,
        pathAt: (place, atMs) => tree.pathAt(place, atMs),
      });
      if ("code" in after)
        throw new ProblemError("invalid_request", after.message, { field: `changes.${after.field ?? ""}` });
      const { id, source } = before;
      if (after.organization !== organization) {
        request.mayMoveTo(after.organization);
        if (await findStoredEvent(clickhouse, after.organization, { id, source }, undefined))
          throw new ProblemError("conflict", "the other organization has an event with this id", {
            field: "changes.organization",
          });
      }
      if (JSON.stringify(after) === JSON.stringify(before))
        throw new ProblemError("invalid_request", "this would change nothing", { field: "changes" });
      return await whenApplied(await record(request, before, after, stored.batch));
    },
  };
}

function isUniqueViolation(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ("code" in cause && cause.code === uniqueViolation) return true;
  return false;
}
