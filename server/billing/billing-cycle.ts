/** What follows from the dates of a subscription alone: its status, its cycles, and the plan of each part of a cycle. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { SubscriptionStatus } from "../contract/subscriptions.ts";
import { cycleContaining } from "../metrics/windows.ts";
import type { subscriptionPlans, subscriptions } from "../postgres/schema/plans.ts";

export interface SubscriptionRecord {
  id: string;
  node: NodeAddress;
  anchor: number;
  tz: string;
  startsAt: Date;
  trialEndsAt: Date | null;
  expiresAt: Date | null;
  renews: boolean;
  cancelledAt: Date | null;
  createdAt: Date;
  /** The oldest first; the first is valid from the start on. */
  history: PlanSince[];
}

export type SubscriptionRow = typeof subscriptions.$inferSelect;
export type PlanSince = Omit<typeof subscriptionPlans.$inferSelect, "subscriptionId">;

/** A span under one version of a plan, half-open, ms since 1970, UTC. */
export interface PlanSegment {
  fromMs: number;
  toMs: number;
  planId: string;
  version: number;
}

export function statusOf(subscription: SubscriptionRow, nowMs: number): SubscriptionStatus {
  const { startsAt, trialEndsAt, cancelledAt } = subscription;
  if (cancelledAt && cancelledAt.getTime() <= Math.max(nowMs, startsAt.getTime())) return "cancelled";
  if (nowMs >= endMsOf(subscription)) return "expired";
  if (nowMs < startsAt.getTime()) return "scheduled";
  return trialEndsAt && nowMs < trialEndsAt.getTime() ? "trial" : "active";
}

/** Exclusive; Infinity while no end is known. */
export function endMsOf({
  expiresAt,
  renews,
  cancelledAt,
}: Pick<SubscriptionRow, "expiresAt" | "renews" | "cancelledAt">): number {
  const expiresMs = expiresAt && !renews ? expiresAt.getTime() : Number.POSITIVE_INFINITY;
  return Math.min(expiresMs, cancelledAt?.getTime() ?? Number.POSITIVE_INFINITY);
}

/** False for one that was cancelled before it began: it never holds for the node. */
export function hasLength(subscription: SubscriptionRow): boolean {
  return subscription.startsAt.getTime() < endMsOf(subscription);
}

export interface Cycle {
  startMs: number;
  /** Exclusive. */
  endMs: number;
}

/** When the next cycle begins, ms since 1970; for a subscription that has not begun, the second one. */
export function nextCycleMs(
  { tz, anchor, startsAt }: Pick<SubscriptionRow, "tz" | "anchor" | "startsAt">,
  nowMs: number,
): number {
  return cycleContaining(Math.max(nowMs, startsAt.getTime()), tz, anchor).endMs;
}

/** The cycle with `ms` in it and the `count` ones before it that the subscription had begun by their end, the newest first. */
export function cyclesUntil(
  { tz, anchor, startsAt }: Pick<SubscriptionRow, "tz" | "anchor" | "startsAt">,
  ms: number,
  count: number,
): Cycle[] {
  const cycles = [cycleContaining(ms, tz, anchor)];
  for (let current = cycles[0]; current && cycles.length <= count && current.startMs > startsAt.getTime(); ) {
    current = cycleContaining(current.startMs - 1, tz, anchor);
    cycles.push(current);
  }
  return cycles;
}

/** A cycle of one of a node's subscriptions, and where that subscription's part of it ends: with the cycle, or before. */
export interface SubscribedCycle {
  subscription: SubscriptionRecord;
  cycle: Cycle;
  endMs: number;
}

/**
 * The newest `count` cycles of a node's subscriptions, those that ended included, that had begun by `ms`: the newest first.
 * Two subscriptions that follow each other within what would be one cycle have each its own.
 */
