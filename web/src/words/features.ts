/** What plans limit and charge, as it is called. */
import type { PlanFeature } from "@contract/plans.ts";

export interface KnownMeter {
  title: string;
  unit: string;
}
export type MeterLookup = (meter: string) => KnownMeter | undefined;

/** `Call minutes`: as its meter is called, else its key with spaces. */
export function featureName({ key, meter }: Pick<PlanFeature, "key" | "meter">, meterOf: MeterLookup): string {
  const known = meter === null ? undefined : meterOf(meter);
  if (known && key === meter) return known.title;
  const words = key.replaceAll(/[_-]+/g, " ").replaceAll(/\b(?:api|sip|sms|sso|pdf)\b/g, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}
