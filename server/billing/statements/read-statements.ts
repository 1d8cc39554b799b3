/** Statements as callers see them: with the amounts of those levels only that the caller may see. */
import { and, arrayContains, arrayOverlaps, asc, desc, eq, gt, gte, inArray, lt, lte, or, type SQL } from "drizzle-orm";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { PaymentStatus } from "../../contract/payment-status.ts";
import { priceLevels } from "../../contract/plans.ts";
import type { Payment, Statement, StatementDetail, StatementKind } from "../../contract/statements.ts";
import type { Actor } from "../../identity/actor.ts";
import { formatInstant } from "../../metrics/windows.ts";
import type { Queries } from "../../postgres/client.ts";
import { plans } from "../../postgres/schema/plans.ts";
import { statementAdjustments, statementPayments, statements } from "../../postgres/schema/statements.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { highestLevel, visibleLevelsOnRecord } from "../price-visibility.ts";
import type { StatementRow } from "./close-statements.ts";
import { sumOfAmounts } from "./statement-charges.ts";

export interface StatementFilter {
  /** The nodes that the caller reads; a statement is theirs where its node stood at or below one of them, so none without any. */
  reach: readonly NodeAddress[];
  node: NodeAddress | undefined;
  kind: StatementKind | undefined;
  status: PaymentStatus | undefined;
  /** Bounds for the end of the part, ms since 1970, UTC; `toMs` exclusive. */
  fromMs: number | undefined;
  toMs: number | undefined;
  /** An instant that the cycle holds. */
  cycleMs: number | undefined;
  /** Only what stands behind this one in the list. */
  after: { toMs: number; id: string } | undefined;
  limit: number;
}

/** The newest first: by the end of the part, then by id. */
export async function listStatements(db: Queries, filter: StatementFilter): Promise<StatementRow[]> {
  const { reach, node, kind, status, fromMs, toMs, cycleMs, after, limit } = filter;
  if (reach.length === 0) return [];
  const at = (ms: number | undefined) => new Date(ms ?? 0);
  const conditions: (SQL | undefined)[] = [
    reach.includes("all") ? undefined : arrayOverlaps(statements.path, [...reach]),
    node === undefined || node === "all" ? undefined : arrayContains(statements.path, [node]),
    kind && eq(statements.kind, kind),
    status && eq(statements.paymentStatus, status),
    fromMs === undefined ? undefined : gte(statements.partTo, at(fromMs)),
    toMs === undefined ? undefined : lt(statements.partTo, at(toMs)),
    cycleMs === undefined
      ? undefined
      : and(lte(statements.cycleStart, at(cycleMs)), gt(statements.cycleEnd, at(cycleMs))),
    after &&
      or(
        lt(statements.partTo, at(after.toMs)),
        and(eq(statements.partTo, at(after.toMs)), lt(statements.id, after.id)),
      ),
  ];
  return await db
    .select()
    .from(statements)
    .where(and(...conditions))
    .orderBy(desc(statements.partTo), desc(statements.id))
    .limit(limit);
}

export async function readStatement(db: Queries, id: string): Promise<StatementRow | undefined> {
  const [row] = await db.select().from(statements).where(eq(statements.id, id));
  return row;
}

/** Where nodes have their names from. */
type Names = Pick<NodeTree, "get">;

/** In the order of the rows. */
export async function describeStatements(
  db: Queries,
  tree: Names,
  actor: Pick<Actor, "grants">,
  rows: readonly StatementRow[],
): Promise<Statement[]> {
  if (rows.length === 0) return [];
  const [names, adjustments] = await Promise.all([
    planNames(db, rows),
    db
      .select({ statement: statementAdjustments.statementId, charges: statementAdjustments.charges })
      .from(statementAdjustments)
      .where(
        inArray(
          statementAdjustments.statementId,
          rows.map(({ id }) => id),
        ),
      ),
  ]);
  return rows.map((row) => {
    const own = adjustments.filter(({ statement }) => statement === row.id);
    return describe(row, tree, actor, names, own);
  });
}

