/**
 * Closes statements: of every part of a cycle that has ended, and then the summaries of resellers and partners. It may run at
 * any time, as often as one likes: what is closed stays as it is, what was left out while the service was down is made up.
 *
 * 1. A part is closed once everything accepted up to its end and the settling delay can be queried.
 * 2. A node's open adjustments go with its next statement, or, where there will be none, into a correction.
 * 3. A summary takes the statements whose part ended by the end of its cycle and that no summary has yet: each is in one.
 */

import { and, eq, inArray, isNotNull, isNull, lte, max } from "drizzle-orm";
import pLimit from "p-limit";
import type { Logger } from "pino";
import { dayMs } from "../../contract/durations.ts";
import { parseNode } from "../../contract/node-address.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { StatementUsage } from "../../contract/statements.ts";
import { inTurns } from "../../fairness/in-turns.ts";
import { newId } from "../../identity/actor.ts";
import { cycleContaining, formatInstant } from "../../metrics/windows.ts";
import { exact, ratio, roundHalfEven } from "../../numbers/exact.ts";
import { trimDecimal } from "../../numbers/figures.ts";
import type { Queries } from "../../postgres/client.ts";
import { statementAdjustments, statements } from "../../postgres/schema/statements.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { tenantOf } from "../../tree/tenant-of.ts";
import { type Cycle, type PlanSegment, type SubscriptionRecord, segmentsWithin, trialOf } from "../billing-cycle.ts";
import { afterTrial, type ChargedSegment } from "../charges.ts";
import type { PeriodSource } from "../period.ts";
import { readTerms } from "../plans.ts";
import { includedIn } from "../pricing.ts";
import { termsOf } from "../quotas.ts";
import { measureSegments } from "../read-charges.ts";
import { cycleSettings, holdDates, listSubscriptions } from "../subscriptions.ts";
import { carryAdjustments, openAdjustments } from "./carry-adjustments.ts";
import { closedUntil } from "./closed-until.ts";
import { type DuePart, dueParts, settlingMs } from "./due-parts.ts";
import { planCharges } from "./statement-charges.ts";
import { claimantOf, ownTotal, type Summed, summarize } from "./summarize.ts";

export interface StatementSource extends PeriodSource {
  tree: Pick<NodeTree, "ancestors" | "pathsBetween">;
  /** Everything stored under this batch or a smaller one is visible. */
  settledBatch: () => number;
  log: Pick<Logger, "info" | "warn">;
}

export type StatementRow = typeof statements.$inferSelect;
type NewStatement = typeof statements.$inferInsert;

/** Parts that are measured at once: a few, since dashboards ask the same store. */
const atOnce = 4;

/**
 * At most this many parts of one subscription, and of one tenant, in a run; the rest waits for the next, so that everybody's turn
 * comes soon.
 */
const maxPartsOfSubscription = 120;
const maxPartsOfTenant = 500;

