/**
 * What an amount costs. All of it is exact until a line of a statement is written: `roundMoney` is the one place where
 * money is rounded, half to even, to the minor unit of its currency.
 *
 * A part of a cycle costs that part of what a whole cycle at the same pace would: with the share s of the cycle, s × the
 * cost of amount / s. So the fixed fee, what is included, the bounds and flat fees of tiers and the packages all shrink
 * with s, and unit prices stay. An amount that is not a sum over time (a peak, a level, a distinct count) has no pace: it
 * costs s × the cost of the amount.
 */
import { decimalsOf } from "../contract/currencies.ts";
import type { Pricing, Tier } from "../contract/plans.ts";
import {
  ceiling,
  compare,
  type Exact,
  exact,
  minus,
  one,
  over,
  plus,
  roundHalfEven,
  smaller,
  times,
  zero,
} from "../numbers/exact.ts";

/** The cost of one tier, or of packages. */
export interface PricedPart {
  /** Number of the tier, the first being 1; undefined for packages. */
  tier: number | undefined;
  /** Units, or packages, that `unitPrice` is charged for. */
  quantity: Exact;
  unitPrice: Exact;
  /** What the tier costs once, whatever is used in it. */
  flatFee: Exact;
  /** quantity × unitPrice + flatFee, not rounded. */
  amount: Exact;
}

export interface PartOfCycle {
  /** Above 0, up to 1. */
  share: Exact;
  /** Whether what is measured is a sum over time. */
  isSum: boolean;
}

const wholeCycle: PartOfCycle = { share: one, isSum: true };

/** The part of `used` beyond `included`, priced; empty where there is none. All amounts are 0 or more. */
export function priceUsage(
  used: Exact,
  included: Exact,
  pricing: Pricing,
  part: PartOfCycle = wholeCycle,
): PricedPart[] {
  const { share, isSum } = part;
  const paced = isSum ? over(used, share) : used;
  const beyond = minus(paced, included);
  if (compare(beyond, zero) <= 0) return [];
  return priceOf(beyond, pricing).map((priced) => shrunk(priced, part));
}

/** The quantity shrinks with the time, or its price where it does not add up over time. */
function shrunk(priced: PricedPart, { share, isSum }: PartOfCycle): PricedPart {
  const isByUnit = isSum && priced.tier !== undefined;
  return {
    tier: priced.tier,
    quantity: isByUnit ? times(priced.quantity, share) : priced.quantity,
    unitPrice: isByUnit ? priced.unitPrice : times(priced.unitPrice, share),
    flatFee: times(priced.flatFee, share),
    amount: times(priced.amount, share),
  };
}

/** `amount` is above 0. */
function priceOf(amount: Exact, pricing: Pricing): PricedPart[] {
  switch (pricing.model) {
    case "graduated":
      return pricing.tiers.flatMap((tier, index, tiers): PricedPart[] => {
        const from = lowerBound(tiers, index);
        if (compare(amount, from) <= 0) return [];
        const to = tier.up_to === null ? amount : smaller(amount, exact(tier.up_to));
        return [pricedTier(tier, index, minus(to, from))];
      });
    case "volume": {
      const index = pricing.tiers.findIndex(({ up_to }) => up_to === null || compare(amount, exact(up_to)) <= 0);
      const tier = pricing.tiers[index];
      if (!tier) throw new Error("the last tier has no end");
      return [pricedTier(tier, index, amount)];
    }
    case "package": {
      const quantity = ceiling(over(amount, exact(pricing.size)));
      const unitPrice = exact(pricing.price);
      return [{ tier: undefined, quantity, unitPrice, flatFee: zero, amount: times(quantity, unitPrice) }];
    }
  }
}

function lowerBound(tiers: readonly Tier[], index: number): Exact {
  return exact(tiers[index - 1]?.up_to ?? "0");
}

function pricedTier(tier: Tier, index: number, quantity: Exact): PricedPart {
  const unitPrice = exact(tier.unit_price);
  const flatFee = exact(tier.flat_fee ?? "0");
  const product = times(quantity, unitPrice);
  return { tier: index + 1, quantity, unitPrice, flatFee, amount: plus(product, flatFee) };
}

/** How much of an amount is included in a part of a cycle; what does not add up over time has its whole limit at any time. */
export function includedIn(included: Exact, { share, isSum }: PartOfCycle): Exact {
  return isSum ? times(included, share) : included;
}

/** A decimal string in the currency's minor unit: the only rounding of money. */
export function roundMoney(amount: Exact, currency: string): string {
  return roundHalfEven(amount, decimalsOf(currency));
}
