/**
 * Finds out what changes a statement after it was closed: events that came, were voided or amended, intervals that timed out, moves,
 * new versions of meters, and a trial or an end that was moved in the past. The statement stays as it is; the difference is an adjustment, charged as lines of the node's next statement. That is what an accountant expects: an
 * invoice that was sent is never altered, and what it was wrong by is on the next one with the cycle it belongs to, so that
 * there is one amount to pay and nothing is paid or given back twice.
 *
 * The terms are those of the closed statement: only what was used is measured anew, where the subscription as it stands charges
 * for it. Running it again changes nothing.
 */
import { asc, eq, sql } from "drizzle-orm";
import { canonicalJson, toPlainJson } from "../../audit/canonical-json.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import { inTurns } from "../../fairness/in-turns.ts";
import { newId } from "../../identity/actor.ts";
import type { Postgres } from "../../postgres/client.ts";
import {
  announcePastChanges,
  confirmPastChanges,
  forgetPastChanges,
  visiblePastChanges,
} from "../../postgres/past-changes.ts";
import { statementAdjustments, statementProgress, statements } from "../../postgres/schema/statements.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { endMsOf, segmentsWithin } from "../billing-cycle.ts";
import { afterTrial } from "../charges.ts";
import { readTerms } from "../plans.ts";
import { measureSegments } from "../read-charges.ts";
import { readSubscription } from "../subscriptions.ts";
import type { StatementSource } from "./close-statements.ts";
import { type ClosedPart, concernedByChanges, concernedByEvents } from "./concerned-statements.ts";
import { adjustmentLines, payingLevels, planCharges, sumOfAmounts } from "./statement-charges.ts";

/**
 * What this process has found and not measured anew yet: the mark in the store moves only when all of it was tried. What failed is
 * then a change of the past of its own, one for each statement, and is tried again for it.
 */
interface Backlog {
  /** Events up to this batch were looked through. */
  seenBatch: number;
  /** The numbers of the changes of the past that were looked through. */
  changes: Set<number>;
  /** By the statement's id. */
  statements: Map<string, Waiting>;
  /** Those of them that could not be measured anew. */
  failed: Map<string, Waiting>;
}

interface Waiting {
  tenant: NodeAddress;
  part: Pick<ClosedPart, "node" | "partFrom" | "partTo">;
}

const backlogs = new WeakMap<Postgres, Backlog>();

/** In one run: the rest waits for the next, and tenants take turns. */
const maxInRun = 200;
const maxChangesInRun = 20_000;

