/** The charges of a node's cycle by the usage that is known now. */

import { isSumOverTime } from "../catalog/rule-traits.ts";
import type { Charges } from "../contract/charges.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { PriceLevel } from "../contract/plans.ts";
import { formatInstant } from "../metrics/windows.ts";
import { cyclesBefore, type PlanSegment, segmentsOf, segmentsWithin } from "./billing-cycle.ts";
import { afterTrial, type ChargedSegment, chargesOf } from "./charges.ts";
import { measureSpan, type UsageSource } from "./measure-span.ts";
import type { PeriodSource } from "./period.ts";
import { meterOfFeature } from "./plan-meters.ts";
import { readTerms } from "./plans.ts";
import { type TermsByVersion, termsOf } from "./quotas.ts";
import { subscriptionsOf } from "./subscriptions.ts";

export interface ChargesQuestion {
  node: NodeAddress;
  /** 0 is the cycle that runs. */
  cyclesAgo: number;
  levels: readonly PriceLevel[];
  /** Whether what the node was charged is shown, for a time at which it stood at this path, nearest first. */
  isSeenOnRecord: (path: readonly NodeAddress[]) => boolean;
}

/** Undefined where the node had no subscription in that cycle. */
export async function readCharges(
  source: PeriodSource,
  { node, cyclesAgo, levels, isSeenOnRecord }: ChargesQuestion,
  nowMs: number,
): Promise<Charges | undefined> {
  const { db } = source.postgres;
  const watermark = source.watermark().toISOString();
  const known = cyclesBefore(await subscriptionsOf(db, node), nowMs, cyclesAgo + 1);
  // A cycle runs to its end, also where the subscription was cancelled in it.
  const runs = known[0] !== undefined && nowMs < known[0].cycle.endMs;
  const found = known[runs ? cyclesAgo : cyclesAgo - 1];
  if (!found) return undefined;
  const { subscription, cycle } = found;
  const { tz, trialEndsAt } = subscription;
  const terms = await readTerms(db, subscription.history);
  const charged = afterTrial(segmentsOf(subscription, cycle), trialEndsAt);
  // As its statements have it: a move of the node, or of one above it, begins a new part.
  const parts = source.tree
    .pathsBetween(subscription.node, cycle.startMs, cycle.endMs)
    .filter(({ path }) => isSeenOnRecord(path))
    .flatMap((span) => segmentsWithin(charged, span.fromMs, span.toMs));
  const segments = await measureSegments(source, subscription, parts, terms, nowMs);
  const [start, end] = [formatInstant(cycle.startMs, tz), formatInstant(cycle.endMs, tz)];
  return { node, start, end, watermark, levels: chargesOf(segments, cycle, tz, levels) };
}

/** Each part of a cycle with what the subscribed node used in it. */
export async function measureSegments(
  source: UsageSource,
  { node, tz }: { node: NodeAddress; tz: string },
  segments: readonly PlanSegment[],
  terms: TermsByVersion,
  nowMs: number,
): Promise<ChargedSegment[]> {
  return await Promise.all(
    segments.map(async (segment) => {
      const inForce = termsOf(terms, segment);
      const measured = inForce.features.flatMap((feature) => {
        const meter = meterOfFeature(source, inForce, feature, segment.toMs);
        return meter ? [{ key: feature.key, meter }] : [];
      });
      const span = { fromMs: segment.fromMs, toMs: segment.toMs, window: "total" as const, tz };
      const meters = measured.map(({ meter }) => meter);
      const usage = await measureSpan(source, node, meters, span, nowMs);
      const used = measured.map(({ key, meter }) => {
        const amount = String(usage.get(meter.meter)?.total ?? 0);
        return [key, { meter: meter.meter, unit: meter.unit, isSum: isSumOverTime(meter.rule), amount }] as const;
      });
      return { ...segment, terms: inForce, used: new Map(used) };
    }),
  );
}
