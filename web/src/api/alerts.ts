/** Rules, what they found, and what the signed-in person was told of it, as the server tells of them. */
import type { Alert, AlertList, SnoozeAlert } from "@contract/alerts.ts";
import type { NotificationList, ReadNotifications } from "@contract/notifications.ts";
import type { ChangeRule, CreateRule, PreviewAnswer, PreviewRule, Rule, RuleList } from "@contract/rules.ts";
import { request, searchOf, send, sendTagged, type Tagged } from "./client.ts";

export interface AlertsQuestion {
  node?: string | undefined;
  state?: string | undefined;
  rule?: string | undefined;
  kind?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  tz?: string | undefined;
  cursor?: string | undefined;
  limit?: number | undefined;
}

/** The newest first, page by page. */
export function readAlerts(question: AlertsQuestion, signal?: AbortSignal): Promise<AlertList> {
  return send<AlertList>("GET", `/v1/alerts?${searchOf(question)}`, { signal });
}

const alertAddress = (id: string) => `/v1/alerts/${encodeURIComponent(id)}`;

export function readAlert(id: string, signal?: AbortSignal): Promise<Alert> {
  return send<Alert>("GET", alertAddress(id), { signal });
}

export function acknowledgeAlert(id: string): Promise<Alert> {
  return send<Alert>("POST", `${alertAddress(id)}/acknowledge`);
}

export function snoozeAlert(id: string, snooze: SnoozeAlert): Promise<Alert> {
  return send<Alert>("POST", `${alertAddress(id)}/snooze`, { body: snooze });
}

export interface RulesQuestion {
  node?: string | undefined;
  kind?: string | undefined;
  cursor?: string | undefined;
  limit?: number | undefined;
}

/** The oldest first, page by page. */
export function readRules(question: RulesQuestion, signal?: AbortSignal): Promise<RuleList> {
  return send<RuleList>("GET", `/v1/rules?${searchOf(question)}`, { signal });
}

const ruleAddress = (id: string) => `/v1/rules/${encodeURIComponent(id)}`;

export function readRule(id: string, signal?: AbortSignal): Promise<Tagged<Rule>> {
  return sendTagged<Rule>("GET", ruleAddress(id), { signal });
}

export function createRule(rule: CreateRule, idempotencyKey: string): Promise<Rule> {
  return send<Rule>("POST", "/v1/rules", { body: rule, idempotencyKey });
}

/** Throws ApiError `precondition_failed` when the rule is no longer what `tag` stands for. */
export function changeRule(id: string, change: ChangeRule, tag?: string): Promise<Tagged<Rule>> {
  return sendTagged<Rule>("PATCH", ruleAddress(id), { body: change, ifMatch: tag });
}

export async function removeRule(id: string): Promise<void> {
  await request("DELETE", ruleAddress(id));
}

/** What the rule would have told of what really happened. */
export function previewRule(question: PreviewRule, signal?: AbortSignal): Promise<PreviewAnswer> {
  return send<PreviewAnswer>("POST", "/v1/rules/preview", { body: question, signal });
}

export function readNotifications(
  question: { unread?: boolean | undefined; limit?: number; cursor?: string | undefined },
  signal?: AbortSignal,
): Promise<NotificationList> {
  return send<NotificationList>("GET", `/v1/notifications?${searchOf(question)}`, { signal });
}

/** On all devices of the person; answers how many are left unread. */
export async function markNotificationsRead(which: ReadNotifications): Promise<number> {
  return (await send<{ unread: number }>("POST", "/v1/notifications/read", { body: which })).unread;
}