export function cyclesBefore(
  subscriptions: readonly SubscriptionRecord[],
  ms: number,
  count: number,
): SubscribedCycle[] {
  return subscriptions
    .filter((subscription) => subscription.startsAt.getTime() <= ms && hasLength(subscription))
    .sort((a, b) => b.startsAt.getTime() - a.startsAt.getTime())
    .flatMap((subscription) => {
      const endMs = endMsOf(subscription);
      return cyclesUntil(subscription, Math.min(ms, endMs - 1), count - 1).map((cycle) => ({
        subscription,
        cycle,
        endMs: Math.min(cycle.endMs, endMs),
      }));
    })
    .slice(0, Math.max(0, count));
}

/** The parts of a cycle during which the subscription ran, each under one version of a plan, in order. */
export function segmentsOf(subscription: SubscriptionRecord, { startMs, endMs }: Cycle): PlanSegment[] {
  const fromMs = Math.max(startMs, subscription.startsAt.getTime());
  const toMs = Math.min(endMs, endMsOf(subscription));
  const { history } = subscription;
  return history.flatMap(({ planId, version, validFrom }, index) => {
    const from = Math.max(fromMs, index === 0 ? fromMs : validFrom.getTime());
    const to = Math.min(toMs, history[index + 1]?.validFrom.getTime() ?? toMs);
    return from < to ? [{ fromMs: from, toMs: to, planId, version }] : [];
  });
}

/** The segments clipped to [fromMs, toMs). */
export function segmentsWithin(segments: readonly PlanSegment[], fromMs: number, toMs: number): PlanSegment[] {
  return segments.flatMap((one) => {
    const cut = { ...one, fromMs: Math.max(one.fromMs, fromMs), toMs: Math.min(one.toMs, toMs) };
    return cut.fromMs < cut.toMs ? [cut] : [];
  });
}

/** What counts against limits together: the trial, whichever cycles it reaches into, or what is paid for in a cycle. */
export interface CountedSpan {
  segments: PlanSegment[];
  fromMs: number;
  toMs: number;
  /** The time that a limit of a sum over time is for: the cycle, or the trial. */
  whole: Cycle;
  isTrial: boolean;
  /** The one that says what there is to use, and what happens at a limit: a plan that is to come says nothing of it yet. */
  inForce: PlanSegment;
}

/** The trial, which ends early with its subscription; of no length where there is none. */
export function trialOf(subscription: SubscriptionRecord): Cycle {
  const startMs = subscription.startsAt.getTime();
  const trialEndMs = subscription.trialEndsAt?.getTime() ?? startMs;
  return { startMs, endMs: Math.max(startMs, Math.min(trialEndMs, endMsOf(subscription))) };
}

/**
 * The span with the instant in it, else the last of the cycle; in force in it is the last version that had begun by then. Undefined
 * where no plan was in force in the cycle.
 */
export function countedSpan(subscription: SubscriptionRecord, cycle: Cycle, ms: number): CountedSpan | undefined {
  const trial = trialOf(subscription);
  const all = segmentsOf(subscription, cycle);
  const paid = segmentsWithin(all, trial.endMs, cycle.endMs);
  const hasTrial = segmentsWithin(all, trial.startMs, trial.endMs).length > 0;
  const isTrial = hasTrial && (ms < trial.endMs || paid.length === 0);
  const segments = isTrial ? segmentsOf(subscription, trial) : paid;
  const [first, last] = [segments[0], segments.at(-1)];
  if (!first || !last) return undefined;
  const inForce = segments.findLast(({ fromMs }) => fromMs <= ms) ?? first;
  return { segments, fromMs: first.fromMs, toMs: last.toMs, whole: isTrial ? trial : cycle, isTrial, inForce };
}

/** The version in force at an instant: before the start the first one. */
export function planAt({ history }: Pick<SubscriptionRecord, "history">, ms: number): PlanSince {
  const current = history.findLast(({ validFrom }) => validFrom.getTime() <= ms) ?? history[0];
  if (!current) throw new Error("a subscription has at least one plan");
  return current;
}
