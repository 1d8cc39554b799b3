/** GET /v1/period: the billing cycle that runs, and those before it. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { Period } from "../contract/quotas.ts";
import { formatInstant } from "../metrics/windows.ts";
import { dateAt, daysBetween, onDate } from "../metrics/zone-dates.ts";
import type { Postgres } from "../postgres/client.ts";
import { plans } from "../postgres/schema/plans.ts";
import { type Cycle, cyclesUntil, type PlanSegment, segmentsOf, statusOf } from "./billing-cycle.ts";
import type { NodeTree } from "./node-tree.ts";
import { readTerms } from "./plans.ts";
import { readQuotas, type UsageSource } from "./quotas.ts";
import { cycleSettings, subscriptionAt } from "./subscriptions.ts";

export interface PeriodSource extends UsageSource {
  postgres: Postgres;
  tree: Pick<NodeTree, "ancestors">;
}

/** How many cycles of before a projection is judged by. */
const testedCycles = 3;

/** Of a node without a subscription there is a cycle, but no quota. */
export async function readPeriod(
  source: PeriodSource,
  node: NodeAddress,
  pastCycles: number,
  nowMs: number,
): Promise<Period> {
  const { db } = source.postgres;
  const watermark = source.watermark().toISOString();
  const subscription = await subscriptionAt(db, node, nowMs);
  const { tz, anchor } = subscription ?? (await cycleSettings(db, source.tree, node, nowMs));
  const settings = subscription ?? { tz, anchor, startsAt: new Date(0) };
  const cycles = cyclesUntil(settings, nowMs, Math.max(pastCycles, testedCycles));
  const [current] = cycles as [Cycle];
  const head = {
    node,
    tz,
    anchor,
    watermark,
    ...remaining(nowMs, current.endMs, tz),
    subscription: subscription ? { id: subscription.id, status: statusOf(subscription, nowMs) } : null,
  };
  const span = ({ startMs, endMs }: Cycle) => ({ start: formatInstant(startMs, tz), end: formatInstant(endMs, tz) });
  if (!subscription) {
    const bare = (cycle: Cycle) => ({ ...span(cycle), plans: [], quotas: [] });
    return { ...head, ...bare(current), past: cycles.slice(1, 1 + pastCycles).map(bare) };
  }
  const [terms, rows] = await Promise.all([
    readTerms(db, subscription.history),
    db.select({ id: plans.id, name: plans.name }).from(plans),
  ]);
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  const told = ({ planId, version, fromMs, toMs }: PlanSegment) => ({
    plan: planId,
    version,
    name: names.get(planId) ?? planId,
    from: formatInstant(fromMs, tz),
    to: formatInstant(toMs, tz),
  });
  const describe = async (cycle: Cycle, before: readonly Cycle[]) => {
    const segments = segmentsOf(subscription, cycle);
    const quotas = await readQuotas(source, { node, tz }, cycle, before, segments, terms, nowMs);
    return { ...span(cycle), plans: segments.map(told), quotas };
  };
  const now = await describe(current, cycles.slice(1, 1 + testedCycles));
  const past = [];
  for (const cycle of cycles.slice(1, 1 + pastCycles)) past.push(await describe(cycle, []));
  return { ...head, ...now, past };
}

/** Days of the zone's calendar, which may have 23 or 25 hours, and the hours beyond them. */
export function remaining(
  nowMs: number,
  endMs: number,
  tz: string,
): { days_remaining: number; hours_remaining: number } {
  const today = dateAt(nowMs, tz);
  const after = (days: number) => onDate(nowMs, today.add({ days }), tz);
  let days = daysBetween(today, dateAt(endMs, tz));
  if (days > 0 && after(days) > endMs) days--;
  return { days_remaining: days, hours_remaining: Math.floor((endMs - after(days)) / 3_600_000) };
}
