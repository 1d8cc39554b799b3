/**
 * Voids and amends events of any age. A correction is on record, with its reason and what the event was before, and in the
 * audit, before storage is touched; what is on record and not yet applied is applied by the job corrections-apply, at the
 * latest after the next start (apply-pending.ts). Corrections of one row exclude each other.
 */
import { setTimeout as delay } from "node:timers/promises";
import { and, count, desc, eq, isNull, or } from "drizzle-orm";
import { eventType } from "../catalog/catalog.ts";
import { StoreUnavailableError } from "../clickhouse/client.ts";
import type { EventRow } from "../clickhouse/event-columns.ts";
import { correctionLimits } from "../contract/corrections.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { EventName } from "../ingest/accept/event-identity.ts";
import type { Ingest } from "../ingest/flush/start-ingest.ts";
import { eventCorrections } from "../postgres/schema/corrections.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { amendEvent, eventOfRow } from "./amend-event.ts";
import { type ApplyingDeps, createApplying, type OtherStorers } from "./apply-pending.ts";
import { type CorrectionsAsked, readCorrectionsWithin } from "./read-corrections.ts";
import { type Correction, type CorrectionRequest, type RecordingDeps, recordCorrection } from "./record-correction.ts";
import { findStoredEvent, SeveralSourcesError, type StoredEvent } from "./stored-event.ts";

export interface Corrections {
  /**
   * Resolves when queries show the correction, or with `appliedAt` null when that takes longer than `patienceMs` or it is set aside.
   * Throws ProblemError: `not_found`, `conflict` when the event is void already or was changed meanwhile, `invalid_request`, `too_fast`
   * while too many of the tenant's wait. Voiding again answers the first voiding.
   */
  correct(request: CorrectionRequest): Promise<Correction>;
  /**
   * The newest 1,000, the oldest of them first; from every source where none is named ('' stands for no source); also those of
   * events that were moved here from another organization.
   */
  history(organization: string, name: EventName): Promise<Correction[]>;
  /** The event as it counts now; undefined when there is none or it is void. */
  find(organization: string, name: EventName, timeMs: number | undefined): Promise<EventRow | undefined>;
  /** As `readCorrectionsWithin` has them. */
  within(
    tree: Pick<NodeTree, "organizationsEverBelow" | "pathsBetween">,
    asked: CorrectionsAsked,
  ): Promise<Correction[]>;
  /** Applies what is on record and not applied yet; only where events are stored. */
  applyPending(): Promise<void>;
}

export interface CorrectionsDeps extends ApplyingDeps, RecordingDeps {
  tree: ApplyingDeps["tree"] & RecordingDeps["tree"];
  ingest: (ApplyingDeps["ingest"] & (Pick<Ingest, "log"> & { flush: Pick<Ingest["flush"], "whenStored"> })) | undefined;
  others?: OtherStorers | undefined;
  patienceMs?: number;
}

const pollMs = 100;
const shownOfEvent = 1_000;

const defaultPatienceMs = 10_000;

export function createCorrections(deps: CorrectionsDeps): Corrections {
  const { postgres, ingest, patienceMs = defaultPatienceMs } = deps;
  const applyPending = createApplying(deps);

  /** As it is then: applied, set aside, or still waiting after `patienceMs`. */
  async function whenTried(correction: Correction): Promise<Correction> {
    const untilMs = Date.now() + patienceMs;
    let run = ingest && applyPending().catch(() => undefined);
    void run?.then(() => {
      run = undefined;
    });
    for (;;) {
      const [row = correction] = await postgres.db
        .select()
        .from(eventCorrections)
        .where(eq(eventCorrections.id, correction.id));
      if (row.appliedAt || row.failures > 0 || Date.now() >= untilMs) return row;
      // Others' may be applied in the same run, before and after this one.
      await Promise.race([delay(pollMs), ...(run ? [run] : [])]);
    }
  }

  return {
    applyPending,
    history: (organization, name) => readHistory(deps, organization, name),
    within: (tree, asked) => readCorrectionsWithin(postgres.db, tree, asked),
    async find(organization, name, timeMs) {
      return (await findEvent(deps, organization, name, timeMs))?.current;
    },
    async correct(request) {
      const { organization, timeMs, changes } = request;
      await whenStored(deps);
      await expectFew(deps, organization);
      // Another correction of the event, that is on record and not applied yet, comes first.
      const [earlier] = await postgres.db
        .select()
        .from(eventCorrections)
        .where(isPendingOf(organization, request.id))
        .limit(1);
      if (earlier) await whenTried(earlier);
      const stored = await findEvent(deps, organization, { id: request.id, source: request.source }, timeMs);
      if (!stored) throw new ProblemError("not_found", "there is no such event", { field: "id" });
      if (!stored.current) return await voidedBefore(deps, request, stored.name);
      const before = stored.current;
      request.check(eventOfRow(before));
      const after = changes === undefined ? null : await amended(deps, stored, request, before, changes);
      return await whenTried(await recordCorrection(deps, request, { before, after, replaces: stored.batch }));
    },
  };
}

const isPendingOf = (organization: string, id: string) => {
  const isOf = or(eq(eventCorrections.organization, organization), eq(eventCorrections.newOrganization, organization));
  return and(isNull(eventCorrections.appliedAt), eq(eventCorrections.eventId, id), isOf);
};

