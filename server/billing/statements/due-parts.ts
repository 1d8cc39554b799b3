/** Which parts of a subscription's cycles have ended, each under one path of parents: what statements are made of. */

import { dayMs } from "../../contract/durations.ts";
import { cycleContaining } from "../../metrics/windows.ts";
import type { PathSpan } from "../../tree/nodes-in-memory.ts";
import {
  type Cycle,
  endMsOf,
  type PlanSegment,
  type SubscriptionRecord,
  segmentsOf,
  segmentsWithin,
} from "../billing-cycle.ts";

/**
 * How long after its end a part of a cycle is closed: longer than the 12 hours of silence after which an interval has ended
 * at its last sign of life, and than an emitter's outage of half a day. One that may be silent for longer is an adjustment.
 */
export const settlingMs = dayMs;

export interface DuePart extends PathSpan {
  cycle: Cycle;
  /** Each under one version of a plan, in order; at least one. */
  segments: PlanSegment[];
}

/**
 * One after another, made as they are asked for: a subscription of many years has hundreds. From `sinceMs` (the end of the last part that has a statement, else undefined) on, those that ended by `dueMs`, in order. A
 * cycle ends early with its subscription; a move of the node, or of one above it, ends a part under the parents it had.
 */
export function* dueParts(
  subscription: SubscriptionRecord,
  sinceMs: number | undefined,
  dueMs: number,
  pathsBetween: (fromMs: number, toMs: number) => PathSpan[],
): Generator<DuePart, void> {
  const { tz, anchor } = subscription;
  const endMs = endMsOf(subscription);
  let atMs = Math.max(sinceMs ?? Number.NEGATIVE_INFINITY, subscription.startsAt.getTime());
  while (atMs < Math.min(endMs, dueMs)) {
    const cycle = cycleContaining(atMs, tz, anchor);
    const untilMs = Math.min(cycle.endMs, endMs);
    const all = segmentsOf(subscription, cycle);
    for (const span of pathsBetween(atMs, untilMs)) {
      if (span.toMs > dueMs) return;
      const segments = segmentsWithin(all, span.fromMs, span.toMs);
      if (segments.length > 0) yield { ...span, cycle, segments };
    }
    atMs = untilMs;
  }
}
