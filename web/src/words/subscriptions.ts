/** Subscriptions in words. */
import type { Subscription, SubscriptionStatus } from "@contract/subscriptions.ts";
import { formatEnd, formatStart } from "./zone-days.ts";

export const statusTones: Record<SubscriptionStatus, "neutral" | "accent" | "good" | "warn" | "bad"> = {
  scheduled: "accent",
  trial: "warn",
  active: "good",
  expired: "neutral",
  cancelled: "bad",
};
export const subscriptionStatuses = Object.keys(statusTones) as SubscriptionStatus[];

const ordinals = new Intl.PluralRules("en", { type: "ordinal" });
const endings: Partial<Record<Intl.LDMLPluralRule, string>> = { one: "st", two: "nd", few: "rd" };

/** `each month on the 31st, Europe/Berlin`. */
export function cycleText({ anchor, tz }: Pick<Subscription, "anchor" | "tz">): string {
  return `each month on the ${anchor}${endings[ordinals.select(anchor)] ?? "th"}, ${tz}`;
}

/** How it goes on: the trial's end, the expiry, the cancellation. Empty where no end is known. */
export function endTexts(
  { tz, starts_at, trial_ends_at, expires_at, renews, cancelled_at }: Subscription,
  nowMs: number,
): string[] {
  if (cancelled_at && Date.parse(cancelled_at) <= Date.parse(starts_at)) return ["never began"];
  return [
    ...(trial_ends_at && Date.parse(trial_ends_at) > nowMs ? [`trial ${formatEnd(trial_ends_at, tz)}`] : []),
    ...(cancelled_at
      ? [`${Date.parse(cancelled_at) > nowMs ? "ends" : "ended"} ${formatStart(cancelled_at, tz)}`]
      : expires_at
        ? [`${renews ? "renews after" : Date.parse(expires_at) > nowMs ? "runs" : "ran"} ${formatEnd(expires_at, tz)}`]
        : []),
  ].map((text) => text.replace("renews after through", "renews after").replace("renews after until", "renews after"));
}
