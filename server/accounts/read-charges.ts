/** The charges of a node's cycle by the usage that is known now. */
import type { Charges } from "../contract/charges.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { PriceLevel } from "../contract/plans.ts";
import { isSumOverTime } from "../metrics/sum-over-time.ts";
import { formatInstant } from "../metrics/windows.ts";
import { cyclesUntil, segmentsOf } from "./billing-cycle.ts";
import { afterTrial, type ChargedSegment, chargesOf } from "./charges.ts";
import type { PeriodSource } from "./period.ts";
import { readTerms } from "./plans.ts";
import { measureSpan, termsOf } from "./quotas.ts";
import { subscriptionAt } from "./subscriptions.ts";

/** `cyclesAgo` 0 is the cycle that runs. Undefined where the node's present subscription had not begun by then. */
export async function readCharges(
  source: PeriodSource,
  node: NodeAddress,
  cyclesAgo: number,
  levels: readonly PriceLevel[],
  nowMs: number,
): Promise<Charges | undefined> {
  const { db } = source.postgres;
  const watermark = source.watermark().toISOString();
  const subscription = await subscriptionAt(db, node, nowMs);
  const cycle = subscription && cyclesUntil(subscription, nowMs, cyclesAgo)[cyclesAgo];
  if (!cycle) return undefined;
  const { tz, trialEndsAt } = subscription;
  const terms = await readTerms(db, subscription.history);
  const segments: ChargedSegment[] = [];
  for (const segment of afterTrial(segmentsOf(subscription, cycle), trialEndsAt)) {
    const inForce = termsOf(terms, segment);
    const measured = inForce.features.flatMap(({ key, enabled, meter: name }) => {
      const meter = enabled && name !== null ? source.meterOf(name, subscription.node, segment.toMs) : undefined;
      return meter ? [{ key, meter }] : [];
    });
    const span = { fromMs: segment.fromMs, toMs: segment.toMs, window: "total" as const, tz };
    const meters = measured.map(({ meter }) => meter);
    const usage = await measureSpan(source, subscription.node, meters, span, nowMs);
    const used = measured.map(({ key, meter }) => {
      const amount = String(usage.get(meter.meter)?.total ?? 0);
      return [key, { meter: meter.meter, isSum: isSumOverTime(meter.rule), amount }] as const;
    });
    segments.push({ ...segment, terms: inForce, used: new Map(used) });
  }
  const [start, end] = [formatInstant(cycle.startMs, tz), formatInstant(cycle.endMs, tz)];
  return { node, start, end, watermark, levels: chargesOf(segments, cycle, tz, levels) };
}