export async function describeStatement(
  db: Queries,
  tree: Names,
  actor: Pick<Actor, "grants">,
  row: StatementRow,
): Promise<StatementDetail> {
  const seen = visibleLevelsOnRecord(actor, row);
  const isSeen = seen.size > 0;
  const [names, adjustments, payments] = await Promise.all([
    planNames(db, [row]),
    db
      .select()
      .from(statementAdjustments)
      .where(eq(statementAdjustments.statementId, row.id))
      .orderBy(asc(statementAdjustments.number)),
    isSeen
      ? db
          .select()
          .from(statementPayments)
          .where(eq(statementPayments.statementId, row.id))
          .orderBy(desc(statementPayments.recordedAt), desc(statementPayments.id))
      : [],
  ]);
  return {
    ...describe(row, tree, actor, names, adjustments),
    usage: row.usage,
    charges: row.charges.filter(({ level }) => seen.has(level)),
    income_lines: isSeen ? (row.income ?? []) : [],
    adjustments: isSeen
      ? adjustments.map((one) => ({
          id: one.id,
          at: one.at.toISOString(),
          carried_by: one.carriedBy,
          charges: one.charges.filter(({ level }) => seen.has(level)),
        }))
      : [],
    payments: payments.map(describePayment),
  };
}

function describePayment(row: typeof statementPayments.$inferSelect): Payment {
  const { status, at, reason, reference, actorName } = row;
  return { status, at: at.toISOString(), reason, reference, by: actorName };
}

function describe(
  row: StatementRow,
  tree: Names,
  actor: Pick<Actor, "grants">,
  names: ReadonlyMap<string, string>,
  adjustments: readonly Pick<typeof statementAdjustments.$inferSelect, "charges">[],
): Statement {
  const { tz, currency, node } = row;
  const instant = (ms: number) => formatInstant(ms, tz);
  const isSeen = visibleLevelsOnRecord(actor, row).size > 0;
  const above = row.claimant === null ? [] : row.path.slice(row.path.indexOf(row.claimant));
  const isSummarySeen = actor.grants.some((grant) => grant.actions.has("read") && above.includes(grant.node));
  const ownLevel = row.charges.find(({ payer }) => payer === node)?.level ?? priceLevels[highestLevel(node) - 1];
  const changes = adjustments.flatMap(({ charges }) =>
    charges.filter(({ level }) => level === ownLevel).map(({ total }) => total),
  );
  const margin = row.incomeTotal === null ? null : sumOfAmounts([row.incomeTotal, negated(row.total)], currency);
  return {
    id: row.id,
    kind: row.kind,
    node,
    node_name: tree.get(node)?.name ?? node,
    parent: row.path[1] ?? "all",
    currency,
    subscription: row.subscriptionId === "" ? null : row.subscriptionId,
    cycle: { start: instant(row.cycleStart.getTime()), end: instant(row.cycleEnd.getTime()) },
    from: instant(row.partFrom.getTime()),
    to: instant(row.partTo.getTime()),
    tz,
    closed_at: row.closedAt.toISOString(),
    plans: row.segments.map(({ planId, version, fromMs, toMs }) => ({
      plan: planId,
      version,
      name: names.get(planId) ?? planId,
      from: instant(fromMs),
      to: instant(toMs),
    })),
    total: isSeen ? row.total : null,
    income: isSeen ? row.incomeTotal : null,
    margin: isSeen ? margin : null,
    adjusted_total: isSeen ? sumOfAmounts([row.total, ...changes], currency) : null,
    payment: { status: row.paymentStatus, at: row.paymentAt.toISOString() },
    summary: isSummarySeen ? row.summaryId : null,
  };
}

const negated = (decimal: string) => (decimal.startsWith("-") ? decimal.slice(1) : `-${decimal}`);

async function planNames(db: Queries, rows: readonly StatementRow[]): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(rows.flatMap(({ segments }) => segments.map(({ planId }) => planId)))];
  if (ids.length === 0) return new Map();
  const found = await db.select({ id: plans.id, name: plans.name }).from(plans).where(inArray(plans.id, ids));
  return new Map(found.map(({ id, name }) => [id, name]));
}
