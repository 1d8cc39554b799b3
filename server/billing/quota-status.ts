/**
 * What a used share of a limit is called: the one rule that API, page, alert and report share. Under 50 % is `under`, from
 * there `moderate`, from 80 % `high`, from 95 % `over`. Compared exactly: 79.999999999 of 100 is `moderate`.
 */
import type { QuotaStatus } from "../contract/quota-status.ts";
import { compare, type Exact, exact, over, ratio, times, truncate, zero } from "../numbers/exact.ts";

/** From which percent of the limit on; the highest first. */
const edges: readonly (readonly [share: Exact, status: QuotaStatus])[] = [
  [ratio(95, 100), "over"],
  [ratio(80, 100), "high"],
  [ratio(50, 100), "moderate"],
];
const hundred = ratio(100, 1);

const isAtLeast = (a: Exact, b: Exact) => compare(a, b) >= 0;
const isAbove = (a: Exact, b: Exact) => compare(a, b) > 0;

/** Both are decimals of 0 or more. With a limit of 0, nothing used is `under` and anything used is `over`. */
export function quotaStatus(used: string | number, limit: string | number): QuotaStatus {
  const [amount, bound] = [exact(used), exact(limit)];
  if (!isAbove(amount, zero)) return "under";
  return edges.find(([share]) => isAtLeast(amount, times(bound, share)))?.[1] ?? "under";
}

/**
 * Whether more would lie within the limit. A limit of 0 includes nothing: it is not reached before anything is used,
 * as its status says, and yet leaves nothing to use.
 */
export function limitState(used: string | number, limit: string | number): "within" | "nothing_included" | "reached" {
  const [amount, bound] = [exact(used), exact(limit)];
  if (!isAbove(amount, zero)) return isAbove(bound, zero) ? "within" : "nothing_included";
  return isAtLeast(amount, bound) ? "reached" : "within";
}

/** Whether `used` is at or above this percentage of the limit; any use is, where the limit is 0. */
export function hasReached(used: string | number, limit: string | number, percent: string | number): boolean {
  const amount = exact(used);
  return isAbove(amount, zero) && isAtLeast(times(amount, hundred), times(exact(limit), exact(percent)));
}

/**
 * used / limit in percent, a decimal string rounded down to 2 decimals, so that 100 is never shown before all of it is used; null
 * where the limit is 0.
 */
export function percentUsed(used: string | number, limit: string | number): string | null {
  const bound = exact(limit);
  return isAbove(bound, zero) ? truncate(times(over(exact(used), bound), hundred), 2) : null;
}