/** How many statements were measured anew. Rejects after the others were, where some could not: these are tried again in each run. */
export async function adjustStatements(source: StatementSource, nowMs: number): Promise<number> {
  const { db } = source.postgres;
  const watermark = source.watermark();
  const settled = source.settledBatch();
  const [progress] = await db.select().from(statementProgress);
  const doneBatch = progress?.settledBatch ?? 0;
  const backlog = backlogs.get(source.postgres) ?? newBacklog();
  backlogs.set(source.postgres, backlog);
  const wait = ({ id, ...part }: ClosedPart) =>
    backlog.statements.set(id, { part, tenant: tenantOf(part.node, source.tree) });
  const after = Math.max(backlog.seenBatch, doneBatch);
  if (settled > after) {
    for (const part of await concernedByEvents(source, { after, settled, nowMs })) wait(part);
    backlog.seenBatch = settled;
  }
  const changes = await visiblePastChanges(db, [...backlog.changes], maxChangesInRun);
  for (const part of await concernedByChanges(source, changes, nowMs)) wait(part);
  for (const { number } of changes) backlog.changes.add(number);
  const turns = inTurns([...backlog.statements], ([, { tenant }]) => tenant).slice(0, maxInRun);
  const failures: unknown[] = [];
  for (const [id, waiting] of turns) {
    backlog.statements.delete(id);
    try {
      await adjustStatement(source, id, nowMs);
      backlog.failed.delete(id);
    } catch (error) {
      failures.push(error);
      backlog.failed.set(id, waiting);
    }
  }
  // Only now: what a crash left out is looked at again.
  if (backlog.statements.size === 0)
    // Where there are more changes than are looked through at once, the rest is in no adjustment yet.
    await markDone(source.postgres, backlog, changes.length < maxChangesInRun ? watermark : null);
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} statements could not be adjusted`);
  return turns.length;
}

function newBacklog(): Backlog {
  return { seenBatch: 0, changes: new Set(), statements: new Map(), failed: new Map() };
}

/**
 * All was tried. What failed is kept in the store too, so that no other process forgets it, and nothing else is kept for it.
 * `knownUntil`: null where something is left to be looked through; the mark from before then stays.
 */
async function markDone(postgres: Postgres, backlog: Backlog, knownUntil: Date | null): Promise<void> {
  const { seenBatch, changes, failed } = backlog;
  const adjustedUntil = failed.size > 0 ? null : knownUntil;
  const done = [...changes];
  if (done.length > 0 || failed.size > 0)
    await postgres.transaction(async (tx) => {
      await forgetPastChanges(tx, done);
      for (const [id, { part }] of failed) {
        const { node, partFrom, partTo } = part;
        const cause = `statement:${id}`;
        // What lies within the part is charged by this statement alone.
        await announcePastChanges(tx, cause, [{ node, fromMs: partFrom.getTime(), toMs: partTo.getTime() - 1 }]);
        await confirmPastChanges(tx, cause);
      }
    });
  for (const number of done) changes.delete(number);
  failed.clear();
  const { only, settledBatch } = statementProgress;
  await postgres.db
    .insert(statementProgress)
    .values({ only: 1, settledBatch: seenBatch, adjustedUntil })
    .onConflictDoUpdate({
      target: only,
      // Another process may have come further.
      set: {
        settledBatch: sql`greatest(${settledBatch}, excluded.settled_batch)`,
        adjustedUntil: sql`greatest(${statementProgress.adjustedUntil}, excluded.adjusted_until)`,
      },
    });
}

/** What was accepted until then is in the adjustments of the statements; null where that is not known. */
export async function adjustedUntil({
  postgres: { db },
  watermark,
}: Pick<StatementSource, "postgres" | "watermark">): Promise<Date | null> {
  const asOf = watermark();
  const [progress] = await db.select().from(statementProgress);
  if (progress) return progress.adjustedUntil;
  const [closed] = await db.select({ id: statements.id }).from(statements).limit(1);
  // Before the first statement is closed there is nothing that it could differ from.
  return closed ? null : asOf;
}

/** The one adjustment that no statement carries yet becomes what is known now; it goes where nothing differs any more. */
async function adjustStatement(source: StatementSource, id: string, nowMs: number): Promise<void> {
  const { postgres } = source;
  const [row] = await postgres.db.select().from(statements).where(eq(statements.id, id));
  const subscription = row && (await readSubscription(postgres.db, row.subscriptionId));
  if (!row || !subscription) return;
  const { node, tz, path, currency } = row;
  const until = segmentsWithin(row.segments, Number.NEGATIVE_INFINITY, endMsOf(subscription));
  const charged = afterTrial(until, subscription.trialEndsAt);
  const terms = await readTerms(postgres.db, charged);
  const measured = await measureSegments(source, { node, tz }, charged, terms, nowMs);
  const cycle = { startMs: row.cycleStart.getTime(), endMs: row.cycleEnd.getTime() };
  const now = planCharges(measured, cycle, tz, path, currency);
  await postgres.transaction(async (tx) => {
    await tx.select({ id: statements.id }).from(statements).where(eq(statements.id, id)).for("update");
    const known = await tx
      .select()
      .from(statementAdjustments)
      .where(eq(statementAdjustments.statementId, id))
      .orderBy(asc(statementAdjustments.number))
      .for("update");
    const carried = known.filter(({ carriedBy }) => carriedBy !== null);
    const open = known.find(({ carriedBy }) => carriedBy === null);
    const charges = payingLevels(path).flatMap(({ level }) => {
      const own =
        row.charges.find((one) => one.level === level)?.lines.filter(({ kind }) => kind !== "adjustment") ?? [];
      const earlier = carried.flatMap((one) =>
        one.charges.filter((at) => at.level === level).flatMap(({ lines }) => lines),
      );
      const wanted = now.find((one) => one.level === level)?.lines ?? [];
      const lines = adjustmentLines(id, [...own, ...earlier], wanted, currency);
      const total = sumOfAmounts(
        lines.map(({ amount }) => amount),
        currency,
      );
      return lines.length === 0 ? [] : [{ level, lines, total }];
    });
    // Postgres keeps the keys of its JSON in an order of its own.
    if (canonicalJson(toPlainJson(open?.charges ?? [])) === canonicalJson(toPlainJson(charges))) return;
    if (charges.length === 0) {
      if (open) await tx.delete(statementAdjustments).where(eq(statementAdjustments.id, open.id));
      return;
    }
    const at = new Date(nowMs);
    if (open) await tx.update(statementAdjustments).set({ charges, at }).where(eq(statementAdjustments.id, open.id));
    else
      await tx
        .insert(statementAdjustments)
        .values({ id: newId("adj"), statementId: id, number: known.length + 1, at, charges });
  });
}
