/** The cost of running billing cycles so far, over everything below a node: per level that pays, and per currency. */
import { setImmediate as turn } from "node:timers/promises";
import { afterTrial, chargesOf } from "../billing/charges.ts";
import type { PeriodSource } from "../billing/period.ts";
import { highestLevel } from "../billing/price-visibility.ts";
import { roundMoney } from "../billing/pricing.ts";
import { termsOf } from "../billing/quotas.ts";
import { readCharges } from "../billing/read-charges.ts";
import { isSumOverTime } from "../catalog/rule-traits.ts";
import type { ChargesAtLevel } from "../contract/charges.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Overview } from "../contract/overview.ts";
import { type PriceLevel, priceLevels } from "../contract/plans.ts";
import { exact, plus, zero } from "../numbers/exact.ts";
import type { AccountState } from "./account-state.ts";
import type { Standing } from "./read-standings.ts";

export type Revenue = NonNullable<Overview["revenue"]>;

export interface RevenueReading {
  /** ms since 1970, UTC. */
  nowMs: number;
  /** Whether what a node was charged is counted, of a time at which it stood at this path, nearest first. */
  isSeenOnRecord: (path: readonly NodeAddress[]) => boolean;
  onFailure: (node: NodeAddress, error: unknown) => void;
}

/** Exact arithmetic of thousands of cycles takes a second, during which others are to be answered too. */
const standingsPerTurn = 10;

/**
 * Totals are sums of rounded lines, so they agree to the cent with GET /v1/charges of each. What cannot be read of a node is left
 * out and passed to `onFailure`, which may throw it.
 */
export async function readRevenue(
  source: PeriodSource,
  state: AccountState,
  standings: readonly Standing[],
  seen: ReadonlySet<PriceLevel>,
  { nowMs, isSeenOnRecord, onFailure }: RevenueReading,
): Promise<Revenue> {
  const sums = new Map<string, { level: PriceLevel; currency: string; fixed: typeof zero; overage: typeof zero }>();
  for (const [index, standing] of standings.entries()) {
    if (index % standingsPerTurn === standingsPerTurn - 1) await turn();
    const levels = priceLevels.slice(highestLevel(standing.node) - 1).filter((level) => seen.has(level));
    const charges = await chargesOfStanding(source, state, standing, levels, { nowMs, isSeenOnRecord }).catch(
      (error: unknown) => {
        onFailure(standing.node, error);
        return [];
      },
    );
    for (const { level, currency, lines } of charges) {
      const key = `${level} ${currency}`;
      const sum = sums.get(key) ?? { level, currency, fixed: zero, overage: zero };
      for (const { kind, amount } of lines) {
        if (kind === "fixed_fee") sum.fixed = plus(sum.fixed, exact(amount));
        else sum.overage = plus(sum.overage, exact(amount));
      }
      sums.set(key, sum);
    }
  }
  return [...sums.values()]
    .sort((a, b) => priceLevels.indexOf(a.level) - priceLevels.indexOf(b.level) || (a.currency < b.currency ? -1 : 1))
    .map(({ level, currency, fixed, overage }) => ({
      level,
      currency,
      fixed_fees: roundMoney(fixed, currency),
      overage: roundMoney(overage, currency),
      total: roundMoney(plus(fixed, overage), currency),
    }));
}

/** By what is measured already; a cycle of several parts, with a move in it, or one that begins in a trial, is measured part by part. */
async function chargesOfStanding(
  source: PeriodSource,
  state: AccountState,
  { node, subscription, cycle, segments, features }: Standing,
  levels: readonly PriceLevel[],
  { nowMs, isSeenOnRecord }: Pick<RevenueReading, "nowMs" | "isSeenOnRecord">,
): Promise<ChargesAtLevel[]> {
  if (levels.length === 0) return [];
  const charged = afterTrial(segments, subscription.trialEndsAt);
  const [only, ...more] = charged;
  if (!only) return [];
  const hasMoved = source.tree.pathsBetween(node, cycle.startMs, cycle.endMs).length > 1;
  if (hasMoved || more.length > 0 || segments.length > 1 || only.fromMs !== segments[0]?.fromMs)
    return (await readCharges(source, { node, cyclesAgo: 0, levels, isSeenOnRecord }, nowMs))?.levels ?? [];
  const used = features.map(({ feature, meter, used: amount }) => {
    return [feature.key, { meter: meter.meter, unit: meter.unit, isSum: isSumOverTime(meter.rule), amount }] as const;
  });
  const segment = { ...only, terms: termsOf(state.terms, only), used: new Map(used) };
  return chargesOf([segment], cycle, subscription.tz, levels);
}
