/** Subscriptions. A node has one at a time; a change of plan adds a row, so that the limits of any past instant are known. */
import { and, asc, eq, gt, gte, inArray, type SQL, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import type { Edit } from "../audit/recorded-edit.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import { nodeAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { newId } from "../identity/actor.ts";
import { dateAt, startOfDate } from "../metrics/zone-dates.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { announcePastChanges, confirmPastChanges } from "../postgres/past-changes.ts";
import { nodes } from "../postgres/schema/accounts.ts";
import { planVersions, subscriptionPlans, subscriptions } from "../postgres/schema/plans.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { ownersWithin, type PastRights, sinceWhenBelow } from "../tree/past-owners.ts";
import { rowsWithin } from "../tree/rows-within.ts";
import {
  endMsOf,
  hasLength,
  nextCycleMs,
  type PlanSince,
  planAt,
  type SubscriptionRecord,
  type SubscriptionRow,
  statusOf,
} from "./billing-cycle.ts";

/** Every process is told here of a node whose subscription changed. */
export const subscriptionsChannel = "tidemark_subscriptions";

export type NewSubscription = Omit<SubscriptionRecord, "id" | "cancelledAt" | "createdAt" | "history"> &
  Pick<PlanSince, "planId" | "version">;

export interface SubscriptionEdit {
  plan?: { planId: string; version: number } | undefined;
  isCancelled: boolean;
  at: "now" | "next_cycle";
  trialEndsAt?: Date | null | undefined;
  expiresAt?: Date | null | undefined;
  renews?: boolean | undefined;
}

/** Those of the nodes, or all, the oldest first. */
export async function listSubscriptions(db: Queries, ofNodes?: readonly NodeAddress[]): Promise<SubscriptionRecord[]> {
  return ofNodes?.length === 0 ? [] : await listMatching(db, ofNodes && inArray(subscriptions.node, [...ofNodes]));
}

/** Those of these nodes and of all below them, the oldest first. */
export async function listSubscriptionsBelow(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  tops: readonly NodeAddress[],
): Promise<SubscriptionRecord[]> {
  return await listMatching(db, rowsWithin(subscriptions.node, tops, tree));
}

export async function readSubscription(db: Queries, id: string): Promise<SubscriptionRecord | undefined> {
  return (await listMatching(db, eq(subscriptions.id, id)))[0];
}

/** Those that there are of these ids, the oldest first. */
export async function readSubscriptions(db: Queries, ids: readonly string[]): Promise<SubscriptionRecord[]> {
  return ids.length === 0 ? [] : await listMatching(db, inArray(subscriptions.id, [...ids]));
}

async function listMatching(db: Queries, which: SQL | undefined): Promise<SubscriptionRecord[]> {
  const rows = await db
    .select()
    .from(subscriptions)
    .where(which)
    .orderBy(asc(subscriptions.createdAt), asc(subscriptions.id));
  if (rows.length === 0) return [];
  const ids = db.select({ id: subscriptions.id }).from(subscriptions).where(which);
  const plans = await db
    .select()
    .from(subscriptionPlans)
    .where(which && inArray(subscriptionPlans.subscriptionId, ids))
    .orderBy(asc(subscriptionPlans.validFrom));
  const byId = new Map(rows.map((row): [string, SubscriptionRecord] => [row.id, { ...row, history: [] }]));
  for (const { subscriptionId, ...plan } of plans) byId.get(subscriptionId)?.history.push(plan);
  return [...byId.values()];
}

/** Whether its trial and its end are still those in the store; if so, no edit moves them before the transaction is over. */
export async function holdDates(tx: Queries, { id, ...known }: SubscriptionRecord): Promise<boolean> {
  const [now] = await tx.select().from(subscriptions).where(eq(subscriptions.id, id)).for("share");
  if (!now) return false;
  return endMsOf(now) === endMsOf(known) && now.trialEndsAt?.getTime() === known.trialEndsAt?.getTime();
}

/** All subscriptions that a node has or had, the oldest first; for an agent those of its organization. */
export async function subscriptionsOf(db: Queries, node: NodeAddress): Promise<SubscriptionRecord[]> {
  return await listSubscriptions(db, [subscribedNode(node)]);
}

/** Whose subscription holds for the node: of an agent its organization's. */
export function subscribedNode(node: NodeAddress): NodeAddress {
  const parsed = parseNode(node);
  return parsed.kind === "agent" ? nodeAddress("organization", parsed.organization) : node;
}

/** When billing cycles of a node begin: as its subscription says, else that of the nearest node above, else on the 1st, UTC. */
export async function cycleSettings(
  db: Queries,
  tree: Pick<NodeTree, "ancestors">,
  node: NodeAddress,
  nowMs: number,
): Promise<{ anchor: number; tz: string }> {
  const path = tree.ancestors(node);
  const rows = await db.select().from(subscriptions).where(inArray(subscriptions.node, path));
  const running = rows.filter((row) => row.startsAt.getTime() <= nowMs && nowMs < endMsOf(row));
  const byNode = new Map(running.map((row) => [row.node, row]));
  for (const one of path) {
    const found = byNode.get(one);
    if (found) return { anchor: found.anchor, tz: found.tz };
  }
  return { anchor: 1, tz: "UTC" };
}

/**
 * Throws `conflict` where the node has one that has not ended by then, `invalid_request` where the version is not published,
 * `forbidden` where it begins when the node stood below others. Without `rights` there is no such limit.
 */
export async function createSubscription(
  postgres: Postgres,
  { planId, version, ...wanted }: NewSubscription,
  by: Author,
  rights?: PastRights,
): Promise<SubscriptionRecord> {
  return await telling(postgres, async (tx) => {
    await lockNode(tx, wanted.node);
    await checkPublished(tx, planId, version);
    const others = await subscriptionsIn(tx, wanted.node);
    if (others.length >= definitionLimits.subscriptions.ofNode)
      throw new ProblemError("conflict", `${wanted.node} has had ${others.length} subscriptions, the most allowed`, {
        field: "node",
      });
    const startsAt = startOf(wanted, others.filter(hasLength), rights);
    const alsoOf = ownersSince(rights, wanted.node, startsAt.getTime(), "starts_at");
    checkAlone({ ...wanted, startsAt, cancelledAt: null }, others, "node");
    const id = newId("sub");
    await tx.insert(subscriptions).values({ ...wanted, startsAt, id });
    await tx.insert(subscriptionPlans).values({ subscriptionId: id, planId, version, validFrom: startsAt });
    const made = await subscriptionIn(tx, id);
    await recordChange(tx, { by, node: made.node, alsoOf, action: "subscription.created", subject: id, after: made });
    return made;
  });
}

/** What `work` changed is known to all processes soon, and to this one when it resolves. */
async function telling(
  { transaction, notices }: Postgres,
  work: (tx: Queries) => Promise<SubscriptionRecord>,
): Promise<SubscriptionRecord> {
  const changed = await transaction(async (tx) => {
    const done = await work(tx);
    await tx.execute(sql`SELECT pg_notify(${subscriptionsChannel}, ${done.node})`);
    return done;
  });
  notices.deliver(subscriptionsChannel, changed.node);
  return changed;
}

/** One decision about a node's subscriptions at a time. */
async function lockNode(tx: Queries, node: NodeAddress): Promise<void> {
  await tx.select().from(nodes).where(eq(nodes.node, node)).for("update");
}

async function subscriptionsIn(tx: Queries, node: NodeAddress): Promise<SubscriptionRow[]> {
  return await tx.select().from(subscriptions).where(eq(subscriptions.node, node));
}

/** Throws `conflict` where one of the others of its node runs at a time at which `one` does. */
function checkAlone(
  one: Pick<SubscriptionRow, "node" | "startsAt" | "expiresAt" | "renews" | "cancelledAt">,
  others: readonly SubscriptionRow[],
  field: string,
): void {
  const [startMs, endMs] = [one.startsAt.getTime(), endMsOf(one)];
  const isThen = (other: SubscriptionRow) => endMsOf(other) > startMs && other.startsAt.getTime() < endMs;
  if (others.some((other) => hasLength(other) && isThen(other)))
    throw new ProblemError("conflict", `${one.node} already has a subscription in that time`, { field });
}

/**
 * The first moment of the day, the end of what the node had on that day before, or the moment when it moved to the caller on
 * that day: a begun day counts whole, none twice, and none in which the node was another's.
 */
function startOf(
  { node, startsAt, tz }: Pick<NewSubscription, "node" | "startsAt" | "tz">,
  others: readonly SubscriptionRow[],
  rights: PastRights | undefined,
): Date {
  const wantedMs = startsAt.getTime();
  const dayMs = startOfDate(dateAt(wantedMs, tz), tz);
  const ends = others.map(endMsOf).filter((endMs) => endMs <= wantedMs);
  const sinceMs = rights ? sinceWhenBelow(rights, node, dayMs, wantedMs) : dayMs;
  return new Date(Math.max(dayMs, sinceMs, ...ends));
}

/** The nodes above it since `fromMs`; throws `forbidden` where the caller was not among them all that time. */
function ownersSince(rights: PastRights | undefined, node: NodeAddress, fromMs: number, field: string): NodeAddress[] {
  if (!rights || fromMs >= rights.nowMs) return [];
  if (sinceWhenBelow(rights, node, fromMs, rights.nowMs) > fromMs)
    throw new ProblemError("forbidden", "the node was below others at that time, and this would change their charges", {
      field,
    });
  return ownersWithin(rights.tree, node, fromMs, rights.nowMs);
}

/**
 * Between which instants an edit of its trial or its end changes what is charged: ms since 1970, UTC, the later one Infinity where
 * one of the ends is not known. Undefined where it moves neither.
 */
function changedTime(
  before: SubscriptionRecord,
  after: SubscriptionRecord,
): { fromMs: number; toMs: number } | undefined {
  const movedBetween = (dateOf: (one: SubscriptionRecord) => number) => {
    const dates = [dateOf(before), dateOf(after)];
    return dates[0] === dates[1] ? [] : dates;
  };
  const trials = movedBetween(({ trialEndsAt, startsAt }) => (trialEndsAt ?? startsAt).getTime());
  const moved = [...movedBetween(endMsOf), ...trials];
  return moved.length === 0 ? undefined : { fromMs: Math.min(...moved), toMs: Math.max(...moved) };
}

/** Closed statements of that time are measured anew: what they differ by goes with the next one. */
async function announceChanged(
  tx: Queries,
  { id, node }: SubscriptionRecord,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<void> {
  const cause = `subscription:${id}`;
  await announcePastChanges(tx, cause, [{ node, fromMs, toMs: Number.isFinite(toMs) ? toMs : null }]);
  // What is charged follows from the dates alone: with them it can be measured.
  await confirmPastChanges(tx, cause);
}

/**
 * A later decision replaces what had not taken effect; a trial or an end that it moves in the past changes closed statements, whose
 * difference is charged with the next one. Throws
 * `conflict` where it would reach into the next one's time, `forbidden` where it would change charges of a time when the node stood below others.
 */
export async function changeSubscription(
  postgres: Postgres,
  id: string,
  { plan, isCancelled, at, ...dates }: SubscriptionEdit,
  { by, check, rights }: Edit & { rights: PastRights },
): Promise<SubscriptionRecord> {
  const { nowMs } = rights;
  return await telling(postgres, async (tx) => {
    await lockNode(tx, (await subscriptionIn(tx, id)).node);
    const before = await subscriptionIn(tx, id);
    check(before);
    const status = statusOf(before, nowMs);
    if (status === "cancelled" || status === "expired")
      throw new ProblemError("conflict", `the subscription is ${status}; create a new one`);
    const startMs = before.startsAt.getTime();
    const effective = new Date(at === "now" ? Math.max(nowMs, startMs) : nextCycleMs(before, nowMs));
    if (plan) {
      await checkPublished(tx, plan.planId, plan.version);
      if (before.history.length >= definitionLimits.subscriptions.planChanges)
        throw new ProblemError("conflict", `its plan was changed ${before.history.length} times, the most allowed`, {
          field: "plan",
        });
      const ofThis = eq(subscriptionPlans.subscriptionId, id);
      await tx.delete(subscriptionPlans).where(and(ofThis, gte(subscriptionPlans.validFrom, effective)));
      await tx
        .delete(subscriptionPlans)
        .where(and(ofThis, gt(subscriptionPlans.validFrom, new Date(Math.max(nowMs, startMs)))));
      const { planId, version } = planAt(before, at === "now" ? effective.getTime() - 1 : nowMs);
      if (effective.getTime() === startMs || planId !== plan.planId || version !== plan.version)
        await tx.insert(subscriptionPlans).values({ subscriptionId: id, ...plan, validFrom: effective });
    }
    const given = Object.fromEntries(Object.entries(dates).filter(([, value]) => value !== undefined));
    const edits = { ...given, ...(isCancelled && { cancelledAt: effective }) };
    if (Object.keys(edits).length > 0) await tx.update(subscriptions).set(edits).where(eq(subscriptions.id, id));
    const after = await subscriptionIn(tx, id);
    const others = (await subscriptionsIn(tx, after.node)).filter((other) => other.id !== id);
    if (endMsOf(after) > endMsOf(before)) checkAlone(after, others, renewsField(before, after));
    const field = before.trialEndsAt?.getTime() === after.trialEndsAt?.getTime() ? "expires_at" : "trial_ends_at";
    const changed = changedTime(before, after);
    const alsoOf = ownersSince(rights, after.node, changed?.fromMs ?? nowMs, field);
    if (changed && changed.fromMs < nowMs) await announceChanged(tx, after, changed);
    const about = { by, node: after.node, alsoOf, action: "subscription.changed", subject: id };
    await recordChange(tx, { ...about, before, after });
    return after;
  });
}

/** What made it end later. */
function renewsField(before: SubscriptionRecord, after: SubscriptionRecord): string {
  return after.renews && !before.renews ? "renews" : "expires_at";
}

async function checkPublished(tx: Queries, planId: string, version: number): Promise<void> {
  const [found] = await tx
    .select()
    .from(planVersions)
    .where(and(eq(planVersions.planId, planId), eq(planVersions.version, version), sql`published_at IS NOT NULL`));
  if (!found)
    throw new ProblemError("invalid_request", `the plan has no published version ${version}`, { field: "version" });
}

async function subscriptionIn(tx: Queries, id: string): Promise<SubscriptionRecord> {
  const found = await readSubscription(tx, id);
  if (!found) throw new ProblemError("not_found", "there is no such subscription");
  return found;
}
