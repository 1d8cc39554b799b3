/**
 * What a cycle costs: for each part of it under one version of a plan, a line for the fixed fee and lines for what was used
 * beyond what it includes. A trial costs nothing. Totals are sums of rounded lines, so sums of totals agree to the cent.
 */
import type { ChargeLine, ChargesAtLevel } from "../contract/charges.ts";
import type { PlanTerms, PriceLevel } from "../contract/plans.ts";
import { formatInstant } from "../metrics/windows.ts";
import { type Exact, exact, minus, plus, ratio, roundHalfEven, times, zero } from "../numbers/exact.ts";
import { trimDecimal } from "../numbers/figures.ts";
import { type Cycle, type PlanSegment, segmentsWithin } from "./billing-cycle.ts";
import { priceUsage, roundMoney } from "./pricing.ts";

/** A part of a cycle with what was used in it. */
export interface ChargedSegment extends PlanSegment {
  terms: PlanTerms;
  /** By feature: features that are off or have no meter are absent. */
  used: ReadonlyMap<string, { meter: string; unit: string; isSum: boolean; amount: string }>;
}

/** The parts that are charged: what lies before the trial's end is not. */
export function afterTrial(segments: readonly PlanSegment[], trialEndsAt: Date | null): PlanSegment[] {
  return segmentsWithin(segments, trialEndsAt?.getTime() ?? Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
}

/** The charges at each level, from the lowest up; none at a level without any price. */
export function chargesOf(
  segments: readonly ChargedSegment[],
  cycle: Cycle,
  tz: string,
  levels: readonly PriceLevel[],
): ChargesAtLevel[] {
  const currencies = [...new Set(segments.map(({ terms }) => terms.currency))];
  return currencies.flatMap((currency) => {
    const own = segments.filter(({ terms }) => terms.currency === currency);
    let below: Exact | undefined;
    return levels.flatMap((level): ChargesAtLevel[] => {
      const lines = own.flatMap((segment) => linesOf(segment, cycle, tz, level));
      const isPriced = own.some(({ terms }) => isPricedAt(terms, level));
      const total = lines.reduce((sum, { amount }) => plus(sum, exact(amount)), zero);
      const margin = isPriced && below !== undefined ? roundMoney(minus(below, total), currency) : null;
      below = isPriced ? total : undefined;
      return isPriced ? [{ level, currency, lines, total: roundMoney(total, currency), margin }] : [];
    });
  });
}

function isPricedAt({ fixed_fee, features }: PlanTerms, level: PriceLevel): boolean {
  return fixed_fee[level] !== undefined || features.some(({ prices }) => prices[level] !== undefined);
}

function linesOf(segment: ChargedSegment, { startMs, endMs }: Cycle, tz: string, level: PriceLevel): ChargeLine[] {
  const { terms, planId, version, fromMs, toMs, used } = segment;
  const share = ratio(toMs - fromMs, endMs - startMs);
  const about = { plan: planId, version, from: formatInstant(fromMs, tz), to: formatInstant(toMs, tz) };
  const fee = terms.fixed_fee[level];
  const fixed: ChargeLine[] =
    fee === undefined
      ? []
      : [
          {
            kind: "fixed_fee",
            feature: null,
            meter: null,
            tier: null,
            ...about,
            quantity: shown(share),
            unit_price: fee,
            flat_fee: "0",
            amount: roundMoney(times(exact(fee), share), terms.currency),
          },
        ];
  const usage = terms.features.flatMap((feature) => {
    const found = used.get(feature.key);
    const pricing = feature.prices[level];
    if (!found || !pricing) return [];
    const part = { share, isSum: found.isSum };
    return priceUsage(exact(found.amount), exact(feature.included ?? "0"), pricing, part).map(
      (priced): ChargeLine => ({
        kind: "usage",
        feature: feature.key,
        meter: found.meter,
        ...about,
        tier: priced.tier ?? null,
        quantity: shown(priced.quantity),
        unit_price: shown(priced.unitPrice, 12),
        flat_fee: shown(priced.flatFee, 12),
        amount: roundMoney(priced.amount, terms.currency),
      }),
    );
  });
  return [...fixed, ...usage];
}

const shown = (amount: Exact, decimals = 9) => trimDecimal(roundHalfEven(amount, decimals));
