/**
 * The summary of a reseller or partner: at each level a line for every statement below it and for its own, so that it equals
 * their sum to the last minor unit. It is of one currency and of one place in the tree, as the statements in it are.
 */

import { parseNode } from "../../contract/node-address.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { PriceLevel } from "../../contract/plans.ts";
import type { StatementCharges, StatementKind, StatementLine } from "../../contract/statements.ts";
import { chargesWithLines, payingLevels, sumOfAmounts } from "./statement-charges.ts";

/** A statement as a summary takes it in. */
export interface Summed {
  id: string;
  kind: StatementKind;
  node: NodeAddress;
  /** What it comes to at its own level. */
  total: string;
  from: string;
  to: string;
  charges: readonly StatementCharges[];
}

export interface Summary {
  charges: StatementCharges[];
  /** What those right below pay; null where all of it is the node's own. */
  income: StatementLine[] | null;
  incomeTotal: string | null;
  total: string;
}

/** `path` is that of the node that the summary is of, nearest first. */
export function summarize(statements: readonly Summed[], path: readonly NodeAddress[], currency: string): Summary {
  const [node = ""] = path;
  const levels = payingLevels(path);
  const linesAt = new Map<PriceLevel, StatementLine[]>();
  for (const { level } of levels) {
    const lines = statements.flatMap((one) => {
      const charged = one.charges.find((charges) => charges.level === level);
      return charged ? [lineOf(one, charged.total)] : [];
    });
    if (lines.length > 0) linesAt.set(level, lines);
  }
  const below = statements.filter((one) => one.node !== node);
  const income = below.length === 0 ? null : below.map((one) => lineOf(one, one.total));
  const incomeTotal =
    income &&
    sumOfAmounts(
      income.map(({ amount }) => amount),
      currency,
    );
  const charges = chargesWithLines(levels, linesAt, incomeTotal, currency);
  return { charges, income, incomeTotal, total: ownTotal(charges, node, currency) };
}

/** What a node itself pays by these charges; 0 where no price says so. */
export function ownTotal(charges: readonly StatementCharges[], node: NodeAddress, currency: string): string {
  return charges.find(({ payer }) => payer === node)?.total ?? sumOfAmounts([], currency);
}

/** Which node sums a statement up: the reseller or partner right above, or the node itself for its own plan; null for none. */
export function claimantOf(kind: StatementKind, path: readonly NodeAddress[]): NodeAddress | null {
  const [node, parent] = path;
  if (node !== undefined && kind !== "summary" && parseNode(node).kind !== "organization") return node;
  return parent === undefined || parent === "all" ? null : parent;
}

function lineOf({ id, node, from, to }: Summed, amount: string): StatementLine {
  const none = { feature: null, meter: null, plan: null, version: null, tier: null };
  return {
    ...none,
    kind: "statement",
    node,
    statement: id,
    from,
    to,
    quantity: "1",
    unit_price: amount,
    flat_fee: "0",
    amount,
  };
}
