/** What would have been reported of customers and their bills, by what was recorded when it happened. */
import { and, arrayContains, asc, gte, inArray, lt } from "drizzle-orm";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { PaymentStatus } from "../contract/payment-status.ts";
import { type ConditionOf, previewLimits } from "../contract/rules.ts";
import type { Postgres } from "../postgres/client.ts";
import { statementPayments, statements } from "../postgres/schema/statements.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { TooManyReadingsError, type Would, wouldOf } from "./preview-entry.ts";
import { changesSince, creationOf, explanationOf, paymentTermMs, unpaid } from "./read-customer-events.ts";

export interface CustomersSource {
  postgres: Pick<Postgres, "db">;
  tree: Pick<NodeTree, "get" | "organizationsEverBelow" | "pathsBetween" | "isWithin">;
}

/** ms since 1970, UTC, half-open. */
interface Span {
  fromMs: number;
  toMs: number;
}

/** What is nearing is left out: what was known of it then, before later edits, is not kept in a form to evaluate. */
export const isTold = (condition: ConditionOf<"customers" | "billing">): boolean =>
  condition.kind === "customers"
    ? !condition.on.includes("trial_ending")
    : !condition.on.includes("subscription_expiring");

const most = previewLimits.maxReadings;

/** Of the node and all that stood below it at the time. Throws TooManyReadingsError. */
export async function previewCustomers(
  { postgres, tree }: CustomersSource,
  { on }: ConditionOf<"customers">,
  node: NodeAddress,
  span: Span,
): Promise<Would[]> {
  const asked = new Set<string>(on);
  const created = asked.has("organization_created") ? createdBelow(tree, node, span) : [];
  const changes = await changesSince(postgres, asked, { top: node, ...span, most: most + 1 });
  if (created.length + changes.length > most) throw new TooManyReadingsError(`more than ${most} changes below ${node}`);
  const changed = changes.map((one) => {
    return wouldOf({ node: one.node, explanation: explanationOf(one) }, one.at.getTime());
  });
  return inOrder([...created, ...changed]);
}

function createdBelow(tree: CustomersSource["tree"], top: NodeAddress, { fromMs, toMs }: Span): Would[] {
  return tree.organizationsEverBelow(top).flatMap((id): Would[] => {
    const node = nodeAddress("organization", id);
    const found = tree.get(node);
    const atMs = found?.createdAt.getTime();
    if (!found || atMs === undefined || atMs < fromMs || atMs >= toMs) return [];
    const stood = tree.pathsBetween(node, atMs, atMs + 1).some(({ path }) => path.includes(top));
    // What it is called elsewhere now is nobody's business here.
    const name = tree.isWithin(node, top) ? found.name : id;
    return stood ? [wouldOf({ node, explanation: creationOf(name) }, atMs)] : [];
  });
}

type Statement = typeof statements.$inferSelect;
type Payment = typeof statementPayments.$inferSelect;

/** Of statements that were closed below the node. Throws TooManyReadingsError. */
export async function previewBilling(
  { postgres: { db } }: CustomersSource,
  { on }: ConditionOf<"billing">,
  node: NodeAddress,
  span: Span,
): Promise<Would[]> {
  const isWithin = node === "all" ? undefined : arrayContains(statements.path, [node]);
  const isRecorded = and(
    gte(statementPayments.recordedAt, new Date(span.fromMs)),
    lt(statementPayments.recordedAt, new Date(span.toMs)),
  );
  const touched = db.select({ id: statementPayments.statementId }).from(statementPayments).where(isRecorded);
  const isDue = and(
    gte(statements.closedAt, new Date(span.fromMs - paymentTermMs)),
    lt(statements.closedAt, new Date(span.toMs - paymentTermMs)),
  );
  const found = new Map<string, Statement>();
  for (const which of [isDue, inArray(statements.id, touched)])
    for (const row of await db
      .select()
      .from(statements)
      .where(and(isWithin, which))
      .orderBy(asc(statements.id))
      .limit(most + 1))
      found.set(row.id, row);
  if (found.size > most) throw new TooManyReadingsError(`more than ${most} statements below ${node}`);
  const payments = new Map<string, Payment[]>([...found.keys()].map((id) => [id, []]));
  for (const one of await db
    .select()
    .from(statementPayments)
    .where(inArray(statementPayments.statementId, [...found.keys()]))
    .orderBy(asc(statementPayments.recordedAt), asc(statementPayments.id)))
    payments.get(one.statementId)?.push(one);
  const would = [...found.values()].flatMap((row) => {
    const turns = turnsOf(row, payments.get(row.id) ?? []);
    return [
      ...(on.includes("payment_failed") ? failedIn(row, turns) : []),
      ...(on.includes("payment_overdue") ? overdueIn(row, turns) : []),
    ];
  });
  return inOrder(would.filter(({ at }) => Date.parse(at) >= span.fromMs && Date.parse(at) < span.toMs));
}

/** What was known of a statement's payment, half-open, ms since 1970, UTC. */
interface Turn extends Span {
  status: PaymentStatus;
}

/** In order: a provider's message about an earlier time than what is known changes nothing. */
function turnsOf({ closedAt }: Statement, payments: readonly Payment[]): Turn[] {
  const turns: Turn[] = [{ status: "open", fromMs: closedAt.getTime(), toMs: Number.POSITIVE_INFINITY }];
  let knownMs = Number.NEGATIVE_INFINITY;
  for (const { status, at, recordedAt, messageId } of payments) {
    const fromMs = recordedAt.getTime();
    if (messageId !== null && at.getTime() < knownMs) continue;
    knownMs = Math.max(knownMs, Math.min(at.getTime(), fromMs));
    const last = turns.at(-1);
    if (last) last.toMs = fromMs;
    turns.push({ status, fromMs, toMs: Number.POSITIVE_INFINITY });
  }
  return turns;
}

const failedIn = (row: Statement, turns: readonly Turn[]): Would[] =>
  turns.flatMap(({ status, fromMs }) => (status === "failed" ? [wouldOf(unpaid(row, "failed"), fromMs)] : []));

function overdueIn(row: Statement, turns: readonly Turn[]): Would[] {
  if (Number(row.total) <= 0) return [];
  const dueMs = row.closedAt.getTime() + paymentTermMs;
  return turns.flatMap(({ status, fromMs, toMs }) => {
    const atMs = Math.max(fromMs, dueMs);
    return status === "open" && atMs < toMs ? [wouldOf(unpaid(row, "overdue"), atMs)] : [];
  });
}

const inOrder = (would: readonly Would[]) => [...would].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
