/** What happens to customers and their bills: read from the audit, the tree, subscriptions and statements. */
import { and, arrayContains, asc, desc, eq, gt, gte, inArray, like, lt, ne, or, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { type SubscriptionRecord, statusOf } from "../billing/billing-cycle.ts";
import { dayMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import type { AccountState } from "../overview/account-state.ts";
import type { Postgres } from "../postgres/client.ts";
import { alerts } from "../postgres/schema/alerts.ts";
import { auditEntries } from "../postgres/schema/audit.ts";
import { statements } from "../postgres/schema/statements.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { withAllBelow } from "../tree/rows-within.ts";
import type { AlertPlace, Finding } from "./finding.ts";
import { dayText, momentText } from "./wording.ts";

/** How long an event without an end is shown as firing. */
const shownMs = dayMs;
/** How long the payment of a statement is awaited after it was closed. */
export const paymentTermMs = 14 * dayMs;
/** How many changes one sweep looks at for a rule; the next one goes on behind them. */
export const maxEntries = 10_000;
const maxStatements = 5_000;

export interface CustomerEventsSource {
  postgres: Postgres;
  tree: Pick<NodeTree, "get" | "children">;
}

interface Asked {
  state: AccountState;
  /** The rule's: what others did is not read, however much it is. */
  node: NodeAddress;
  /** Whether the rule holds for a node, as it stands now or as it stood. `path`: the node and all above it. */
  holdsFor: (node: NodeAddress, path?: readonly NodeAddress[]) => boolean;
  atMs: number;
  /** Only what happened after the rule came into force is notified. */
  sinceMs: number;
  /** Everything up to then was evaluated before. */
  evaluatedUntilMs: number;
}

export interface AskedOfCustomers extends Asked {
  ruleId: string;
  /** The entry of the audit up to which changes were recorded for the rule; undefined: none by this process. */
  readUntil: number | undefined;
}

export interface CustomerFindings {
  findings: Finding[];
  /** The next `readUntil`, once they are recorded. */
  readUntil: number;
}

export async function readCustomers(
  { postgres, tree }: CustomerEventsSource,
  condition: ConditionOf<"customers">,
  { ruleId, readUntil, state, node: top, holdsFor, atMs, sinceMs, evaluatedUntilMs }: AskedOfCustomers,
): Promise<CustomerFindings> {
  const asked = new Set(condition.on);
  const fromMs = Math.max(sinceMs, Math.min(evaluatedUntilMs, atMs - shownMs));
  const findings: Finding[] = [];
  if (asked.has("organization_created"))
    for (const below of withAllBelow([top], tree)) {
      const found = tree.get(below);
      if (found?.kind !== "organization") continue;
      const { node, name, createdAt } = found;
      if (createdAt.getTime() >= fromMs && createdAt.getTime() <= atMs && holdsFor(node))
        findings.push(happened(node, `created ${createdAt.getTime()}`, creationOf(name)));
    }
  const changes = await changesSince(postgres, asked, { top, fromMs, readUntil, most: maxEntries });
  for (const one of changes)
    if (holdsFor(one.node)) findings.push(happened(one.node, `${ofChange}${one.sequence}`, explanationOf(one)));
  const isNew = new Set(findings.map(({ subject }) => subject));
  for (const { node, subject, explanation } of await shownChanges(postgres, ruleId, fromMs))
    if (!isNew.has(subject) && holdsFor(node)) findings.push(happened(node, subject, explanation));
  if (asked.has("trial_ending"))
    for (const one of state.subscriptions) {
      const endMs = one.trialEndsAt?.getTime();
      if (endMs === undefined || statusOf(one, atMs) !== "trial" || !holdsFor(one.node)) continue;
      findings.push(nearing(one, "trial", endMs, condition.days_before, atMs, "The trial ends"));
    }
  const last = changes.at(-1)?.sequence ?? 0;
  // All changes up to the state's sequence were found, unless the limit was reached.
  return { findings, readUntil: changes.length < maxEntries ? Math.max(last, state.sequence) : last };
}

/** A finding that fires once and ends by itself after a while. */
function happened(node: NodeAddress, subject: string, explanation: string): Finding {
  return { node, subject, once: subject, finding: "holds", explanation };
}

function nearing(
  { id, node, tz }: SubscriptionRecord,
  what: string,
  endMs: number,
  daysBefore: number,
  atMs: number,
  words: string,
): Finding {
  const subject = `${what} ${id}`;
  return {
    node,
    subject,
    once: `${subject} ${endMs}`,
    threshold: daysBefore,
    finding: endMs - atMs <= daysBefore * dayMs && atMs < endMs ? "holds" : "clears",
    explanation: `${words} on ${momentText(endMs, tz)}.`,
  };
}

/** How the subjects of alerts about changes begin; their sequence in the audit follows. */
const ofChange = "audit ";

interface CustomerChange {
  sequence: number;
  at: Date;
  node: NodeAddress;
  action: string;
  /** What a change of status changed it from, and to. */
  was: string | null;
  is: string | null;
}

/**
 * The oldest first, `most` at most. Snapshots may be large and are many: what they say of the status is all that is read of them.
 * `toMs`: exclusive; without it up to now. `readUntil`: only entries after this one.
 */
export async function changesSince(
  { db }: Pick<Postgres, "db">,
  asked: ReadonlySet<string>,
  {
    top,
    fromMs,
    toMs,
    readUntil,
    most,
  }: { top: NodeAddress; fromMs: number; toMs?: number; readUntil?: number | undefined; most: number },
): Promise<CustomerChange[]> {
  const { sequence, node, path, action, before, after, at } = auditEntries;
  // Other entries' snapshots are not looked into: what stands in a condition beside another may be asked first.
  const statusIn = (snapshot: PgColumn) =>
    sql<string | null>`CASE WHEN ${action} = 'node.changed' THEN ${snapshot}::json ->> 'status' END`;
  const [was, is] = [statusIn(before), statusIn(after)];
  const wanted = [
    asked.has("status_changed") ? sql`${was} IS DISTINCT FROM ${is}` : undefined,
    asked.has("subscription_changed") ? inArray(action, ["subscription.created", "subscription.changed"]) : undefined,
  ].filter((one) => one !== undefined);
  if (wanted.length === 0) return [];
  return await db
    .select({ sequence, at, node, action, was, is })
    .from(auditEntries)
    .where(
      and(
        top === "all" ? undefined : arrayContains(path, [top]),
        gte(at, new Date(fromMs)),
        toMs === undefined ? undefined : lt(at, new Date(toMs)),
        or(...wanted),
        readUntil === undefined ? undefined : gt(sequence, readUntil),
      ),
    )
    .orderBy(asc(sequence))
    .limit(most);
}

/** What the rule has notified of and still shows: that is not looked for again. */
async function shownChanges({ db }: Postgres, ruleId: string, fromMs: number) {
  const { node, subject, explanation } = alerts;
  return await db
    .select({ node, subject, explanation })
    .from(alerts)
    .where(
      and(
        eq(alerts.ruleId, ruleId),
        ne(alerts.state, "resolved"),
        like(subject, `${ofChange}%`),
        gte(alerts.at, new Date(fromMs)),
      ),
    );
}

export const creationOf = (name: string) => `The organization ${name} was created.`;

export function explanationOf({ action, was, is }: CustomerChange): string {
  if (action === "node.changed") return `The status changed from ${was} to ${is}.`;
  return action === "subscription.created" ? "A subscription started." : "The subscription was changed.";
}

export async function readBilling(
  { postgres, tree }: { postgres: Postgres; tree: Pick<NodeTree, "ancestors"> },
  condition: ConditionOf<"billing">,
  { state, node, holdsFor, atMs }: Asked,
): Promise<Finding[]> {
  const asked = new Set(condition.on);
  // A statement is the business of those that its node stood below when it was closed.
  const isWithin = node === "all" ? undefined : arrayContains(statements.path, [node]);
  const findings: Finding[] = [];
  if (asked.has("subscription_expiring"))
    for (const one of state.subscriptions) {
      const endMs = one.expiresAt?.getTime();
      if (endMs === undefined || one.renews || one.cancelledAt || endMs <= atMs || !holdsFor(one.node)) continue;
      const finding = nearing(one, ofExpiry, endMs, condition.days_before, atMs, "The subscription expires");
      findings.push({ ...finding, owners: tree.ancestors(one.node) });
    }
  if (asked.has("payment_failed")) {
    const failed = await postgres.db
      .select()
      .from(statements)
      .where(and(isWithin, eq(statements.paymentStatus, "failed")))
      .orderBy(desc(statements.paymentAt))
      .limit(maxStatements);
    for (const row of failed) if (holdsFor(row.node, row.path)) findings.push(unpaid(row, "failed"));
  }
  if (asked.has("payment_overdue")) {
    const open = await postgres.db
      .select()
      .from(statements)
      .where(
        and(isWithin, eq(statements.paymentStatus, "open"), lt(statements.closedAt, new Date(atMs - paymentTermMs))),
      )
      .orderBy(desc(statements.closedAt))
      .limit(maxStatements);
    for (const row of open)
      if (holdsFor(row.node, row.path) && Number(row.total) > 0) findings.push(unpaid(row, "overdue"));
  }
  return findings;
}

const ofExpiry = "expiry";

/** What a rule does not watch any more, because the node moved: it ends, and nothing was paid or renewed. */
export const isMovedAway =
  (holdsFor: Asked["holdsFor"]) =>
  ({ node, subject, owners }: AlertPlace): boolean =>
    !holdsFor(node, subject.startsWith(`${ofExpiry} `) ? undefined : (owners ?? undefined));

const ofUnpaid = { failed: "The payment failed for", overdue: "No payment is recorded for" } as const;

export function unpaid(row: typeof statements.$inferSelect, subject: keyof typeof ofUnpaid): Finding {
  const { id, node, path, cycleStart, cycleEnd, paymentAt, tz } = row;
  return {
    node,
    subject: `${subject} ${id}`,
    once: `${subject} ${id} ${paymentAt.getTime()}`,
    owners: path,
    finding: "holds",
    explanation: `${ofUnpaid[subject]} the statement from ${dayText(cycleStart.getTime(), tz)} to ${dayText(cycleEnd.getTime() - 1, tz)}.`,
  };
}
