/** What was charged in closed statements: the billing report and the financial one. Pure; amounts are never added across currencies. */

import { roundMoney } from "../../billing/pricing.ts";
import type { Overview } from "../../contract/overview.ts";
import { paymentStatuses } from "../../contract/payment-status.ts";
import { priceLevels } from "../../contract/plans.ts";
import type { ReportCell, ReportSection } from "../../contract/reports.ts";
import type { StatementDetail, StatementLine } from "../../contract/statements.ts";
import { exact, plus, zero } from "../../numbers/exact.ts";
import { column, section } from "./section.ts";

export interface StatementsAnswers {
  /** The newest first, each as its route answers it. */
  statements: readonly StatementDetail[];
  /** The revenue of running cycles so far; null where the range does not reach into them. */
  running: NonNullable<Overview["revenue"]> | null;
  nameOf: (node: string) => string;
  /** Whether the node stands within the one that the report is about. */
  isWithin: (node: string) => boolean;
}

const money = (key: string, title: string) => column(key, title, "money");
const currency = column("currency", "Currency");

/** Sums by key, in the order in which keys came, of the amounts that are known; null where none is. */
class Sums {
  readonly #sums = new Map<
    string,
    { head: ReportCell[]; count: number; currency: string; parts: (typeof zero | null)[] }
  >();

  add(head: ReportCell[], currency: string, amounts: readonly (string | null)[]): void {
    const key = JSON.stringify([...head, currency]);
    const sum = this.#sums.get(key) ?? { head, count: 0, currency, parts: amounts.map(() => null) };
    this.#sums.set(key, sum);
    sum.count++;
    sum.parts = sum.parts.map((part, index) => {
      const amount = amounts[index] ?? null;
      return amount === null ? part : plus(part ?? zero, exact(amount));
    });
  }

  rows(): ReportCell[][] {
    return [...this.#sums.values()].map(({ head, count, currency, parts }) => [
      ...head,
      currency,
      count,
      ...parts.map((part) => part && roundMoney(part, currency)),
    ]);
  }
}

function amountOf(lines: readonly StatementLine[], kinds: readonly StatementLine["kind"][], currency: string): string {
  const found = lines.filter(({ kind }) => kinds.includes(kind));
  return roundMoney(
    found.reduce((sum, { amount }) => plus(sum, exact(amount)), zero),
    currency,
  );
}

/** Subscription, overage, adjustments, total: of what one level pays by a statement. */
function partsOf({ lines, total }: { lines: readonly StatementLine[]; total: string }, currency: string): string[] {
  const part = (...kinds: StatementLine["kind"][]) => amountOf(lines, kinds, currency);
  return [part("fixed_fee"), part("usage"), part("adjustment"), total];
}

const parts = [
  money("subscription", "Subscription"),
  money("overage", "Overage"),
  money("adjustments", "Adjustments"),
  money("total", "Total"),
];
const partKeys = parts.map(({ key }) => key);

/** Subscription revenue, overage charges, total revenue, payment status. A summary repeats what others say and adds nothing. */
export function billingSections({ statements, running }: StatementsAnswers): ReportSection[] {
  const charged = statements.filter(({ kind }) => kind !== "summary");
  const revenue = new Sums();
  for (const level of priceLevels)
    for (const one of charged)
      for (const charge of one.charges)
        if (charge.level === level) revenue.add([level], one.currency, partsOf(charge, one.currency));
  const payments = new Sums();
  for (const status of paymentStatuses)
    for (const one of charged) if (one.payment.status === status) payments.add([status], one.currency, [one.total]);
  const sections = [
    section(
      "revenue",
      "Revenue by payer",
      [column("level", "Payer"), currency, column("statements", "Statements", "integer"), ...parts],
      revenue.rows(),
    ),
    section(
      "payments",
      "Payment status",
      [
        column("payment_status", "Payment"),
        currency,
        column("statements", "Statements", "integer"),
        money("total", "Total"),
      ],
      payments.rows(),
      ["statements", "total"],
    ),
    statementsSection(statements),
  ];
  if (!running) return sections;
  const columns = [
    column("level", "Payer"),
    currency,
    money("subscription", "Subscription"),
    money("overage", "Overage"),
    money("total", "Total"),
  ];
  const rows = running.map((one): ReportCell[] => [one.level, one.currency, one.fixed_fees, one.overage, one.total]);
  return [...sections, section("running", "Current cycles, so far", columns, rows)];
}

function statementsSection(statements: readonly StatementDetail[]): ReportSection {
  const columns = [
    column("id", "Statement"),
    column("kind", "Kind"),
    column("node", "Node"),
    column("name", "Name"),
    column("from", "From", "instant"),
    column("to", "To", "instant"),
    currency,
    ...parts,
    money("income", "Income"),
    money("margin", "Margin"),
    money("adjusted_total", "Total with later changes"),
    column("payment_status", "Payment"),
    column("payment_at", "Since", "instant"),
  ];
  const rows = statements.map((one): ReportCell[] => {
    const own = one.charges.find(({ payer }) => payer === one.node);
    const [subscription = null, overage = null, adjustments = null] = own ? partsOf(own, one.currency) : [];
    return [
      one.id,
      one.kind,
      one.node,
      one.node_name,
      one.from,
      one.to,
      one.currency,
      subscription,
      overage,
      adjustments,
      one.total,
      one.income,
      one.margin,
      one.adjusted_total,
      one.payment.status,
      one.payment.at,
    ];
  });
  return section("statements", "Statements", columns, rows);
}

/**
 * By reseller and partner: what they pay (cost), what those below them pay (price), and what they keep of it (margin). Price and
 * margin are null where no price of those below is known.
 */
export function financialSections({ statements, nameOf, isWithin }: StatementsAnswers): ReportSection[] {
  const charged = statements.filter(({ kind }) => kind !== "summary");
  const sellers = new Sums();
  const organizations = new Sums();
  for (const one of charged)
    for (const { level, payer, lines, total, margin } of one.charges) {
      if (!isWithin(payer)) continue;
      const parts = partsOf({ lines, total }, one.currency);
      if (level === "organization") organizations.add([payer, nameOf(payer)], one.currency, parts);
      else {
        // Without a margin nobody below pays by a price that is known.
        const price = margin && roundMoney(plus(exact(total), exact(margin)), one.currency);
        sellers.add([level, payer, nameOf(payer)], one.currency, [total, price, margin, parts[2] ?? null]);
      }
    }
  const count = column("statements", "Statements", "integer");
  return [
    section(
      "sellers",
      "Resellers and partners",
      [
        column("kind", "Kind"),
        column("node", "Node"),
        column("name", "Name"),
        currency,
        count,
        money("cost", "Cost"),
        money("price", "Price"),
        money("margin", "Margin"),
        money("adjustments", "Adjustments"),
      ],
      sellers.rows(),
    ),
    section(
      "organizations",
      "Organizations",
      [column("node", "Node"), column("name", "Name"), currency, count, ...parts],
      organizations.rows(),
      ["statements", ...partKeys],
    ),
    statementsSection(statements.filter(({ kind }) => kind === "summary")),
  ];
}
