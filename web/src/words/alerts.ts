/** Alerts and what is sent of them, in words. */
import type { Alert, AlertState } from "@contract/alerts.ts";
import type { ChannelKind } from "@contract/channels.ts";
import type { DeliveryKind, DeliveryState, MessageType } from "@contract/deliveries.ts";
import type { RuleKind, Severity } from "@contract/rules.ts";
import { alertWordsTexts as t } from "../texts/en/alert-words.ts";
import { featureName, type MeterLookup } from "./features.ts";
import { formatExact, withUnit } from "./format.ts";

type Tone = "neutral" | "accent" | "good" | "warn" | "bad";

export const kindNames: Record<RuleKind, string> = t.kinds;

export const ruleKinds = Object.keys(kindNames) as RuleKind[];

export const severityNames: Record<Severity, string> = t.severities;
export const severities = Object.keys(severityNames) as Severity[];
export const severityTones: Record<Severity, Tone> = { info: "accent", warning: "warn", critical: "bad" };

export const stateNames: Record<AlertState, string> = t.states;
export const alertStates = Object.keys(stateNames) as AlertState[];
export const stateTones: Record<AlertState, Tone> = {
  pending: "neutral",
  firing: "bad",
  resolved: "good",
  no_data: "warn",
};

export const channelKindNames: Record<ChannelKind, string> = t.deliveryKinds;

/** Deliveries go to more places than channels. */
export const deliveryKindNames: Record<DeliveryKind, string> = t.deliveryKinds;

export const channelKinds: readonly ChannelKind[] = ["email", "webhook", "slack", "sms"];

export const deliveryStateNames: Record<DeliveryState, string> = t.deliveryStates;
export const deliveryStateTones: Record<DeliveryState, Tone> = {
  waiting: "neutral",
  sent: "good",
  failed: "warn",
  given_up: "bad",
};

export const messageTypeNames: Record<MessageType, string> = t.messageTypes;

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
  if (kind === "quota") return t.percentOfLimit(threshold);
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
