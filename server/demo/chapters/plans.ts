/** Who is subscribed to what: since long, newly, on trial, grown out of a plan, about to end, ended. */
import { dayMs } from "../../contract/durations.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { Plan, PlanList } from "../../contract/plans.ts";
import type {
  ChangeSubscription,
  CreateSubscription,
  Subscription,
  SubscriptionList,
} from "../../contract/subscriptions.ts";
import {
  cancelledOrganization,
  type DemoOrganization,
  demoOrganizations,
  oldOrganizations,
  trialFromDay,
} from "../demo-accounts.ts";
import { demoPlans, planOf } from "../demo-plans.ts";
import { historyDays } from "../rhythm.ts";
import type { Chapter, Stage } from "../stage.ts";
import { yearBeforeDays } from "../year-before.ts";

/** Outgrew the smallest plan on this day, and has the one that fits since. */
export const grown = { organization: "lindqvist-consulting", onDay: 40 };
/** Will have more with its next cycle, or has it from now on. */
export const upgrades = [
  { organization: "nordlys-energi", plan: "Business", at: "now" },
  { organization: "delta-realty", plan: "Business", at: "next_cycle" },
] as const;
/** Is not renewed: it ends this many days after the first start. */
export const expiring = { organization: "karoo-mining", afterDays: 5 };
const trialDays = 31;

async function publishedPlans({ api }: Stage): Promise<Map<string, string>> {
  const known = (await api.get<PlanList>("/v1/plans?limit=1000")).plans;
  const ids = new Map<string, string>();
  for (const plan of demoPlans) {
    const { id, versions } = known.find(({ name }) => name === plan.name) ?? (await api.post<Plan>("/v1/plans", plan));
    if (!versions.some(({ status }) => status === "published")) await api.post<Plan>(`/v1/plans/${id}/publish`);
    ids.set(plan.name, id);
  }
  return ids;
}

/** What the organization has been subscribed to, one after the other. */
function subscriptionsOf(
  organization: DemoOrganization,
  place: number,
  { firstMs, plan }: { firstMs: number; plan: (name: string) => string },
): CreateSubscription[] {
  const { id, timeZone: tz, joinedOnDay, leftOnDay } = organization;
  const at = (day: number) => new Date(firstMs + day * dayMs).toISOString();
  const common = { node: nodeAddress("organization", id), tz, anchor: 1 + ((place * 5) % 28) };
  const since = at(oldOrganizations.includes(id) ? -yearBeforeDays : joinedOnDay);
  const usual = { ...common, plan: plan(planOf(organization)), starts_at: since };
  if (id === grown.organization)
    return [
      { ...usual, plan: plan("Starter"), expires_at: at(grown.onDay), renews: false },
      { ...usual, starts_at: at(grown.onDay) },
    ];
  if (id === cancelledOrganization) return [{ ...usual, expires_at: at(leftOnDay), renews: false }];
  if (id === expiring.organization)
    return [{ ...usual, expires_at: at(historyDays + expiring.afterDays), renews: false }];
  return [{ ...usual, ...(joinedOnDay > trialFromDay && { trial_ends_at: at(joinedOnDay + trialDays) }) }];
}

async function changePlans({ api }: Stage, plan: (name: string) => string): Promise<void> {
  for (const { organization, plan: name, at } of upgrades) {
    const node = encodeURIComponent(nodeAddress("organization", organization));
    const [subscription] = (await api.get<SubscriptionList>(`/v1/subscriptions?node=${node}`)).subscriptions;
    // One that somebody has changed since is theirs.
    if (!subscription || subscription.history.length > 1) continue;
    const change: ChangeSubscription = { plan: plan(name), at };
    await api.patch<Subscription>(`/v1/subscriptions/${subscription.id}`, change);
  }
}

/**
 * Only after the history can be queried: what a cycle came to is closed as it is known a day after its end, and all of the
 * history's cycles ended long ago.
 */
export const plans: Chapter = {
  title: `${demoPlans.length} plans, and who is subscribed to them; one grew out of its plan, two change theirs`,
  async tell(stage) {
    const { api, firstMs } = stage;
    const ids = await publishedPlans(stage);
    const plan = (name: string) => ids.get(name) ?? "";
    const there = (await api.get<SubscriptionList>("/v1/subscriptions?limit=1000")).subscriptions;
    const count = new Map<string, number>();
    for (const { node } of there) count.set(node, (count.get(node) ?? 0) + 1);
    for (const [place, organization] of demoOrganizations.entries()) {
      const wanted = subscriptionsOf(organization, place, { firstMs, plan });
      const made = count.get(nodeAddress("organization", organization.id)) ?? 0;
      for (const one of wanted.slice(made)) await api.post<Subscription>("/v1/subscriptions", one);
    }
    await changePlans(stage, plan);
  },
};
