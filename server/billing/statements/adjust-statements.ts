/**
 * Finds out what events that came, were voided or amended after a statement was closed change of it. The statement stays as it
 * is; the difference is an adjustment, charged as lines of the node's next statement. That is what an accountant expects: an
 * invoice that was sent is never altered, and what it was wrong by is on the next one with the cycle it belongs to, so that
 * there is one amount to pay and nothing is paid or given back twice.
 *
 * The terms are those of the closed statement: only what was used is measured anew. Running it again changes nothing.
 */
import { and, asc, eq, gt, lt, max } from "drizzle-orm";
import { z } from "zod";
import { canonicalJson, toPlainJson } from "../../audit/canonical-json.ts";
import type { Meter } from "../../catalog/meter.ts";
import { defineQuery } from "../../clickhouse/define-query.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import { inTurns } from "../../fairness/in-turns.ts";
import { newId } from "../../identity/actor.ts";
import { dayMs } from "../../metrics/zone-clock.ts";
import type { Postgres } from "../../postgres/client.ts";
import { statementAdjustments, statementProgress, statements } from "../../postgres/schema/statements.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { readTerms } from "../plans.ts";
import { type TermsByVersion, termsOf } from "../quotas.ts";
import { measureSegments } from "../read-charges.ts";
import type { StatementRow, StatementSource } from "./close-statements.ts";
import { adjustmentLines, payingLevels, planCharges, sumOfAmounts } from "./statement-charges.ts";

const lateUsage = defineQuery(
  "late_usage",
  z.object({ after: z.number(), settled: z.number(), before_ms: z.number() }),
  z.object({
    organization: z.string(),
    first_ms: z.coerce.number(),
    days: z.array(z.coerce.number()),
    session_ms: z.coerce.number().nullable(),
    resellers: z.array(z.string()),
    partners: z.array(z.string()),
  }),
);

/** What this process has found and not measured anew yet: the mark in the store moves only when nothing is left. */
interface Backlog {
  /** Events up to this batch were looked through. */
  seenBatch: number;
  /** By the statement's id, its tenant. */
  statements: Map<string, NodeAddress>;
}

const backlogs = new WeakMap<Postgres, Backlog>();

/** In one run: the rest waits for the next, and tenants take turns. */
const mostInRun = 200;

