/** What was charged for a part of a cycle, at each level and in each currency. */
import { and, eq, inArray } from "drizzle-orm";
import { type PriceLevel, priceLevels } from "../../contract/plans.ts";
import { statementAdjustments, statements } from "../../postgres/schema/statements.ts";
import type { SubscriptionRecord } from "../billing-cycle.ts";
import { afterTrial, chargesOf } from "../charges.ts";
import { readTerms } from "../plans.ts";
import { measureSegments } from "../read-charges.ts";
import type { StatementSource } from "./close-statements.ts";
import type { DuePart } from "./due-parts.ts";
import { sumOfAmounts } from "./statement-charges.ts";

export interface Charged {
  /** The closed statement with its adjustments; where it is not closed yet, what is known now. */
  basis: "statement" | "computed";
  charges: { level: PriceLevel; currency: string; charged: string }[];
}

export async function chargedFor(
  source: Omit<StatementSource, "settledBatch" | "log">,
  subscription: SubscriptionRecord,
  { cycle, fromMs, segments }: DuePart,
  nowMs: number,
): Promise<Charged> {
  const { db } = source.postgres;
  const rows = await db
    .select()
    .from(statements)
    .where(and(eq(statements.subscriptionId, subscription.id), eq(statements.partFrom, new Date(fromMs))));
  if (rows.length === 0) {
    const terms = await readTerms(db, subscription.history);
    const charged = afterTrial(segments, subscription.trialEndsAt);
    const measured = await measureSegments(source, subscription, charged, terms, nowMs);
    const levels = chargesOf(measured, cycle, subscription.tz, priceLevels);
    const charges = levels.map(({ level, currency, total }) => ({ level, currency, charged: total }));
    return { basis: "computed", charges };
  }
  const adjustments = await db
    .select()
    .from(statementAdjustments)
    .where(
      inArray(
        statementAdjustments.statementId,
        rows.map(({ id }) => id),
      ),
    );
  const charges = rows.flatMap(({ id, currency, charges: frozen }) =>
    priceLevels.flatMap((level) => {
      const own = frozen.filter((one) => one.level === level).flatMap(({ lines }) => lines);
      const later = adjustments
        .filter(({ statementId }) => statementId === id)
        .flatMap((one) => one.charges.filter((at) => at.level === level).flatMap(({ lines }) => lines));
      // What it carries of other statements is charged for their cycles.
      const lines = [...own.filter(({ kind }) => kind !== "adjustment"), ...later];
      if (lines.length === 0) return [];
      const charged = sumOfAmounts(
        lines.map(({ amount }) => amount),
        currency,
      );
      return [{ level, currency, charged }];
    }),
  );
  return { basis: "statement", charges };
}
