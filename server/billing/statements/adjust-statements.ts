/**
 * Finds out what events that came, were voided or amended after a statement was closed change of it. The statement stays as it
 * is; the difference is an adjustment, charged as lines of the node's next statement. That is what an accountant expects: an
 * invoice that was sent is never altered, and what it was wrong by is on the next one with the cycle it belongs to, so that
 * there is one amount to pay and nothing is paid or given back twice.
 *
 * The terms are those of the closed statement: only what was used is measured anew. Running it again changes nothing.
 */
import { and, asc, eq, gt, max } from "drizzle-orm";
import { z } from "zod";
import { canonicalJson, toPlainJson } from "../../audit/canonical-json.ts";
import { defineQuery } from "../../clickhouse/define-query.ts";
import { nodeAddress } from "../../contract/node-address.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import { newId } from "../../identity/actor.ts";
import { statementAdjustments, statementProgress, statements } from "../../postgres/schema/statements.ts";
import { readTerms } from "../plans.ts";
import { measureSegments } from "../read-charges.ts";
import type { StatementRow, StatementSource } from "./close-statements.ts";
import { adjustmentLines, payingLevels, planCharges, sumOfAmounts } from "./statement-charges.ts";

const lateUsage = defineQuery(
  "late_usage",
  z.object({ after: z.number(), settled: z.number(), before_ms: z.number() }),
  z.object({
    organization: z.string(),
    first_ms: z.coerce.number(),
    resellers: z.array(z.string()),
    partners: z.array(z.string()),
  }),
);

/** How many statements were measured anew. */
export async function adjustStatements(source: StatementSource, nowMs: number): Promise<number> {
  const { clickhouse, postgres } = source;
  const { db } = postgres;
  const settled = source.settledBatch();
  const [progress] = await db.select().from(statementProgress);
  const after = progress?.settledBatch ?? 0;
  if (settled <= after) return 0;
  const [last] = await db
    .select({ to: max(statements.partTo) })
    .from(statements)
    .where(eq(statements.kind, "subscription"));
  let count = 0;
  if (last?.to) {
    const late = await lateUsage(clickhouse, { after, settled, before_ms: last.to.getTime() });
    const earliest = new Map<NodeAddress, number>();
    const note = (node: NodeAddress, ms: number) => earliest.set(node, Math.min(ms, earliest.get(node) ?? ms));
    for (const { organization, first_ms, resellers, partners } of late) {
      note(nodeAddress("organization", organization), first_ms);
      for (const id of resellers) note(nodeAddress("reseller", id), first_ms);
      for (const id of partners) note(nodeAddress("partner", id), first_ms);
    }
    for (const [node, ms] of earliest) {
      const rows = await db
        .select()
        .from(statements)
        .where(and(eq(statements.node, node), eq(statements.kind, "subscription"), gt(statements.partTo, new Date(ms))))
        .orderBy(asc(statements.partTo));
      for (const row of rows) await adjustStatement(source, row, nowMs);
      count += rows.length;
    }
  }
  // Only now: what a crash left out is looked at again.
  const mark = { only: 1, settledBatch: settled };
  await db.insert(statementProgress).values(mark).onConflictDoUpdate({ target: statementProgress.only, set: mark });
  return count;
}

/** The one adjustment that no statement carries yet becomes what is known now; it goes where nothing differs any more. */
async function adjustStatement(source: StatementSource, row: StatementRow, nowMs: number): Promise<void> {
  const { postgres } = source;
  const { id, node, tz, path, currency, chargedSegments } = row;
  const terms = await readTerms(postgres.db, chargedSegments);
  const measured = await measureSegments(source, { node, tz }, chargedSegments, terms, nowMs);
  const cycle = { startMs: row.cycleStart.getTime(), endMs: row.cycleEnd.getTime() };
  const now = planCharges(measured, cycle, tz, path, currency);
  await postgres.transaction(async (tx) => {
    await tx.select({ id: statements.id }).from(statements).where(eq(statements.id, id)).for("update");
    const known = await tx
      .select()
      .from(statementAdjustments)
      .where(eq(statementAdjustments.statementId, id))
      .orderBy(asc(statementAdjustments.number))
      .for("update");
    const carried = known.filter(({ carriedBy }) => carriedBy !== null);
    const open = known.find(({ carriedBy }) => carriedBy === null);
    const charges = payingLevels(path).flatMap(({ level }) => {
      const own =
        row.charges.find((one) => one.level === level)?.lines.filter(({ kind }) => kind !== "adjustment") ?? [];
      const earlier = carried.flatMap((one) =>
        one.charges.filter((at) => at.level === level).flatMap(({ lines }) => lines),
      );
      const wanted = now.find((one) => one.level === level)?.lines ?? [];
      const lines = adjustmentLines(id, [...own, ...earlier], wanted, currency);
      const total = sumOfAmounts(
        lines.map(({ amount }) => amount),
        currency,
      );
      return lines.length === 0 ? [] : [{ level, lines, total }];
    });
    // Postgres keeps the keys of its JSON in an order of its own.
    if (canonicalJson(toPlainJson(open?.charges ?? [])) === canonicalJson(toPlainJson(charges))) return;
    if (charges.length === 0) {
      if (open) await tx.delete(statementAdjustments).where(eq(statementAdjustments.id, open.id));
      return;
    }
    const at = new Date(nowMs);
    if (open) await tx.update(statementAdjustments).set({ charges, at }).where(eq(statementAdjustments.id, open.id));
    else
      await tx
        .insert(statementAdjustments)
        .values({ id: newId("adj"), statementId: id, number: known.length + 1, at, charges });
  });
}