/** How many statements were measured anew. Rejects after the others were, where some could not. */
export async function adjustStatements(source: StatementSource, nowMs: number): Promise<number> {
  const { db } = source.postgres;
  const settled = source.settledBatch();
  const [progress] = await db.select().from(statementProgress);
  const doneBatch = progress?.settledBatch ?? 0;
  const backlog = backlogs.get(source.postgres) ?? { seenBatch: 0, statements: new Map<string, NodeAddress>() };
  backlogs.set(source.postgres, backlog);
  const after = Math.max(backlog.seenBatch, doneBatch);
  if (settled > after) {
    for (const { id, node } of await concernedStatements(source, after, settled))
      backlog.statements.set(id, tenantOf(node, source.tree));
    backlog.seenBatch = settled;
  }
  const turns = inTurns([...backlog.statements], ([, tenant]) => tenant).slice(0, mostInRun);
  const failures: unknown[] = [];
  for (const [id, tenant] of turns) {
    // What fails comes last the next time.
    backlog.statements.delete(id);
    try {
      await adjustStatement(source, id, nowMs);
    } catch (error) {
      failures.push(error);
      backlog.statements.set(id, tenant);
    }
  }
  if (backlog.statements.size === 0 && backlog.seenBatch > doneBatch) {
    // Only now: what a crash left out is looked at again. Another process may have come further.
    const mark = { only: 1, settledBatch: backlog.seenBatch };
    const isFurther = lt(statementProgress.settledBatch, backlog.seenBatch);
    await db
      .insert(statementProgress)
      .values(mark)
      .onConflictDoUpdate({ target: statementProgress.only, set: mark, setWhere: isFurther });
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} statements could not be adjusted`);
  return turns.length;
}

/** Which times of a node late events change. Instants are ms since 1970, UTC. */
interface LateTimes {
  firstMs: number;
  /** The first instants of the days that events lie in. */
  days: Set<number>;
  /** All minutes, peaks and starts since then; Infinity: none. */
  sessionMs: number;
}

type ClosedPart = Pick<StatementRow, "id" | "node" | "partFrom" | "partTo" | "chargedSegments">;

/** The statements with usage that events under the batches after `after` up to `settled` change. */
async function concernedStatements(source: StatementSource, after: number, settled: number): Promise<ClosedPart[]> {
  const { db } = source.postgres;
  const isOfSubscription = eq(statements.kind, "subscription");
  const [last] = await db
    .select({ to: max(statements.partTo) })
    .from(statements)
    .where(isOfSubscription);
  if (!last?.to) return [];
  const late = await lateUsage(source.clickhouse, { after, settled, before_ms: last.to.getTime() });
  const times = new Map<NodeAddress, LateTimes>();
  for (const { organization, first_ms, days, session_ms, resellers, partners } of late)
    for (const node of [
      nodeAddress("organization", organization),
      ...resellers.map((id) => nodeAddress("reseller", id)),
      ...partners.map((id) => nodeAddress("partner", id)),
    ]) {
      const known = times.get(node) ?? {
        firstMs: first_ms,
        days: new Set<number>(),
        sessionMs: Number.POSITIVE_INFINITY,
      };
      times.set(node, known);
      known.firstMs = Math.min(known.firstMs, first_ms);
      known.sessionMs = Math.min(known.sessionMs, session_ms ?? Number.POSITIVE_INFINITY);
      for (const day of days) known.days.add(day);
    }
  const concerned: ClosedPart[] = [];
  for (const [node, known] of times) {
    const { id, partFrom, partTo, chargedSegments } = statements;
    const rows = await db
      .select({ id, node: statements.node, partFrom, partTo, chargedSegments })
      .from(statements)
      .where(and(eq(statements.node, node), isOfSubscription, gt(partTo, new Date(known.firstMs))))
      .orderBy(asc(partTo));
    const terms = await readTerms(
      db,
      rows.flatMap((row) => row.chargedSegments),
    );
    concerned.push(...rows.filter((row) => isConcerned(source, row, known, terms)));
  }
  return concerned;
}

function isConcerned(
  source: StatementSource,
  { node, partFrom, partTo, chargedSegments }: ClosedPart,
  { days, sessionMs }: LateTimes,
  terms: TermsByVersion,
): boolean {
  const [fromMs, toMs] = [partFrom.getTime(), partTo.getTime()];
  if (sessionMs < toMs) return true;
  for (const day of days) if (day < toMs && fromMs < day + dayMs) return true;
  return chargedSegments.some((segment) =>
    termsOf(terms, segment).features.some(({ meter: name }) => {
      const meter = name === null ? undefined : source.meterOf(name, node, segment.toMs);
      return meter !== undefined && isCarriedOn(meter);
    }),
  );
}

/** Whether an event changes the figures of later times too: a level stays raised, a job ends later than it was asked for. */
function isCarriedOn({ rule }: Meter): boolean {
  if (rule.kind === "derived") return rule.operands.some(isCarriedOn);
  return rule.kind === "value_level" || rule.kind === "turnaround";
}

/** The one adjustment that no statement carries yet becomes what is known now; it goes where nothing differs any more. */
async function adjustStatement(source: StatementSource, id: string, nowMs: number): Promise<void> {
  const { postgres } = source;
  const [row] = await postgres.db.select().from(statements).where(eq(statements.id, id));
  if (!row) return;
  const { node, tz, path, currency, chargedSegments } = row;
  const terms = await readTerms(postgres.db, chargedSegments);
  const measured = await measureSegments(source, { node, tz }, chargedSegments, terms, nowMs);
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
