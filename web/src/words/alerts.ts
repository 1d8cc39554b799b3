/** Alerts and what is sent of them, in words. */
import type { Alert, AlertState } from "@contract/alerts.ts";
import type { ChannelKind } from "@contract/channels.ts";
import type { DeliveryKind, DeliveryState, MessageType } from "@contract/deliveries.ts";
import type { RuleKind, Severity } from "@contract/rules.ts";
import { formatExact, withUnit } from "./format.ts";
import { featureName, type MeterLookup } from "./plans.ts";

type Tone = "neutral" | "accent" | "good" | "warn" | "bad";

export const kindNames: Record<RuleKind, string> = {
  quota: "Quota",
  threshold: "Threshold",
  unusual: "Unusual usage",
  low_usage: "Low usage",
  no_data: "No data",
  system: "Service",
  customers: "Customers",
  billing: "Billing",
};

export const ruleKinds = Object.keys(kindNames) as RuleKind[];

export const severityNames: Record<Severity, string> = { info: "Info", warning: "Warning", critical: "Critical" };
export const severities = Object.keys(severityNames) as Severity[];
export const severityTones: Record<Severity, Tone> = { info: "accent", warning: "warn", critical: "bad" };

export const stateNames: Record<AlertState, string> = {
  pending: "pending",
  firing: "firing",
  resolved: "resolved",
  no_data: "no data",
};
export const alertStates = Object.keys(stateNames) as AlertState[];
export const stateTones: Record<AlertState, Tone> = {
  pending: "neutral",
  firing: "bad",
  resolved: "good",
  no_data: "warn",
};

export const channelKindNames: Record<ChannelKind, string> = {
  email: "E-mail",
  webhook: "Webhook",
  slack: "Slack",
  sms: "SMS",
};

/** Deliveries go to more places than channels. */
export const deliveryKindNames: Record<DeliveryKind, string> = { ...channelKindNames, bucket: "The reports' bucket" };

export const channelKinds = Object.keys(channelKindNames) as ChannelKind[];

export const deliveryStateNames: Record<DeliveryState, string> = {
  waiting: "waiting",
  sent: "sent",
  failed: "failed so far",
  given_up: "given up",
};
export const deliveryStateTones: Record<DeliveryState, Tone> = {
  waiting: "neutral",
  sent: "good",
  failed: "warn",
  given_up: "bad",
};

export const messageTypeNames: Record<MessageType, string> = {
  "alert.firing": "Alert",
  "alert.resolved": "Resolved",
  "alert.reminder": "Reminder",
  "channel.test": "Test",
  report: "Report",
  digest: "Digest",
};

/** What the figure of an alert is of; undefined where it is about no figure. */
export function subjectOf({ feature, meter }: Pick<Alert, "feature" | "meter">, meterOf: MeterLookup) {
  if (feature !== null) return featureName({ key: feature, meter }, meterOf);
  return meter === null ? undefined : (meterOf(meter)?.title ?? meter);
}

/** `1,250.5 minutes`; all digits that the server gave. */
export function amountText(figure: string, meter: string | null, meterOf: MeterLookup): string {
  const exact = formatExact(figure);
  return meter === null ? exact : withUnit(exact, meterOf(meter)?.unit ?? "count");
}

/** What it is measured by: a percent of a quota's limit, else a bound in the meter's unit. */
export function boundText(alert: Pick<Alert, "kind" | "threshold" | "meter">, meterOf: MeterLookup) {
  const { kind, threshold, meter } = alert;
  if (threshold === null) return undefined;
  if (kind === "quota") return `${threshold} % of the limit`;
  return amountText(String(threshold), meter, meterOf);
}

/** Somebody should look: it fires, nobody has seen to it, and nobody put it off. */
export function needsAttention({ state, acknowledged, snoozed_until }: Alert, nowMs: number): boolean {
  const isSnoozed = snoozed_until !== null && Date.parse(snoozed_until) > nowMs;
  return (state === "firing" || state === "no_data") && acknowledged === null && !isSnoozed;
}

/** What needs somebody first, then the others; the newest first among each. */
export function byAttention(alerts: readonly Alert[], nowMs: number): Alert[] {
  const waits = (alert: Alert) => needsAttention(alert, nowMs);
  return [...alerts.filter(waits), ...alerts.filter((alert) => !waits(alert))];
}
