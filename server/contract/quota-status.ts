/**
 * What a used share of a limit is called: the one rule that API, page, alert and report share. Under 50 % is `under`, from
 * there `moderate`, from 80 % `high`, from 95 % `over`. Compared exactly: 79.999999999 of 100 is `moderate`.
 */
export const quotaStatuses = ["under", "moderate", "high", "over"] as const;
export type QuotaStatus = (typeof quotaStatuses)[number];

/** From which percent of the limit on; the highest first. */
const edges: readonly (readonly [percent: bigint, status: QuotaStatus])[] = [
  [95n, "over"],
  [80n, "high"],
  [50n, "moderate"],
];

/** Of decimals of 0 or more. Of a limit of 0 nothing used is `under`, anything is `over`. */
export function quotaStatus(used: string | number, limit: string | number): QuotaStatus {
  const [amount, bound] = [unitsOf(used), unitsOf(limit)];
  if (amount <= 0n) return "under";
  return edges.find(([percent]) => amount * 100n >= bound * percent)?.[1] ?? "under";
}

/**
 * Whether more would lie within the limit. Of a limit of 0 nothing is included: it is not reached before anything is used,
 * as its status says, and yet leaves nothing to use.
 */
export function limitState(used: string | number, limit: string | number): "within" | "nothing_included" | "reached" {
  const [amount, bound] = [unitsOf(used), unitsOf(limit)];
  if (amount <= 0n) return bound <= 0n ? "nothing_included" : "within";
  return amount < bound ? "within" : "reached";
}

/** Whether `used` is at or above so many percent of the limit; of a limit of 0 anything used is. */
export function hasReached(used: string | number, limit: string | number, percent: string | number): boolean {
  const amount = unitsOf(used);
  return amount > 0n && amount * 100n * one >= unitsOf(limit) * unitsOf(percent);
}

/** used / limit in percent, a decimal string rounded down to 2 decimals, so that only what is 100 % says so; null of a limit of 0. */
export function percentUsed(used: string | number, limit: string | number): string | null {
  const bound = unitsOf(limit);
  if (bound <= 0n) return null;
  const hundredths = (unitsOf(used) * 10_000n) / bound;
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")}`;
}

/** Amounts have up to 9 decimals, a number as String() writes it up to 20 digits before an exponent. */
const decimals = 20;
const one = 10n ** BigInt(decimals);

function unitsOf(decimal: string | number): bigint {
  const [mantissa = "0", exponent = "0"] = String(decimal).split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  const places = decimals + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  return places >= 0 ? digits * 10n ** BigInt(places) : digits / 10n ** BigInt(-places);
}
