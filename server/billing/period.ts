/** GET /v1/period: the billing cycle that runs, and those before it. */

import type { Meter } from "../catalog/meter.ts";
import { hourMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Period } from "../contract/quotas.ts";
import { formatInstant } from "../metrics/windows.ts";
import { dateAt, daysBetween, onDate } from "../metrics/zone-dates.ts";
import type { Postgres } from "../postgres/client.ts";
import { plans } from "../postgres/schema/plans.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import {
  type Cycle,
  countedSpan,
  cyclesBefore,
  cyclesUntil,
  endMsOf,
  type PlanSegment,
  segmentsOf,
  statusOf,
} from "./billing-cycle.ts";
import type { UsageSource } from "./measure-span.ts";
import { meterOfFeature } from "./plan-meters.ts";
import { readTerms } from "./plans.ts";
import { readQuotas } from "./quotas.ts";
import { cycleSettings, subscriptionsOf } from "./subscriptions.ts";

export interface PeriodSource extends UsageSource {
  postgres: Postgres;
  tree: Pick<NodeTree, "ancestors" | "pathsBetween">;
}

/** How many past cycles a projection learns from. */
const testedCycles = 3;

/**
 * A node without a subscription has a cycle, but no quota. Past cycles are those of all subscriptions that the node
 * had, each in its own zone. Without `hasForecast` nothing is projected, and no limit's instant is looked for.
 */
export async function readPeriod(
  source: PeriodSource,
  node: NodeAddress,
  pastCycles: number,
  nowMs: number,
  { hasForecast = true } = {},
): Promise<Period> {
  const { db } = source.postgres;
  const watermark = source.watermark().toISOString();
  const all = await subscriptionsOf(db, node);
  const subscription = all.find((one) => one.startsAt.getTime() <= nowMs && nowMs < endMsOf(one));
  const { tz, anchor } = subscription ?? (await cycleSettings(db, source.tree, node, nowMs));
  const [current] = cyclesUntil({ tz, anchor, startsAt: new Date(0) }, nowMs, 0) as [Cycle];
  const head = {
    node,
    tz,
    anchor,
    watermark,
    ...remaining(nowMs, current.endMs, tz),
    subscription: subscription ? { id: subscription.id, status: statusOf(subscription, nowMs) } : null,
  };
  const subscribed = cyclesBefore(all, nowMs, Math.max(pastCycles, testedCycles) + 1);
  const [running, ...rest] = subscribed;
  const isRunning = running !== undefined && running.subscription === subscription;
  const before = isRunning ? rest : subscribed;
  const [terms, rows] = await Promise.all([
    readTerms(
      db,
      all.flatMap(({ history }) => history),
    ),
    db.select({ id: plans.id, name: plans.name }).from(plans),
  ]);
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  // A projection is evaluated by cycles of the same subscription: another one's may be of another length.
  const tested = before.filter((one) => one.subscription === subscription).slice(0, testedCycles);
  const ofNow = subscription ? [{ subscription, cycle: current, past: tested.map(({ cycle }) => cycle) }] : [];
  const earlier = before.slice(0, pastCycles).map((one) => ({ ...one, past: [] }));
  const cycles = [...ofNow, ...earlier].map(({ subscription: of, cycle, past }) => {
    const counted = countedSpan(of, cycle, Math.min(nowMs, cycle.endMs - 1));
    return { tz: of.tz, cycle, past, segments: segmentsOf(of, cycle), counted };
  });
  const quotas = await readQuotas(source, node, cycles, terms, nowMs, { hasForecast });
  const described = cycles.map(({ tz: zone, cycle, segments, counted }, index) => {
    const segmentOf = ({ planId, version, fromMs, toMs }: PlanSegment) => ({
      plan: planId,
      version,
      name: names.get(planId) ?? planId,
      from: formatInstant(fromMs, zone),
      to: formatInstant(toMs, zone),
    });
    const span = counted && {
      from: formatInstant(counted.fromMs, zone),
      to: formatInstant(counted.toMs, zone),
      is_trial: counted.isTrial,
    };
    const head = { ...spanOf(cycle, zone), plans: segments.map(segmentOf), counted: span ?? null };
    return { ...head, quotas: quotas[index] ?? [] };
  });
  const bareOf = (cycle: Cycle) => ({ ...spanOf(cycle, tz), plans: [], counted: null, quotas: [] });
  const now = (subscription ? described[0] : undefined) ?? bareOf(current);
  const past = subscription ? described.slice(1) : described;
  if (past.length === 0 && all.length === 0) {
    const bare = cyclesUntil({ tz, anchor, startsAt: new Date(0) }, nowMs, pastCycles).slice(1);
    return { ...head, ...now, past: bare.map(bareOf) };
  }
  return { ...head, ...now, past };
}

/** By feature, the meters that the quotas of a cycle are measured by. */
export async function metersOfQuotas(
  source: PeriodSource,
  { plans: inForce, counted }: Pick<Period, "plans" | "counted">,
): Promise<Map<string, Meter>> {
  const toMs = Date.parse(counted?.to ?? "");
  const last = inForce.findLast(({ from }) => Date.parse(from) < toMs);
  if (!last) return new Map();
  const [terms] = (await readTerms(source.postgres.db, [{ planId: last.plan, version: last.version }])).values();
  const found = new Map<string, Meter>();
  for (const feature of terms?.features ?? []) {
    const meter = terms && meterOfFeature(source, terms, feature, toMs);
    if (meter) found.set(feature.key, meter);
  }
  return found;
}

const spanOf = ({ startMs, endMs }: Cycle, tz: string) => ({
  start: formatInstant(startMs, tz),
  end: formatInstant(endMs, tz),
});

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
  return { days_remaining: days, hours_remaining: Math.floor((endMs - after(days)) / hourMs) };
}
