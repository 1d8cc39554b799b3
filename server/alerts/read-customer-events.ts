/** What happens to customers and their bills: read from the audit, the tree, subscriptions and statements. */
import { and, arrayContains, asc, desc, eq, gte, inArray, lt } from "drizzle-orm";
import { type SubscriptionRecord, statusOf } from "../billing/billing-cycle.ts";
import { dayMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import { parseJson } from "../json/parse-json.ts";
import type { AccountState } from "../overview/account-state.ts";
import type { Postgres } from "../postgres/client.ts";
import { auditEntries } from "../postgres/schema/audit.ts";
import { statements } from "../postgres/schema/statements.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { rowsWithin, withAllBelow } from "../tree/rows-within.ts";
import type { Finding } from "./finding.ts";
import { dayText, momentText } from "./wording.ts";

/** How long an event without an end is shown as firing. */
const shownMs = dayMs;
/** After a statement was closed its payment is awaited for so long. */
const paymentTermMs = 14 * dayMs;
const maxEntries = 5_000;
const maxStatements = 5_000;

export interface CustomerEventsSource {
  postgres: Postgres;
  tree: Pick<NodeTree, "get" | "children">;
}

interface Asked {
  state: AccountState;
  /** The rule's: what others did is not read, however much it is. */
  node: NodeAddress;
  /** Whether the rule holds for a node. */
  holdsFor: (node: NodeAddress) => boolean;
  atMs: number;
  /** Only what happened after the rule came into force is notified. */
  sinceMs: number;
  /** Everything up to then was evaluated before. */
  evaluatedUntilMs: number;
}

export async function readCustomers(
  { postgres, tree }: CustomerEventsSource,
  condition: ConditionOf<"customers">,
  { state, node: top, holdsFor, atMs, sinceMs, evaluatedUntilMs }: Asked,
): Promise<Finding[]> {
  const asked = new Set(condition.on);
  const fromMs = Math.max(sinceMs, Math.min(evaluatedUntilMs, atMs - shownMs));
  const findings: Finding[] = [];
  if (asked.has("organization_created"))
    for (const below of withAllBelow([top], tree)) {
      const found = tree.get(below);
      if (found?.kind !== "organization") continue;
      const { node, name, createdAt } = found;
      if (createdAt.getTime() >= fromMs && createdAt.getTime() <= atMs && holdsFor(node))
        findings.push(happened(node, `created ${createdAt.getTime()}`, `The organization ${name} was created.`));
    }
  if (asked.has("status_changed") || asked.has("subscription_changed"))
    for (const entry of await entriesSince(postgres, top, fromMs)) {
      const explanation = explanationOf(entry, asked);
      if (explanation && holdsFor(entry.node))
        findings.push(happened(entry.node, `audit ${entry.sequence}`, explanation));
    }
  if (asked.has("trial_ending"))
    for (const one of state.subscriptions) {
      const endMs = one.trialEndsAt?.getTime();
      if (endMs === undefined || statusOf(one, atMs) !== "trial" || !holdsFor(one.node)) continue;
      findings.push(nearing(one, "trial", endMs, condition.days_before, atMs, "The trial ends"));
    }
  return findings;
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
    ...{ node, subject, once: `${subject} ${endMs}`, threshold: daysBefore },
    finding: endMs - atMs <= daysBefore * dayMs && atMs < endMs ? "holds" : "clears",
    explanation: `${words} on ${momentText(endMs, tz)}.`,
  };
}

type Entry = Pick<typeof auditEntries.$inferSelect, "sequence" | "node" | "action" | "before" | "after">;

async function entriesSince({ db }: Postgres, top: NodeAddress, fromMs: number): Promise<Entry[]> {
  const { sequence, node, path, action, before, after, at } = auditEntries;
  const actions = ["node.changed", "subscription.created", "subscription.changed"];
  return await db
    .select({ sequence, node, action, before, after })
    .from(auditEntries)
    .where(
      and(top === "all" ? undefined : arrayContains(path, [top]), gte(at, new Date(fromMs)), inArray(action, actions)),
    )
    .orderBy(asc(sequence))
    .limit(maxEntries);
}

function explanationOf({ action, before, after }: Entry, asked: ReadonlySet<string>): string | undefined {
  if (action === "node.changed") {
    const [was, is] = [statusIn(before), statusIn(after)];
    return asked.has("status_changed") && was !== is ? `The status is now ${is}; before, it was ${was}.` : undefined;
  }
  if (!asked.has("subscription_changed")) return undefined;
  return action === "subscription.created" ? "A subscription began." : "The subscription was changed.";
}

function statusIn(json: string | null): string | undefined {
  const { status } = parseJson(json ?? "{}") as { status?: string };
  return status;
}

export async function readBilling(
  { postgres, tree }: Pick<CustomerEventsSource, "postgres" | "tree">,
  condition: ConditionOf<"billing">,
  { state, node, holdsFor, atMs }: Asked,
): Promise<Finding[]> {
  const asked = new Set(condition.on);
  const isWithin = rowsWithin(statements.node, [node], tree);
  const findings: Finding[] = [];
  if (asked.has("subscription_expiring"))
    for (const one of state.subscriptions) {
      const endMs = one.expiresAt?.getTime();
      if (endMs === undefined || one.renews || one.cancelledAt || endMs <= atMs || !holdsFor(one.node)) continue;
      findings.push(nearing(one, "expiry", endMs, condition.days_before, atMs, "The subscription expires"));
    }
  if (asked.has("payment_failed")) {
    const failed = await postgres.db
      .select()
      .from(statements)
      .where(and(isWithin, eq(statements.paymentStatus, "failed")))
      .orderBy(desc(statements.paymentAt))
      .limit(maxStatements);
    for (const row of failed) if (holdsFor(row.node)) findings.push(unpaid(row, "failed", "The payment failed for"));
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
      if (holdsFor(row.node) && Number(row.total) > 0) findings.push(unpaid(row, "overdue", "No payment is known for"));
  }
  return findings;
}

function unpaid(row: typeof statements.$inferSelect, subject: string, words: string): Finding {
  const { id, node, cycleStart, cycleEnd, paymentAt, tz } = row;
  return {
    ...{ node, subject: `${subject} ${id}`, once: `${subject} ${id} ${paymentAt.getTime()}` },
    finding: "holds",
    explanation: `${words} the statement from ${dayText(cycleStart.getTime(), tz)} to ${dayText(cycleEnd.getTime() - 1, tz)}.`,
  };
}
