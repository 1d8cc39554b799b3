/** The spans of a node's past in which a rule about limits, or about what is used in a cycle, says a thing once. */
import {
  type CountedSpan,
  type Cycle,
  countedSpan,
  cyclesUntil,
  endMsOf,
  type SubscriptionRecord,
} from "../billing/billing-cycle.ts";
import type { PeriodSource } from "../billing/period.ts";
import { cycleSettings, subscriptionsOf } from "../billing/subscriptions.ts";
import type { NodeAddress } from "../contract/nodes.ts";

/** ms since 1970, UTC. */
export interface NotifyingSpan {
  /** From where its days are counted: a cycle, a trial, or what is paid for of a cycle. */
  startMs: number;
  /** Where it is evaluated: half-open. */
  fromMs: number;
  toMs: number;
  tz: string;
  anchor: number;
  /** What counts against limits, as of its last instant; undefined without a subscription. */
  limited: { subscription: SubscriptionRecord; cycle: Cycle; counted: CountedSpan } | undefined;
}

/** Those that reach into the span, in order: with the subscription that ran then, else by the cycles of the nearest one above. */
export async function notifyingSpansOf(
  { postgres: { db }, tree }: PeriodSource,
  node: NodeAddress,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<NotifyingSpan[]> {
  const subscriptions = await subscriptionsOf(db, node);
  const runs = (one: SubscriptionRecord, ms: number) => one.startsAt.getTime() <= ms && ms < endMsOf(one);
  const spans: NotifyingSpan[] = [];
  for (let untilMs = toMs; untilMs > fromMs; ) {
    const atMs = untilMs - 1;
    const running = subscriptions.find((one) => runs(one, atMs));
    const { tz, anchor } = running ?? (await cycleSettings(db, tree, node, atMs));
    const [cycle] = cyclesUntil({ tz, anchor, startsAt: new Date(0) }, atMs, 0) as [Cycle];
    const counted = running && countedSpan(running, cycle, atMs);
    const startMs = counted?.fromMs ?? cycle.startMs;
    const before = subscriptions.map(endMsOf).filter((endMs) => endMs <= atMs);
    const begunMs = running ? startMs : Math.max(startMs, ...before);
    const limited = running && counted && { subscription: running, cycle, counted };
    spans.unshift({ startMs, fromMs: begunMs, toMs: untilMs, tz, anchor, limited });
    untilMs = begunMs;
  }
  return spans;
}
