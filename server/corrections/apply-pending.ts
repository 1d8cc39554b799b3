/**
 * Applies what is on record and not applied yet, one after another, in turns of tenants; only where events are stored. One that cannot be
 * applied is set aside, so that the others go on, and tried again later and later.
 */
import { and, asc, count, eq, gt, isNull, lte, min, notExists, or, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Logger } from "pino";
import { type ClickHouse, StatementTooHeavyError, StoreUnavailableError } from "../clickhouse/client.ts";
import { minuteMs, secondMs } from "../contract/durations.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { Ingest } from "../ingest/flush/start-ingest.ts";
import type { Postgres } from "../postgres/client.ts";
import { confirmPastChanges } from "../postgres/past-changes.ts";
import { eventCorrections } from "../postgres/schema/corrections.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { applyCorrection, gatherSessions, RebuildInDoubtError } from "./apply-correction.ts";
import { type Correction, causeOf } from "./record-correction.ts";

export interface OtherStorers {
  /** Whether this process is the one that applies corrections now. */
  isHere(): boolean;
  /** Asks the one that does to do it now. */
  applyThere(): Promise<void>;
  /** What every process accepted up to then can be found. */
  watermark(): Date;
}

export interface ApplyingDeps {
  postgres: Postgres;
  clickhouse: ClickHouse;
  tree: Pick<NodeTree, "ancestors">;
  /** Absent in a process that does not store events: then another one applies what is recorded here. */
  ingest:
    | (Pick<Ingest, "materializer" | "sequence"> & { flush: Pick<Ingest["flush"], "exclusive" | "settledBatch"> })
    | undefined;
  /** Where other processes store too, and one of them applies what is recorded. */
  others?: Pick<OtherStorers, "isHere" | "applyThere"> | undefined;
  log?: Pick<Logger, "error"> | undefined;
  now?: (() => number) | undefined;
}

/** After the first failure; twice as long after each further one. */
const firstRetryMs = 2 * secondMs;
/** A store that is away comes back; what it cannot do may cost as much at each try. */
const longestRetryMs = { away: 30 * secondMs, other: 10 * minuteMs };
/** Tenants whose last turn is remembered. */
const maxRemembered = 10_000;

/**
 * Answers a function that resolves when everything that was on record before its call, and not set aside for longer, is applied. It
 * rejects when something is set aside then.
 */
export function createApplying(deps: ApplyingDeps): () => Promise<void> {
  const { others, now = Date.now } = deps;
  let applying: Promise<void> = Promise.resolve();
  /** By tenant, when its last turn was, counted. */
  const lastTurns = new Map<string, number>();
  let turns = 0;

  async function applyDue(): Promise<void> {
    const calledAt = new Date(now());
    for (;;) {
      const next = await nextDue(deps, calledAt, (tenant) => lastTurns.get(tenant) ?? 0);
      if (!next) break;
      if (lastTurns.size >= maxRemembered) lastTurns.clear();
      lastTurns.set(next.tenant, ++turns);
      await applyOrSetAside(deps, next.id);
    }
    await expectNoneAside(deps);
  }

  return () => {
    if (others && !others.isHere()) return others.applyThere();
    const next = applying.then(applyDue);
    applying = next.catch(() => undefined);
    return next;
  };
}

/** Of the organizations' oldest that is due the one whose tenant had its last turn the longest ago. */
async function nextDue(
  { postgres, tree, now = Date.now }: ApplyingDeps,
  calledAt: Date,
  lastTurnOf: (tenant: string) => number,
): Promise<{ id: string; tenant: string } | undefined> {
  const { id, organization, newOrganization, at, appliedAt, retryAt } = eventCorrections;
  const doubted = alias(eventCorrections, "doubted");
  const isSame = (one: typeof doubted.organization | typeof doubted.newOrganization): SQL =>
    sql`${one} IN (${organization}, ${newOrganization})`;
  const inDoubt = postgres.db
    .select({ id: doubted.id })
    .from(doubted)
    .where(
      and(
        isNull(doubted.appliedAt),
        gt(doubted.inDoubtUntil, new Date(now())),
        or(isSame(doubted.organization), isSame(doubted.newOrganization)),
      ),
    );
  const heads = await postgres.db
    .selectDistinctOn([organization], { id, organization })
    .from(eventCorrections)
    .where(and(isNull(appliedAt), lte(at, calledAt), or(isNull(retryAt), lte(retryAt, calledAt)), notExists(inDoubt)))
    .orderBy(asc(organization), asc(at), asc(id));
  const due = heads.map((head) => ({
    id: head.id,
    tenant: tenantOf(nodeAddress("organization", head.organization), tree),
  }));
  return due.sort((a, b) => lastTurnOf(a.tenant) - lastTurnOf(b.tenant))[0];
}

