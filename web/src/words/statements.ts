/** Statements in words. */
import type { PaymentStatus } from "@contract/payment-status.ts";
import type { Statement, StatementKind, StatementLine } from "@contract/statements.ts";
import { statementsTexts as t } from "../texts/en/statements.ts";
import { featureName, type MeterLookup } from "./features.ts";
import { formatExact, formatMoney } from "./format.ts";
import { formatEnd, formatStart } from "./zone-days.ts";

export const paymentTones: Record<PaymentStatus, "neutral" | "accent" | "good" | "warn" | "bad"> = {
  open: "accent",
  paid: "good",
  failed: "bad",
  void: "neutral",
  refunded: "warn",
};

export const kindNames: Record<StatementKind, string> = t.kinds;

/** `1 Mar 2026 through 31 Mar 2026`; a correction has no span of its own. */
export function periodText({
  kind,
  from,
  to,
  cycle,
  tz,
}: Pick<Statement, "kind" | "from" | "to" | "cycle" | "tz">): string {
  const [start, end] = kind === "correction" ? [cycle.start, cycle.end] : [from, to];
  return `${formatStart(start, tz)} ${formatEnd(end, tz)}`;
}

/**
 * A span by the clock that its instants were written with: on a summary each line is of a statement in a zone of its own.
 */
export function spanText({ from, to }: { from: string; to: string }): string {
  const clock = (instant: string) => `${instant.slice(0, 19)}Z`;
  return `${formatStart(clock(from), "UTC")} ${formatEnd(clock(to), "UTC")}`;
}

export function lineText(line: StatementLine, meterOf: MeterLookup): string {
  const { kind, feature, meter, tier, node } = line;
  if (kind === "statement") return node;
  if (feature === null) return t.fixedFee;
  return featureName({ key: feature, meter }, meterOf) + (tier === null ? "" : t.tier(tier));
}

/** `1,000 × €0.05`, with what is charged once; of a whole statement nothing. */
export function workingText({ kind, quantity, unit_price, flat_fee }: StatementLine, currency: string): string {
  if (kind === "statement") return "";
  const product = `${formatExact(quantity)} × ${formatMoney(unit_price, currency)}`;
  return Number(flat_fee) === 0 ? product : `${product} + ${formatMoney(flat_fee, currency)}`;
}

/** An amount that the caller may see; a dash where not. */
export function moneyText(amount: string | null, currency: string): string {
  return amount === null ? "–" : formatMoney(amount, currency);
}

/** `+€4.00`, `−€4.00`, `the same`. */
export function differenceText(difference: string, currency: string): string {
  if (Number(difference) === 0) return t.theSame;
  const isLess = difference.startsWith("-");
  return `${isLess ? "−" : "+"}${formatMoney(isLess ? difference.slice(1) : difference, currency)}`;
}