/** How many were closed. Rejects after everything that could be closed was, where something could not. */
export async function closeStatements(source: StatementSource, nowMs: number): Promise<number> {
  const { db } = source.postgres;
  const dueMs = Math.min(source.watermark().getTime(), nowMs) - settlingMs;
  const subscriptions = await listSubscriptions(db);
  const lastTo = await closedUntil(db);
  const failures: unknown[] = [];
  const unfinished = new Set<NodeAddress>();
  const partsOfTenants = new Map<string, number>();
  let count = 0;
  const tenant = ({ node }: SubscriptionRecord) => tenantOf(node, source.tree);
  const closeParts = async (subscription: SubscriptionRecord) => {
    const { node, id } = subscription;
    const paths = (fromMs: number, toMs: number) => source.tree.pathsBetween(node, fromMs, toMs);
    const leaveOpen = (sinceMs: number) => {
      const above = paths(sinceMs, dueMs).flatMap(({ path }) => path);
      for (const one of [...source.tree.ancestors(node), ...above]) unfinished.add(one);
    };
    let parts = 0;
    for (const part of dueParts(subscription, lastTo.get(id), dueMs, paths)) {
      const ofTenant = partsOfTenants.get(tenant(subscription)) ?? 0;
      if (parts === maxPartsOfSubscription || ofTenant >= maxPartsOfTenant) return leaveOpen(part.fromMs);
      try {
        const closed = await closePart(source, subscription, part, nowMs);
        if (closed === undefined) return leaveOpen(part.fromMs);
        count += closed;
      } catch (error) {
        failures.push(error);
        return leaveOpen(part.fromMs);
      }
      parts++;
      partsOfTenants.set(tenant(subscription), (partsOfTenants.get(tenant(subscription)) ?? 0) + 1);
    }
  };
  await pLimit(atOnce).map(inTurns(subscriptions, tenant), async (subscription) => {
    try {
      await closeParts(subscription);
    } catch (error) {
      failures.push(error);
      for (const one of source.tree.ancestors(subscription.node)) unfinished.add(one);
    }
  });
  count += await closeCorrections(source, subscriptions, nowMs, failures);
  for (const kind of ["reseller", "partner"] as const)
    count += await closeSummaries(source, kind, { unfinished, failures }, dueMs, nowMs);
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} statements could not be closed`);
  return count;
}

/**
 * One statement in each currency that a version in force had. Undefined where the subscription was edited meanwhile: what such an
 * edit announced before there was a statement is looked for by nobody, so the part is measured again in the next run.
 */
async function closePart(
  source: StatementSource,
  subscription: SubscriptionRecord,
  { cycle, fromMs, toMs, path, segments }: DuePart,
  nowMs: number,
): Promise<number | undefined> {
  const { id: subscriptionId, node, tz, trialEndsAt } = subscription;
  const terms = await readTerms(source.postgres.db, subscription.history);
  const trial = trialOf(subscription);
  const trialSegments = segmentsWithin(segments, trial.startMs, trial.endMs);
  const chargedSegments = afterTrial(segments, trialEndsAt);
  const tried = await measureSegments(source, subscription, trialSegments, terms, nowMs);
  const charged = await measureSegments(source, subscription, chargedSegments, terms, nowMs);
  const usage = (of: (segment: PlanSegment) => boolean) => [
    ...tried.filter(of).flatMap((one) => usageOf(one, trial, tz).map((row) => ({ ...row, is_trial: true as const }))),
    ...charged.filter(of).flatMap((one) => usageOf(one, cycle, tz)),
  ];
  const currencies = new Set([...tried, ...charged].map((segment) => segment.terms.currency));
  return await source.postgres.transaction(async (tx) => {
    if (!(await holdDates(tx, subscription))) return undefined;
    let made = 0;
    for (const currency of currencies) {
      const own = (segment: PlanSegment) => termsOf(terms, segment).currency === currency;
      const charges = planCharges(charged, cycle, tz, path, currency);
      const row: NewStatement = {
        ...frozen({ kind: "subscription", path, currency, cycle, fromMs, toMs, tz, nowMs }),
        node,
        subscriptionId,
        segments: segments.filter(own),
        chargedSegments: chargedSegments.filter(own),
        usage: usage(own),
        charges,
        total: ownTotal(charges, node, currency),
      };
      made += await insertWithAdjustments(tx, row, await openAdjustments(tx, { node, path, currency }));
    }
    return made;
  });
}

/** 1 where the statement is new; its adjustments are then carried by it. */
async function insertWithAdjustments(
  tx: Queries,
  row: NewStatement,
  open: Awaited<ReturnType<typeof openAdjustments>>,
): Promise<number> {
  const carried = carryAdjustments(row, open);
  const [inserted] = await tx.insert(statements).values(carried).onConflictDoNothing().returning({ id: statements.id });
  if (!inserted) return 0;
  const ids = open.map(({ id }) => id);
  if (ids.length > 0)
    await tx.update(statementAdjustments).set({ carriedBy: inserted.id }).where(inArray(statementAdjustments.id, ids));
  return 1;
}

/** Closes statements for adjustments that no later one will carry: the node ended, moved, or is charged in another currency now. */
async function closeCorrections(
  source: StatementSource,
  subscriptions: readonly SubscriptionRecord[],
  nowMs: number,
  failures: unknown[],
): Promise<number> {
  const { postgres, tree } = source;
  const pending = await postgres.db
    .selectDistinctOn([statements.node, statements.path, statements.currency], { of: statements })
    .from(statementAdjustments)
    .innerJoin(statements, eq(statements.id, statementAdjustments.statementId))
    .where(and(isNull(statementAdjustments.carriedBy), lte(statementAdjustments.at, new Date(nowMs - settlingMs))));
  const terms = await readTerms(
    postgres.db,
    subscriptions.flatMap(({ history }) => history),
  );
  const closeOf = async (of: StatementRow): Promise<number> => {
    const { node, path, currency, tz } = of;
    const paths = (fromMs: number, toMs: number) => tree.pathsBetween(node, fromMs, toMs);
    // What is open or ahead, as far as it is decided: the next two cycles' length of it.
    const aheadMs = nowMs + 70 * dayMs;
    const isToCome = subscriptions
      .filter((one) => one.node === node)
      .flatMap((one) => [...dueParts(one, Math.max(one.startsAt.getTime(), nowMs - settlingMs), aheadMs, paths)])
      .filter((part) => part.path.join() === path.join())
      .some(({ segments }) => segments.some((segment) => termsOf(terms, segment).currency === currency));
    if (isToCome) return 0;
    return await postgres.transaction(async (tx) => {
      const cycle = { startMs: of.cycleStart.getTime(), endMs: of.cycleEnd.getTime() };
      const row: NewStatement = {
        ...frozen({ kind: "correction", path, currency, cycle, fromMs: nowMs, toMs: nowMs, tz, nowMs }),
        node,
        subscriptionId: "",
        segments: [],
        chargedSegments: [],
        usage: [],
        charges: [],
        total: ownTotal([], node, currency),
      };
      return await insertWithAdjustments(tx, row, await openAdjustments(tx, { node, path, currency }));
    });
  };
  let made = 0;
  for (const { of } of pending)
    try {
      made += await closeOf(of);
    } catch (error) {
      failures.push(error);
    }
  return made;
}

async function closeSummaries(
  source: StatementSource,
  kind: "reseller" | "partner",
  { unfinished, failures }: { unfinished: Set<NodeAddress>; failures: unknown[] },
  dueMs: number,
  nowMs: number,
): Promise<number> {
  const { db } = source.postgres;
  const isWaiting = and(
    isNull(statements.summaryId),
    isNotNull(statements.claimant),
    lte(statements.partTo, new Date(nowMs)),
  );
  const waiting = await db
    .select({ node: statements.claimant, to: statements.partTo })
    .from(statements)
    .where(isWaiting)
    .orderBy(statements.partTo);
  const firstTo = new Map<NodeAddress, number>();
  for (const { node, to } of waiting)
    if (node !== null && parseNode(node).kind === kind && !firstTo.has(node)) firstTo.set(node, to.getTime());
  let made = 0;
  const closeOf = async (node: NodeAddress, toMs: number) => {
    const settings = await cycleSettings(db, source.tree, node, nowMs);
    const [last] = await db
      .select({ to: max(statements.partTo) })
      .from(statements)
      .where(and(eq(statements.node, node), eq(statements.kind, "summary")));
    const lastMs = last?.to?.getTime() ?? Number.NEGATIVE_INFINITY;
    let cycle = cycleContaining(Math.max(lastMs, toMs - 1), settings.tz, settings.anchor);
    for (; cycle.endMs <= dueMs; cycle = cycleContaining(cycle.endMs, settings.tz, settings.anchor))
      made += await closeSummary(source, node, cycle, Math.max(lastMs, cycle.startMs), settings.tz, nowMs);
  };
  for (const [node, toMs] of firstTo) {
    if (unfinished.has(node)) continue;
    try {
      await closeOf(node, toMs);
    } catch (error) {
      failures.push(error);
      // Whoever sums it up waits for it.
      for (const one of source.tree.ancestors(node)) unfinished.add(one);
    }
  }
  return made;
}

/** One of each place and currency. */
async function closeSummary(
  { postgres }: StatementSource,
  node: NodeAddress,
  cycle: Cycle,
  fromMs: number,
  tz: string,
  nowMs: number,
): Promise<number> {
  return await postgres.transaction(async (tx) => {
    const unclaimed = and(
      eq(statements.claimant, node),
      isNull(statements.summaryId),
      lte(statements.partTo, new Date(cycle.endMs)),
    );
    const rows = await tx
      .select()
      .from(statements)
      .where(unclaimed)
      .orderBy(statements.partTo, statements.id)
      .for("update");
    const groups = new Map<string, StatementRow[]>();
    for (const row of rows) {
      const key = JSON.stringify([row.currency, pathFrom(row, node)]);
      groups.set(key, [...(groups.get(key) ?? []), row]);
    }
    for (const group of groups.values()) {
      const [first] = group;
      if (!first) continue;
      const path = pathFrom(first, node);
      const { currency } = first;
      const summary = summarize(group.map(summedOf), path, currency);
      const row: NewStatement = {
        ...frozen({ kind: "summary", path, currency, cycle, fromMs, toMs: cycle.endMs, tz, nowMs }),
        node,
        subscriptionId: "",
        segments: [],
        chargedSegments: [],
        usage: [],
        ...summary,
      };
      await tx.insert(statements).values(row);
      const ids = group.map(({ id }) => id);
      await tx.update(statements).set({ summaryId: row.id }).where(inArray(statements.id, ids));
    }
    return groups.size;
  });
}

/** The claimant and everything above it, as it was for the statement. */
const pathFrom = ({ path }: StatementRow, node: NodeAddress) => path.slice(path.indexOf(node));

function summedOf({ id, kind, node, total, charges, partFrom, partTo, tz }: StatementRow): Summed {
  const [from, to] = [formatInstant(partFrom.getTime(), tz), formatInstant(partTo.getTime(), tz)];
  return { id, kind, node, total, charges, from, to };
}

function frozen({
  kind,
  path,
  currency,
  cycle,
  fromMs,
  toMs,
  tz,
  nowMs,
}: {
  kind: StatementRow["kind"];
  path: NodeAddress[];
  currency: string;
  cycle: Cycle;
  fromMs: number;
  toMs: number;
  tz: string;
  nowMs: number;
}) {
  const at = new Date(nowMs);
  return {
    id: newId("stm"),
    kind,
    path,
    currency,
    tz,
    cycleStart: new Date(cycle.startMs),
    cycleEnd: new Date(cycle.endMs),
    partFrom: new Date(fromMs),
    partTo: new Date(toMs),
    closedAt: at,
    paymentAt: at,
    claimant: claimantOf(kind, path),
  };
}

/** What was used of each measured feature, beside what of it is included. `whole`: the cycle or trial that the limit is for. */
function usageOf(
  { terms, planId, version, fromMs, toMs, used }: ChargedSegment,
  whole: Cycle,
  tz: string,
): StatementUsage[] {
  const share = ratio(toMs - fromMs, whole.endMs - whole.startMs);
  return terms.features.flatMap(({ key, included }): StatementUsage[] => {
    const found = used.get(key);
    if (!found) return [];
    const part = included === null ? null : includedIn(exact(included), { share, isSum: found.isSum });
    return [
      {
        feature: key,
        meter: found.meter,
        unit: found.unit,
        plan: planId,
        version,
        from: formatInstant(fromMs, tz),
        to: formatInstant(toMs, tz),
        used: found.amount,
        included: part && trimDecimal(roundHalfEven(part, 6)),
      },
    ];
  });
}
