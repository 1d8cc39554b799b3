/** A plan's terms in words, and in what two versions of it differ. */
import type { PlanFeature, PlanVersion, Pricing } from "@contract/plans.ts";
import { levelNames, levels } from "../state/plan-draft.ts";
import { formatExact, formatMoney, withUnit } from "./format.ts";

export interface KnownMeter {
  title: string;
  unit: string;
}
export type MeterLookup = (meter: string) => KnownMeter | undefined;

export const overageNames: Record<PlanFeature["overage"], string> = {
  block: "Blocked",
  bill: "Charged",
  notify: "Notified",
};

/** `Call minutes`: as its meter is called, else its key with spaces. */
export function featureName({ key, meter }: Pick<PlanFeature, "key" | "meter">, meterOf: MeterLookup): string {
  const known = meter === null ? undefined : meterOf(meter);
  if (known && key === meter) return known.title;
  const words = key.replaceAll(/[_-]+/g, " ").replaceAll(/\b(?:api|sip|sms|sso|pdf)\b/g, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `500 minutes`, or that there is no limit. */
export function includedText(
  { meter, included }: Pick<PlanFeature, "meter" | "included">,
  meterOf: MeterLookup,
): string {
  if (meter === null) return "–";
  if (included === null) return "No limit";
  return withUnit(formatExact(included), meterOf(meter)?.unit ?? "count");
}

/** What happens beyond the included amount: `Blocked after 24 h`. */
export function overageText({ meter, included, overage, grace_hours }: PlanFeature): string {
  if (meter === null) return "–";
  if (included === null && overage !== "bill") return "–";
  return overage === "block" && grace_hours > 0 ? `Blocked after ${grace_hours} h` : overageNames[overage];
}

/** Line by line: `the first 1,000: €0.05 each`. */
export function pricingLines(pricing: Pricing, currency: string): string[] {
  const money = (figure: string) => formatMoney(figure, currency);
  if (pricing.model === "package")
    return [`${money(pricing.price)} for each ${formatExact(pricing.size)}, begun ones whole`];
  const { model, tiers } = pricing;
  return tiers.map(({ up_to, unit_price, flat_fee }, place) => {
    const from = tiers[place - 1]?.up_to;
    const span =
      up_to === null
        ? place === 0
          ? "each"
          : `beyond ${formatExact(from ?? "0")}`
        : place === 0
          ? `up to ${formatExact(up_to)}`
          : `${formatExact(from ?? "0")} to ${formatExact(up_to)}`;
    const fee = flat_fee === undefined ? "" : ` and ${money(flat_fee)} once`;
    const whole = model === "volume" ? ", for all" : "";
    return tiers.length === 1 ? `${money(unit_price)} each${fee}` : `${span}: ${money(unit_price)}${whole}${fee}`;
  });
}

export const modelNames: Record<Pricing["model"], string> = {
  graduated: "Graduated",
  volume: "Volume",
  package: "Packages",
};

export interface Difference {
  /** The feature; null for the plan as a whole. */
  feature: string | null;
  what: string;
  /** Null: it was not there. */
  before: string | null;
  after: string | null;
}

/** From `before` to `after`, in the order of `after`; what was taken away comes last. Empty when the terms are the same. */
export function differencesOf(before: PlanVersion, after: PlanVersion, meterOf: MeterLookup): Difference[] {
  const [old, now] = [factsOf(before, meterOf), factsOf(after, meterOf)];
  return [...new Set([...now.keys(), ...old.keys()])].flatMap((key): Difference[] => {
    const [was, is] = [old.get(key), now.get(key)];
    const feature = (is ?? was)?.feature ?? null;
    // A feature that came or went is one difference, shown whole.
    if (feature !== null && !(was && is))
      return [{ feature, what: "Feature", before: was ? summaryOf(was) : null, after: is ? summaryOf(is) : null }];
    const whats = new Set([...(is?.texts.keys() ?? []), ...(was?.texts.keys() ?? [])]);
    return [...whats].flatMap((what): Difference[] => {
      const texts = { before: was?.texts.get(what) ?? null, after: is?.texts.get(what) ?? null };
      return texts.before === texts.after ? [] : [{ feature, what, ...texts }];
    });
  });
}

interface Facts {
  /** Null for the plan as a whole. */
  feature: string | null;
  /** By what they are about. */
  texts: Map<string, string>;
}

/** By the feature's key; the plan as a whole under the empty one, which no feature has. */
function factsOf({ currency, fixed_fee, features }: PlanVersion, meterOf: MeterLookup): Map<string, Facts> {
  const fees = levels.flatMap((level): [string, string][] => {
    const fee = fixed_fee[level];
    return fee === undefined ? [] : [[`Fixed fee, ${levelNames[level].toLowerCase()}`, formatMoney(fee, currency)]];
  });
  const whole = { feature: null, texts: new Map([["Currency", currency], ...fees]) };
  const ofFeatures = features.map((feature): [string, Facts] => [
    feature.key,
    { feature: featureName(feature, meterOf), texts: new Map(featureFacts(feature, currency, meterOf)) },
  ]);
  return new Map([["", whole], ...ofFeatures]);
}

function featureFacts(feature: PlanFeature, currency: string, meterOf: MeterLookup): [string, string][] {
  const isOn: [string, string] = ["Feature", feature.enabled ? "on" : "off"];
  if (feature.meter === null) return [isOn];
  const prices = levels.flatMap((level): [string, string][] => {
    const pricing = feature.prices[level];
    if (!pricing) return [];
    const text = `${modelNames[pricing.model]}: ${pricingLines(pricing, currency).join("; ")}`;
    return [[`Price, ${levelNames[level].toLowerCase()}`, text]];
  });
  return [
    isOn,
    ["Measured by", meterOf(feature.meter)?.title ?? feature.meter],
    ["Included", includedText(feature, meterOf)],
    ["Beyond it", overageText(feature)],
    ["Notifies at", feature.thresholds.map((percent) => `${percent} %`).join(", ") || "never"],
    ...prices,
  ];
}

const summaryOf = ({ texts }: Facts) =>
  [...texts].map(([what, text]) => (what === "Feature" ? text : `${what.toLowerCase()}: ${text}`)).join(", ");
