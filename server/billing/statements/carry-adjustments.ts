/** How adjustments of closed statements get onto the next one of the same node, place and currency. */
import { and, asc, eq, isNull } from "drizzle-orm";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { PriceLevel } from "../../contract/plans.ts";
import type { StatementLine } from "../../contract/statements.ts";
import type { Queries } from "../../postgres/client.ts";
import { statementAdjustments, statements } from "../../postgres/schema/statements.ts";
import { chargesWithLines, payingLevels } from "./statement-charges.ts";
import { ownTotal } from "./summarize.ts";

type NewStatement = typeof statements.$inferInsert;
type Adjustment = typeof statementAdjustments.$inferSelect;

/** Those that no statement carries yet, the oldest first, locked: they are not computed anew meanwhile. */
export async function openAdjustments(
  tx: Queries,
  { node, path, currency }: { node: NodeAddress; path: NodeAddress[]; currency: string },
): Promise<Adjustment[]> {
  const rows = await tx
    .select({ adjustment: statementAdjustments })
    .from(statementAdjustments)
    .innerJoin(statements, eq(statements.id, statementAdjustments.statementId))
    .where(
      and(
        isNull(statementAdjustments.carriedBy),
        eq(statements.node, node),
        eq(statements.currency, currency),
        eq(statements.path, path),
      ),
    )
    .orderBy(asc(statements.partTo), asc(statementAdjustments.id))
    .for("update");
  return rows.map(({ adjustment }) => adjustment);
}

/** The statement with the lines of these adjustments behind its own. */
export function carryAdjustments(row: NewStatement, adjustments: readonly Adjustment[]): NewStatement {
  if (adjustments.length === 0) return row;
  const linesAt = new Map<PriceLevel, StatementLine[]>(row.charges.map(({ level, lines }) => [level, [...lines]]));
  for (const { charges } of adjustments)
    for (const { level, lines } of charges) linesAt.set(level, [...(linesAt.get(level) ?? []), ...lines]);
  const charges = chargesWithLines(payingLevels(row.path), linesAt, null, row.currency);
  return { ...row, charges, total: ownTotal(charges, row.node, row.currency) };
}
