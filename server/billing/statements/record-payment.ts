/** The payment of a statement. It happens elsewhere: here its status is kept, with every message about it. */
import { desc, eq, sql } from "drizzle-orm";
import { type Author, recordChange } from "../../audit/record-change.ts";
import { nextPaymentStatuses, type PaymentStatus } from "../../contract/payment-status.ts";
import { newId } from "../../identity/actor.ts";
import type { Postgres } from "../../postgres/client.ts";
import { statementPayments, statements } from "../../postgres/schema/statements.ts";
import { ProblemError } from "../../problem.ts";
import type { StatementRow } from "./close-statements.ts";

export interface PaymentToRecord {
  statement: string;
  status: PaymentStatus;
  at: Date;
  reason: string | null;
  reference: string | null;
  /** The id of a provider's message, which is taken once; null for what a person or a program sends by the API. */
  messageId: string | null;
}

/** No payment happens after its message was sent, so a time in the future is refused: it would hold off all that follows. */
const happened = sql`least(${statementPayments.at}, ${statementPayments.recordedAt})`;
const earlier = (one: Date, other: Date) => (one < other ? one : other);

/** What an `ETag` of a statement is made of: nothing else of it changes. */
export function paymentState({ id, paymentStatus, paymentAt }: StatementRow): object {
  return { id, status: paymentStatus, at: paymentAt };
}

/**
 * The statement as it is then. A provider's message about an earlier time than what is known is kept, and changes
 * nothing: messages come in any order. Throws `not_found`, `conflict` where this cannot follow the status before.
 */
export async function recordPayment(
  postgres: Postgres,
  { statement: id, messageId, ...said }: PaymentToRecord,
  { by, check, nowMs }: { by: Author; check: (row: StatementRow) => void; nowMs: number },
): Promise<{ row: StatementRow; isDuplicate: boolean }> {
  return await postgres.transaction(async (tx) => {
    const [row] = await tx.select().from(statements).where(eq(statements.id, id)).for("update");
    if (!row) throw new ProblemError("not_found", "there is no such statement", { field: "statement" });
    check(row);
    if (messageId !== null) {
      const [taken] = await tx.select().from(statementPayments).where(eq(statementPayments.messageId, messageId));
      if (taken) return { row, isDuplicate: true };
    }
    if (row.claimant === row.node)
      throw new ProblemError("conflict", `this statement is paid with the summary of ${row.node} that it is part of`);
    const [last] = await tx
      .select()
      .from(statementPayments)
      .where(eq(statementPayments.statementId, id))
      .orderBy(desc(happened))
      .limit(1);
    const isOlder = messageId !== null && last !== undefined && said.at < earlier(last.at, last.recordedAt);
    const { status } = said;
    if (!isOlder && status !== row.paymentStatus && !nextPaymentStatuses[row.paymentStatus].includes(status))
      throw new ProblemError("conflict", `a payment that is ${row.paymentStatus} cannot become ${status}`, {
        field: "status",
      });
    const recorded = { ...said, id: newId("pay"), statementId: id, messageId };
    await tx.insert(statementPayments).values({ ...recorded, actorName: by.name, recordedAt: new Date(nowMs) });
    if (isOlder) return { row, isDuplicate: false };
    const after = { ...row, paymentStatus: status, paymentAt: said.at };
    await tx.update(statements).set({ paymentStatus: status, paymentAt: said.at }).where(eq(statements.id, id));
    const { reason, reference } = said;
    await recordChange(tx, {
      by,
      // Who is paid: a node that has moved since is another's now.
      node: row.path[1] ?? row.node,
      alsoOf: row.path,
      action: "statement.payment_set",
      subject: id,
      before: { status: row.paymentStatus, at: row.paymentAt },
      after: { status, at: said.at, reason, reference },
    });
    return { row: after, isDuplicate: false };
  });
}
