/**
 * A plan's terms as a person fills them in: every figure is the text that they typed, so that nothing is lost or rounded
 * before the server has checked it.
 */
import type { PlanFeature, PlanTermsInput, PlanVersion, PriceLevel, Pricing } from "@contract/plans.ts";
import { newId } from "../api/new-id.ts";
import { plansTexts as t } from "../texts/en/plans.ts";

/** Who pays, from the bottom up. */
export const payerNames: Record<PriceLevel, string> = t.levels;
export const priceLevels = Object.keys(payerNames) as PriceLevel[];

/** Which prices a plan of this node may name. The server has the rule; the form leaves out what it would refuse. */
export function priceLevelsOf(node: string): PriceLevel[] {
  if (node.startsWith("organization:")) return priceLevels.slice(0, 1);
  return node.startsWith("reseller:") ? priceLevels.slice(0, 2) : priceLevels;
}

export interface TierDraft {
  /** Not asked for of the last tier. */
  upTo: string;
  unitPrice: string;
  flatFee: string;
}

export interface PriceDraft {
  model: Pricing["model"] | "none";
  /** Used by `graduated` and `volume`; at least one. */
  tiers: TierDraft[];
  /** Used by `package`. */
  size: string;
  price: string;
}

export interface FeatureDraft {
  /** Tells features apart while they have no key yet. */
  id: string;
  key: string;
  isEnabled: boolean;
  /** Empty: only on or off. */
  meter: string;
  /** Empty: no limit. */
  included: string;
  overage: PlanFeature["overage"];
  graceHours: string;
  /** Percents, separated by commas. */
  thresholds: string;
  prices: Record<PriceLevel, PriceDraft>;
}

export interface PlanDraft {
  currency: string;
  fixedFee: Record<PriceLevel, string>;
  features: FeatureDraft[];
}

const noPrice = (): PriceDraft => ({ model: "none", tiers: [newTier()], size: "", price: "" });
const ofLevels = <T>(make: (level: PriceLevel) => T): Record<PriceLevel, T> => ({
  organization: make("organization"),
  reseller: make("reseller"),
  partner: make("partner"),
});

export function newTier(): TierDraft {
  return { upTo: "", unitPrice: "", flatFee: "" };
}

/** Measured by `meter`, under a key that no other feature has. */
export function newFeature(meter: string, others: readonly FeatureDraft[]): FeatureDraft {
  const taken = new Set(others.map(({ key }) => key));
  let key = meter;
  for (let number = 2; key !== "" && taken.has(key); number++) key = `${meter}_${number}`;
  return {
    id: newId(),
    key,
    isEnabled: true,
    meter,
    included: "",
    overage: "notify",
    graceHours: "0",
    thresholds: "50, 75, 90, 100",
    prices: ofLevels(noPrice),
  };
}

export function newDraft(): PlanDraft {
  return { currency: "EUR", fixedFee: ofLevels(() => ""), features: [] };
}

export function draftOf({ currency, fixed_fee, features }: PlanVersion): PlanDraft {
  return {
    currency,
    fixedFee: ofLevels((level) => fixed_fee[level] ?? ""),
    features: features.map((feature) => ({
      id: newId(),
      key: feature.key,
      isEnabled: feature.enabled,
      meter: feature.meter ?? "",
      included: feature.included ?? "",
      overage: feature.overage,
      graceHours: String(feature.grace_hours),
      thresholds: feature.thresholds.join(", "),
      prices: ofLevels((level) => priceDraftOf(feature.prices[level])),
    })),
  };
}

function priceDraftOf(pricing: Pricing | undefined): PriceDraft {
  if (!pricing) return noPrice();
  if (pricing.model === "package") return { ...noPrice(), ...pricing };
  const tiers = pricing.tiers.map(({ up_to, unit_price, flat_fee }) => ({
    upTo: up_to ?? "",
    unitPrice: unit_price,
    flatFee: flat_fee ?? "",
  }));
  return { ...noPrice(), model: pricing.model, tiers };
}

/** What is sent: fields that do not belong to what was chosen are left out, whatever was typed into them before. */
export function termsOf({ currency, fixedFee, features }: PlanDraft, named: readonly PriceLevel[]): PlanTermsInput {
  return {
    currency: currency.trim().toUpperCase(),
    fixed_fee: given(named, (level) => fixedFee[level].trim() || undefined),
    features: features.map((feature) => {
      const isMeasured = feature.meter !== "";
      const overage = isMeasured ? feature.overage : "notify";
      return {
        key: feature.key.trim(),
        enabled: feature.isEnabled,
        meter: isMeasured ? feature.meter : null,
        included: isMeasured ? feature.included.trim() || null : null,
        overage,
        grace_hours: overage === "block" ? Number(feature.graceHours.trim() || "0") : 0,
        thresholds: listOf(feature.thresholds),
        prices: overage === "bill" ? given(named, (level) => pricingOf(feature.prices[level])) : {},
      };
    }),
  };
}

const listOf = (text: string) =>
  text
    .split(/[\s,;%]+/)
    .filter((part) => part !== "")
    .map(Number);

function given<T>(
  named: readonly PriceLevel[],
  of: (level: PriceLevel) => T | undefined,
): Partial<Record<PriceLevel, T>> {
  const entries = named.map((level) => [level, of(level)] as const).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<Record<PriceLevel, T>>;
}

function pricingOf({ model, tiers, size, price }: PriceDraft): Pricing | undefined {
  if (model === "none") return undefined;
  if (model === "package") return { model, size: size.trim(), price: price.trim() };
  return {
    model,
    tiers: tiers.map(({ upTo, unitPrice, flatFee }, place) => ({
      up_to: place === tiers.length - 1 ? null : upTo.trim(),
      unit_price: unitPrice.trim(),
      flat_fee: flatFee.trim() || undefined,
    })),
  };
}
