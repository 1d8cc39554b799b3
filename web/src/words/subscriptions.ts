/** Subscriptions in words. */
import type { Subscription, SubscriptionStatus } from "@contract/subscriptions.ts";
import { subscriptionsTexts as t } from "../texts/en/subscriptions.ts";
import { formatEnd, formatLastMoment, formatStart } from "./zone-days.ts";

export const statusTones: Record<SubscriptionStatus, "neutral" | "accent" | "good" | "warn" | "bad"> = {
  scheduled: "accent",
  trial: "warn",
  active: "good",
  expired: "neutral",
  cancelled: "bad",
};
export const subscriptionStatuses = Object.keys(statusTones) as SubscriptionStatus[];

/** `each month on the 31st, Europe/Berlin`. */
export function cycleText({ anchor, tz }: Pick<Subscription, "anchor" | "tz">): string {
  return t.eachMonthOn(anchor, tz);
}

/** How it goes on: the trial's end, the expiry, the cancellation. Empty where no end is known. */
export function endTexts(
  { tz, starts_at, trial_ends_at, expires_at, renews, cancelled_at }: Subscription,
  nowMs: number,
): string[] {
  if (cancelled_at && Date.parse(cancelled_at) <= Date.parse(starts_at)) return [t.neverStarted];
  const isAhead = (instant: string) => Date.parse(instant) > nowMs;
  const trial = trial_ends_at && isAhead(trial_ends_at) ? [t.trialThroughDay(formatEnd(trial_ends_at, tz))] : [];
  if (cancelled_at) {
    const start = formatStart(cancelled_at, tz);
    return [...trial, isAhead(cancelled_at) ? t.ends(start) : t.ended(start)];
  }
  if (!expires_at) return trial;
  if (renews) return [...trial, t.renewsAfter(formatLastMoment(expires_at, tz))];
  const end = formatEnd(expires_at, tz);
  return [...trial, isAhead(expires_at) ? t.runs(end) : t.ran(end)];
}
