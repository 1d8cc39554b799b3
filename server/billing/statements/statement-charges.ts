/**
 * The charges of statements: of a node's own plan, of adjustments, and of summaries. Every total is the sum of its rounded
 * lines, so a summary equals the statements that it is made of to the last minor unit. Amounts of two currencies never meet:
 * a statement has one.
 */

import { decimalsOf } from "../../contract/currencies.ts";
import { parseNode } from "../../contract/node-address.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import { type PriceLevel, priceLevels } from "../../contract/plans.ts";
import type { StatementCharges, StatementLine } from "../../contract/statements.ts";
import { exact, isZero, minus, plus, roundHalfEven, zero } from "../../numbers/exact.ts";
import { trimDecimal } from "../../numbers/figures.ts";
import type { Cycle } from "../billing-cycle.ts";
import { type ChargedSegment, chargesOf } from "../charges.ts";
import { highestLevel } from "../price-visibility.ts";
import { roundMoney } from "../pricing.ts";

/** A level at which somebody on the way up from a node pays. */
export interface PayingLevel {
  level: PriceLevel;
  payer: NodeAddress;
}

/** Who pays the charges of `path[0]`: itself and those above it, without the levels that its path skips. */
export function payingLevels(path: readonly NodeAddress[]): PayingLevel[] {
  const [node] = path;
  if (node === undefined) return [];
  return priceLevels.slice(highestLevel(node) - 1).flatMap((level) => {
    const payer = path.find((one) => parseNode(one).kind === level);
    return payer === undefined ? [] : [{ level, payer }];
  });
}

/** A decimal string in the currency's minor unit. */
export function sumOfAmounts(amounts: readonly string[], currency: string): string {
  return roundMoney(
    amounts.reduce((sum, amount) => plus(sum, exact(amount)), zero),
    currency,
  );
}

/** What a node's own plan costs in a part of a cycle, in one currency; nothing at levels without any price. */
export function planCharges(
  segments: readonly ChargedSegment[],
  cycle: Cycle,
  tz: string,
  path: readonly NodeAddress[],
  currency: string,
): StatementCharges[] {
  const levels = payingLevels(path);
  const own = segments.filter(({ terms }) => terms.currency === currency);
  const charged = chargesOf(
    own,
    cycle,
    tz,
    levels.map(({ level }) => level),
  );
  return levels.flatMap(({ level, payer }): StatementCharges[] => {
    const found = charged.find((one) => one.level === level);
    if (!found) return [];
    const lines = found.lines.map((line): StatementLine => ({ ...line, node: path[0] ?? "", statement: null }));
    return [{ level, payer, lines, total: found.total, margin: found.margin }];
  });
}

/** The same with further lines at each level; `income`: what those below the first level pay, null where nobody does. */
export function chargesWithLines(
  levels: readonly PayingLevel[],
  linesAt: ReadonlyMap<PriceLevel, readonly StatementLine[]>,
  income: string | null,
  currency: string,
): StatementCharges[] {
  let below = income;
  return levels.flatMap(({ level, payer }): StatementCharges[] => {
    const lines = linesAt.get(level);
    const belowTotal = below;
    below = null;
    if (!lines) return [];
    const total = sumOfAmounts(
      lines.map(({ amount }) => amount),
      currency,
    );
    below = total;
    const margin = belowTotal === null ? null : roundMoney(minus(exact(belowTotal), exact(total)), currency);
    return [{ level, payer, lines: [...lines], total, margin }];
  });
}

/** What is known of a line that a statement and its adjustments have in common. */
type LineKey = Pick<StatementLine, "feature" | "meter" | "plan" | "version" | "from" | "to" | "tier">;
const keyOf = ({ feature, plan, version, from, to, tier }: LineKey) =>
  JSON.stringify([feature, plan, version, from, to, tier]);

/**
 * Lines that bring what was charged (a statement's own lines and the adjustments of it that others carry) to what `now` says;
 * nothing where no amount differs. A volume price that falls into another tier is one line back and one line on.
 */
export function adjustmentLines(
  statement: string,
  charged: readonly StatementLine[],
  now: readonly StatementLine[],
  currency: string,
): StatementLine[] {
  const sums = new Map<string, { line: StatementLine; quantity: string[]; flatFee: string[]; amount: string[] }>();
  const add = (line: StatementLine, sign: "" | "-") => {
    const key = keyOf(line);
    const held = sums.get(key) ?? { line, quantity: [], flatFee: [], amount: [] };
    sums.set(key, held);
    if (sign === "") held.line = line;
    held.quantity.push(signed(line.quantity, sign));
    held.flatFee.push(signed(line.flat_fee, sign));
    held.amount.push(signed(line.amount, sign));
  };
  for (const line of charged) add(line, "-");
  for (const line of now) add(line, "");
  return [...sums.values()].flatMap(({ line, quantity, flatFee, amount }): StatementLine[] => {
    const total = sumOfAmounts(amount, currency);
    if (isZero(exact(total))) return [];
    const added = (texts: string[], decimals: number) =>
      trimDecimal(
        roundHalfEven(
          texts.reduce((sum, text) => plus(sum, exact(text)), zero),
          decimals,
        ),
      );
    return [
      {
        ...line,
        kind: "adjustment",
        statement,
        quantity: added(quantity, 9),
        flat_fee: added(flatFee, Math.max(12, decimalsOf(currency))),
        amount: total,
      },
    ];
  });
}

const signed = (decimal: string, sign: "" | "-") =>
  sign === "" ? decimal : decimal.startsWith("-") ? decimal.slice(1) : `-${decimal}`;
