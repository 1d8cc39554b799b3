/** Plans, subscriptions, and what a billing cycle comes to, as the server tells of them. */
import type { Charges } from "@contract/charges.ts";
import type { ChangePlan, CreatePlan, Plan, PlanList } from "@contract/plans.ts";
import type { Period } from "@contract/quotas.ts";
import type {
  ChangeSubscription,
  CreateSubscription,
  SubscriptionDetail,
  SubscriptionList,
} from "@contract/subscriptions.ts";
import { searchOf, send, sendTagged, type Tagged } from "./client.ts";

export async function readPlans(signal?: AbortSignal): Promise<Plan[]> {
  return (await send<PlanList>("GET", "/v1/plans", { signal })).plans;
}

const planAddress = (id: string) => `/v1/plans/${encodeURIComponent(id)}`;

export function readPlan(id: string, signal?: AbortSignal): Promise<Tagged<Plan>> {
  return sendTagged<Plan>("GET", planAddress(id), { signal });
}

export function createPlan(plan: CreatePlan, idempotencyKey: string): Promise<Tagged<Plan>> {
  return sendTagged<Plan>("POST", "/v1/plans", { body: plan, idempotencyKey });
}

/** Throws ApiError `precondition_failed` when the plan is no longer what `tag` stands for. */
export function changePlan(id: string, change: ChangePlan, tag: string | undefined): Promise<Tagged<Plan>> {
  return sendTagged<Plan>("PATCH", planAddress(id), { body: change, ifMatch: tag });
}

export function publishPlan(id: string, tag: string | undefined): Promise<Tagged<Plan>> {
  return sendTagged<Plan>("POST", `${planAddress(id)}/publish`, { ifMatch: tag });
}

export interface SubscriptionsQuestion {
  node?: string | undefined;
  status?: string | undefined;
  plan?: string | undefined;
  cursor?: string | undefined;
  limit?: number | undefined;
}

export function readSubscriptions(question: SubscriptionsQuestion, signal?: AbortSignal): Promise<SubscriptionList> {
  return send<SubscriptionList>("GET", `/v1/subscriptions?${searchOf(question)}`, { signal });
}

const subscriptionAddress = (id: string) => `/v1/subscriptions/${encodeURIComponent(id)}`;

export function readSubscription(id: string, signal?: AbortSignal): Promise<Tagged<SubscriptionDetail>> {
  return sendTagged<SubscriptionDetail>("GET", subscriptionAddress(id), { signal });
}

export function createSubscription(wanted: CreateSubscription, idempotencyKey: string): Promise<SubscriptionDetail> {
  return send<SubscriptionDetail>("POST", "/v1/subscriptions", { body: wanted, idempotencyKey });
}

export function changeSubscription(
  id: string,
  change: ChangeSubscription,
  tag: string | undefined,
): Promise<Tagged<SubscriptionDetail>> {
  return sendTagged<SubscriptionDetail>("PATCH", subscriptionAddress(id), { body: change, ifMatch: tag });
}

/** With so many past cycles, 24 at most; of the caller's own node when `node` is undefined. */
export function readPeriod(node: string | undefined, cycles: number, signal?: AbortSignal): Promise<Period> {
  const search = new URLSearchParams({ cycles: String(cycles), ...(node && { node }) });
  return send<Period>("GET", `/v1/period?${search}`, { signal });
}

/** Of the cycle that runs: 0, or one of those before it. */
export function readCharges(node: string | undefined, cycle: number, signal?: AbortSignal): Promise<Charges> {
  const search = new URLSearchParams({ cycle: String(cycle), ...(node && { node }) });
  return send<Charges>("GET", `/v1/charges?${search}`, { signal });
}
