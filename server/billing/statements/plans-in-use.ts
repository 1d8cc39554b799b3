/** The plans by which somebody is or will be charged for what a meter measures. */
import { and, eq, inArray, isNotNull, sql } from "drizzle-orm";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { Queries } from "../../postgres/client.ts";
import { plans, planVersions, subscriptionPlans } from "../../postgres/schema/plans.ts";
import { endMsOf, type SubscriptionRecord } from "../billing-cycle.ts";
import { readSubscriptions } from "../subscriptions.ts";
import { closedUntil } from "./closed-until.ts";

interface PlanInUse {
  name: string;
  node: NodeAddress;
}

/** Those with a feature measured by a meter of that name, whosever it is, in a version that some subscription has or is to have, or had in a part of a cycle that is not closed. */
export async function plansInUse(db: Queries, meter: string): Promise<PlanInUse[]> {
  const isMeasured = sql`EXISTS (
    SELECT 1 FROM jsonb_array_elements(${planVersions.terms} -> 'features') AS feature
    WHERE split_part(feature ->> 'meter', '@', 1) = ${meter} AND coalesce((feature ->> 'enabled')::boolean, true))`;
  const { planId, version } = planVersions;
  const found = await db
    .select({ planId, version, name: plans.name, node: plans.node })
    .from(planVersions)
    .innerJoin(plans, eq(plans.id, planId))
    .where(and(isNotNull(planVersions.publishedAt), isMeasured));
  if (found.length === 0) return [];
  const ids = [...new Set(found.map((one) => one.planId))];
  const subscribed = await db
    .selectDistinct({ id: subscriptionPlans.subscriptionId })
    .from(subscriptionPlans)
    .where(inArray(subscriptionPlans.planId, ids));
  const subscriptions = await readSubscriptions(
    db,
    subscribed.map(({ id }) => id),
  );
  const closed = await closedUntil(db);
  return found.filter((one) => subscriptions.some((each) => hasUnclosed(each, one, closed.get(each.id) ?? 0)));
}

/** Whether the version is in force in some part of the subscription after `closedMs`. */
function hasUnclosed(
  subscription: SubscriptionRecord,
  { planId, version }: { planId: string; version: number },
  closedMs: number,
): boolean {
  const { history, startsAt } = subscription;
  const endMs = endMsOf(subscription);
  return history.some((since, index) => {
    if (since.planId !== planId || since.version !== version) return false;
    const fromMs = Math.max(closedMs, index === 0 ? startsAt.getTime() : since.validFrom.getTime());
    return fromMs < Math.min(endMs, history[index + 1]?.validFrom.getTime() ?? endMs);
  });
}
