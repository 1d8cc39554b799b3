/** A plan's terms in words, and in what two versions of it differ. */
import type { PlanFeature, PlanVersion, Pricing } from "@contract/plans.ts";
import { payerNames, priceLevels } from "../state/plan-draft.ts";
import { plansTexts as t } from "../texts/en/plans.ts";
import { featureName, type MeterLookup } from "./features.ts";
import { formatExact, formatMoney, withUnit } from "./format.ts";

export const overageNames: Record<PlanFeature["overage"], string> = t.overages;

/** `500 minutes`, or that there is no limit. */
export function includedText(
  { meter, included }: Pick<PlanFeature, "meter" | "included">,
  meterOf: MeterLookup,
): string {
  if (meter === null) return "–";
  if (included === null) return t.noLimit;
  return withUnit(formatExact(included), meterOf(meter)?.unit ?? "count");
}

/** What happens beyond the included amount: `Blocked after 24 h`. */
export function overageText({ meter, included, overage, grace_hours }: PlanFeature): string {
  if (meter === null) return "–";
  if (included === null && overage !== "bill") return "–";
  return overage === "block" && grace_hours > 0 ? t.blockedAfterHours(grace_hours) : overageNames[overage];
}

/** Line by line: `the first 1,000: €0.05 each`. */
export function pricingLines(pricing: Pricing, currency: string): string[] {
  const money = (figure: string) => formatMoney(figure, currency);
  if (pricing.model === "package") return [t.packagePrice(money(pricing.price), formatExact(pricing.size))];
  const { model, tiers } = pricing;
  return tiers.map(({ up_to, unit_price, flat_fee }, place) => {
    const from = formatExact(tiers[place - 1]?.up_to ?? "0");
    const each = tiers.length === 1 ? t.priceEach(money(unit_price)) : money(unit_price);
    const price = model === "volume" && tiers.length > 1 ? t.priceForAll(each) : each;
    const whole = flat_fee === undefined ? price : t.priceAndOnce(price, money(flat_fee));
    if (tiers.length === 1) return whole;
    if (up_to === null) return t.beyondAmount(from, whole);
    return place === 0 ? t.upToAmount(formatExact(up_to), whole) : t.betweenAmounts(from, formatExact(up_to), whole);
  });
}

export const modelNames: Record<Pricing["model"], string> = t.models;

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
      return [{ feature, what: t.feature, before: was ? summaryOf(was) : null, after: is ? summaryOf(is) : null }];
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
  const fees = priceLevels.flatMap((level): [string, string][] => {
    const fee = fixed_fee[level];
    return fee === undefined ? [] : [[t.fixedFeeOf(payerNames[level].toLowerCase()), formatMoney(fee, currency)]];
  });
  const whole = { feature: null, texts: new Map([[t.currency, currency], ...fees]) };
  const ofFeatures = features.map((feature): [string, Facts] => [
    feature.key,
    { feature: featureName(feature, meterOf), texts: new Map(featureFacts(feature, currency, meterOf)) },
  ]);
  return new Map([["", whole], ...ofFeatures]);
}

function featureFacts(feature: PlanFeature, currency: string, meterOf: MeterLookup): [string, string][] {
  const isOn: [string, string] = [t.feature, feature.enabled ? t.onInSentence : t.off];
  if (feature.meter === null) return [isOn];
  const prices = priceLevels.flatMap((level): [string, string][] => {
    const pricing = feature.prices[level];
    if (!pricing) return [];
    const text = `${modelNames[pricing.model]}: ${pricingLines(pricing, currency).join("; ")}`;
    return [[t.priceOf(payerNames[level].toLowerCase()), text]];
  });
  return [
    isOn,
    [t.measuredBy, meterOf(feature.meter)?.title ?? feature.meter],
    [t.included, includedText(feature, meterOf)],
    [t.overTheLimit, overageText(feature)],
    [t.notifiesAt, feature.thresholds.map((percent) => `${percent}%`).join(", ") || t.neverInSentence],
    ...prices,
  ];
}

const summaryOf = ({ texts }: Facts) =>
  [...texts].map(([what, text]) => (what === t.feature ? text : `${what.toLowerCase()}: ${text}`)).join(", ");