async function applyOrSetAside(deps: ApplyingDeps, id: string): Promise<void> {
  const { postgres, ingest, log, now = Date.now } = deps;
  const [correction] = await postgres.db.select().from(eventCorrections).where(eq(eventCorrections.id, id));
  if (!ingest || !correction || correction.appliedAt) return;
  const turn = { hasBegun: false };
  try {
    await applyOne({ ...deps, ingest }, correction, turn);
  } catch (error) {
    // The process stops: nothing was tried.
    if (!turn.hasBegun) throw error;
    const failures = correction.failures + 1;
    const isAway = error instanceof StoreUnavailableError && !(error instanceof StatementTooHeavyError);
    const pauseMs = Math.min(firstRetryMs * 2 ** correction.failures, longestRetryMs[isAway ? "away" : "other"]);
    const inDoubtUntil = error instanceof RebuildInDoubtError ? new Date(error.untilMs) : correction.inDoubtUntil;
    const retryAt = new Date(Math.max(now() + pauseMs, inDoubtUntil?.getTime() ?? 0));
    await postgres.db
      .update(eventCorrections)
      .set({ failures, retryAt, inDoubtUntil })
      .where(eq(eventCorrections.id, id));
    const about = { correction: id, organization: correction.organization, failures, retryAt, err: error };
    log?.error(about, "a correction could not be applied and is set aside");
    return;
  }
  await postgres.transaction(async (tx) => {
    await tx.update(eventCorrections).set({ appliedAt: new Date() }).where(eq(eventCorrections.id, id));
    await confirmPastChanges(tx, causeOf(correction));
  });
}

/** `turn.hasBegun`: set once storage is asked. */
async function applyOne(
  { postgres, clickhouse, ingest }: ApplyingDeps & { ingest: NonNullable<ApplyingDeps["ingest"]> },
  correction: Correction,
  turn: { hasBegun: boolean },
): Promise<void> {
  const { flush, materializer, sequence } = ingest;
  const rows = { before: correction.before, after: correction.after ?? undefined };
  const through = flush.settledBatch;
  turn.hasBegun = true;
  const gathered = await gatherSessions(clickhouse, rows, { run: sequence.next(), through });
  turn.hasBegun = false;
  await flush.exclusive(async () => {
    turn.hasBegun = true;
    // The row may have been stored by a process whose clock is ahead: of one key the larger number stands.
    sequence.advance(correction.replaces);
    // Given within the turn, so that nothing of a larger number is settled before. A try that failed had them already, and what it
    // stored is replaced only under the same numbers.
    const numbers = {
      voidBatch: correction.voidBatch ?? sequence.next(),
      amendBatch: correction.after === null ? null : (correction.amendBatch ?? sequence.next()),
    };
    if (correction.voidBatch === null)
      await postgres.db.update(eventCorrections).set(numbers).where(eq(eventCorrections.id, correction.id));
    const given = { ...numbers, amendBatch: numbers.amendBatch ?? undefined };
    const levels = await applyCorrection({ clickhouse, materializer }, rows, given, gathered, Date.now());
    const organizations = new Set([correction.organization, correction.newOrganization ?? correction.organization]);
    // Those of an earlier try may be settled already: what goes by the newest number must see that something changed.
    return { batch: sequence.next(), organizations, levels };
  });
}

/** Throws where something is set aside: who runs the service sees it in the job's state. */
async function expectNoneAside({ postgres }: ApplyingDeps): Promise<void> {
  const { appliedAt, failures, id } = eventCorrections;
  const [aside] = await postgres.db
    .select({ corrections: count(), first: min(id) })
    .from(eventCorrections)
    .where(and(isNull(appliedAt), gt(failures, 0)));
  if (aside && aside.corrections > 0)
    throw new Error(
      `${aside.corrections} corrections could not be applied and are set aside, ${aside.first} among them`,
    );
}