/** Throws ProblemError `too_fast` where as many corrections of the tenant wait as may. */
async function expectFew({ postgres, tree }: CorrectionsDeps, organization: string): Promise<void> {
  const waiting = await postgres.db
    .select({ organization: eventCorrections.organization, corrections: count() })
    .from(eventCorrections)
    .where(isNull(eventCorrections.appliedAt))
    .groupBy(eventCorrections.organization);
  const tenant = tenantOf(nodeAddress("organization", organization), tree);
  const own = waiting.filter((one) => tenantOf(nodeAddress("organization", one.organization), tree) === tenant);
  if (own.reduce((sum, { corrections }) => sum + corrections, 0) >= correctionLimits.waitingOfTenant)
    throw new ProblemError("too_fast", "as many corrections wait to be applied as may; try again later", {
      retryAfterSeconds: 30,
    });
}

/** Voiding again answers the first voiding. */
async function voidedBefore(
  deps: CorrectionsDeps,
  { organization, changes }: CorrectionRequest,
  name: EventName,
): Promise<Correction> {
  const history = await readHistory(deps, organization, { ...name, source: name.source ?? "" });
  const last = history.findLast((one) => one.organization === organization);
  if (changes === undefined && last?.action === "void") return last;
  throw new ProblemError("conflict", "the event no longer counts here; see its history");
}

/** What the event is to be. Throws ProblemError for what it cannot be. */
async function amended(
  deps: CorrectionsDeps,
  stored: StoredEvent,
  { organization, mayMoveTo }: CorrectionRequest,
  before: EventRow,
  changes: Readonly<Record<string, unknown>>,
): Promise<EventRow> {
  const { clickhouse, tree } = deps;
  const pathAt: NodeTree["pathAt"] = (place, atMs) => tree.pathAt(place, atMs);
  const after = amendEvent(before, changes, { nowMs: Date.now(), eventType, pathAt });
  if ("code" in after)
    throw new ProblemError("invalid_request", after.message, { field: `changes.${after.field ?? ""}` });
  const { id, source } = before;
  if (after.organization !== organization) {
    mayMoveTo(after.organization);
    const there = await findStoredEvent(clickhouse, after.organization, { id, source }, undefined);
    if (there && !(there.batch < stored.batch && (await hasLeft(deps, after.organization, there))))
      throw new ProblemError("conflict", "the other organization already has an event with this ID", {
        field: "changes.organization",
      });
  }
  if (JSON.stringify(after) === JSON.stringify(before))
    throw new ProblemError("invalid_request", "this would change nothing", { field: "changes" });
  return after;
}

/** Whether an event stood there and was moved to another organization: it may come back, where what was voided never counts again. */
async function hasLeft(deps: CorrectionsDeps, organization: string, { name, current }: StoredEvent): Promise<boolean> {
  if (current) return false;
  const history = await readHistory(deps, organization, { ...name, source: name.source ?? "" });
  const last = history.findLast((one) => one.organization === organization);
  return last?.action === "amend" && last.newOrganization !== null;
}

/** What was accepted before this call can be found from here on. */
async function whenStored({ ingest, others, patienceMs = defaultPatienceMs }: CorrectionsDeps): Promise<void> {
  if (others) return await whenVisible(others, Date.now(), patienceMs);
  if (!ingest || ingest.log.backlogBytes === 0) return;
  const stored = ingest.flush.whenStored(ingest.log.syncedEnd);
  const isStored = await Promise.race([stored.then(() => true), delay(patienceMs, false, { ref: false })]);
  if (!isStored)
    throw new StoreUnavailableError(new Error("events accepted earlier could not be stored in time; try again"));
}

async function whenVisible({ watermark }: OtherStorers, acceptedMs: number, patienceMs: number): Promise<void> {
  while (watermark().getTime() < acceptedMs) {
    if (Date.now() > acceptedMs + patienceMs)
      throw new StoreUnavailableError(new Error("events accepted earlier could not be stored in time; try again"));
    await delay(pollMs);
  }
}

async function readHistory(
  { postgres }: CorrectionsDeps,
  organization: string,
  { id, source }: EventName,
): Promise<Correction[]> {
  const newest = await postgres.db
    .select()
    .from(eventCorrections)
    .where(
      and(
        eq(eventCorrections.eventId, id),
        source === undefined ? undefined : eq(eventCorrections.source, source),
        or(eq(eventCorrections.organization, organization), eq(eventCorrections.newOrganization, organization)),
      ),
    )
    .orderBy(desc(eventCorrections.at), desc(eventCorrections.id))
    .limit(shownOfEvent);
  return newest.reverse();
}

/** Throws ProblemError where the id alone does not say which event is meant. */
async function findEvent(
  { clickhouse }: CorrectionsDeps,
  organization: string,
  name: EventName,
  timeMs: number | undefined,
) {
  try {
    return await findStoredEvent(clickhouse, organization, name, timeMs);
  } catch (error) {
    if (!(error instanceof SeveralSourcesError)) throw error;
    throw new ProblemError("invalid_request", error.message, { field: "source" });
  }
}
