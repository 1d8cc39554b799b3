/** Rules as they are kept. What a rule holds for follows from the tree, so nothing is copied to the organizations below it. */
import { and, asc, eq, gt, inArray, isNotNull, ne, notInArray, or, type SQL, sql } from "drizzle-orm";
import { canonicalJson, toPlainJson } from "../audit/canonical-json.ts";
import { type Author, recordChange, system } from "../audit/record-change.ts";
import { type Edit, type Editable, recordedEdit } from "../audit/recorded-edit.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Condition, MuteWindow, RuleKind, RuleScope, Severity } from "../contract/rules.ts";
import { newId } from "../identity/actor.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { lockedRow } from "../postgres/locked-row.ts";
import { alertProgress, alerts, rules } from "../postgres/schema/alerts.ts";
import { auditHead } from "../postgres/schema/audit.ts";
import { checkBytes, checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { rowsWithin } from "../tree/rows-within.ts";
import { noticeOf } from "./notices.ts";

export type RuleRecord = typeof rules.$inferSelect;

export interface NewRule {
  node: NodeAddress;
  name: string;
  scope: RuleScope;
  severity: Severity;
  enabled: boolean;
  channels: string[];
  repeatHours: number | null;
  mute: MuteWindow[];
  replaces: string | null;
  condition: Condition;
}

export type RuleEdit = { [Field in Exclude<keyof NewRule, "node">]?: NewRule[Field] | undefined };

/** Those of the ids that there are; without them all rules. */
export async function listRules(db: Queries, ids: readonly string[] | undefined): Promise<RuleRecord[]> {
  return await db
    .select()
    .from(rules)
    .where(ids && inArray(rules.id, [...ids]));
}

/** Up to `limit`, the oldest first, of those below the nodes. */
export async function listRulesBelow(
  db: Queries,
  tree: Pick<NodeTree, "children">,
  {
    tops,
    kind,
    enabled,
    after,
    limit,
  }: {
    tops: readonly NodeAddress[];
    kind: RuleKind | undefined;
    enabled: boolean | undefined;
    after: { atMs: number; id: string } | undefined;
    limit: number;
  },
): Promise<RuleRecord[]> {
  const at = after && new Date(after.atMs);
  const behind = after && at && or(gt(rules.createdAt, at), and(eq(rules.createdAt, at), gt(rules.id, after.id)));
  return await db
    .select()
    .from(rules)
    .where(
      and(
        rowsWithin(rules.node, tops, tree),
        kind && eq(rules.kind, kind),
        behind,
        enabled === undefined ? undefined : eq(rules.enabled, enabled),
      ),
    )
    .orderBy(asc(rules.createdAt), asc(rules.id))
    .limit(limit);
}

export async function readRule(db: Queries, id: string): Promise<RuleRecord | undefined> {
  const [found] = await db.select().from(rules).where(eq(rules.id, id));
  return found;
}

/** By the id of the rule; those that were removed are left out. */
export async function nodesOfRules(db: Queries, ids: readonly string[]): Promise<ReadonlyMap<string, NodeAddress>> {
  if (ids.length === 0) return new Map();
  const isOne = sql`${rules.id} = ANY(${sql.param([...ids])}::text[])`;
  const found = await db.select({ id: rules.id, node: rules.node }).from(rules).where(isOne);
  return new Map(found.map(({ id, node }) => [id, node]));
}

type Tree = Pick<NodeTree, "ancestors" | "children">;

const { bytes: most, bytesOfTenant, ...counts } = definitionLimits.rules;
const limit = { what: "rules", table: rules, ...counts };

/** What of a rule may be long. */
type LongParts = Pick<NewRule, "mute" | "condition">;
const longParts = ({ mute, condition }: LongParts): LongParts => ({ mute, condition });

/** All rules of all tenants are held in memory and looked at again and again. `replaced`: the rule as it was. */
async function checkRuleBytes(tx: Queries, tree: Tree, node: NodeAddress, rule: LongParts, replaced?: LongParts) {
  await checkBytes(tx, tree, node, {
    what: "rules",
    field: "condition",
    added: longParts(rule),
    most,
    ofTenant: bytesOfTenant,
    ...(replaced && { replaced: longParts(replaced) }),
    async heldBy(within) {
      const { mute, condition } = rules;
      const bytes = sql<number>`coalesce(sum(octet_length(${mute}::text) + octet_length(${condition}::text)), 0)::float8`;
      const [counted] = await tx.select({ bytes }).from(rules).where(within(rules.node));
      return counted?.bytes ?? 0;
    },
  });
}

/** Throws `conflict` where the node or its tenant has as many rules as it may, `invalid_request` where it is too large. */
export async function createRule(postgres: Postgres, tree: Tree, wanted: NewRule, by: Author): Promise<RuleRecord> {
  return await postgres.transaction(async (tx) => {
    await checkLimit(tx, tree, wanted.node, limit);
    await checkRuleBytes(tx, tree, wanted.node, wanted);
    return await insertRule(tx, { ...wanted, isDefault: false }, by);
  });
}

async function insertRule(tx: Queries, wanted: NewRule & { isDefault: boolean }, by: Author): Promise<RuleRecord> {
  const [made] = await tx
    .insert(rules)
    .values({ ...wanted, id: newId("rule"), kind: wanted.condition.kind })
    .returning();
  if (!made) throw new Error("an inserted rule was not returned");
  const change = { action: "rule.created", subject: made.id, after: stateOfRule(made) };
  await recordChange(tx, { by, node: made.node, ...change });
  return made;
}

const editable: Editable<RuleRecord> = {
  lock: (tx, id) => lockedRow(tx, rules, id, "rule"),
  stateOf: stateOfRule,
};

/**
 * Alerts that a changed condition no longer asks about are resolved without a message. Throws as `createRule` where it becomes
 * larger.
 */
export async function changeRule(
  postgres: Postgres,
  tree: Tree,
  id: string,
  change: RuleEdit,
  edit: Edit,
): Promise<RuleRecord> {
  return await recordedEdit(postgres, editable, { ...edit, id, action: "rule.changed" }, async (tx, before) => {
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
    await checkRuleBytes(tx, tree, before.node, { ...before, ...given }, before);
    const isAskedAnew = change.condition !== undefined && !isSame(before.condition, change.condition);
    const isBegunAnew = isAskedAnew || (change.enabled === true && !before.enabled);
    const [after = before] = await tx
      .update(rules)
      .set({ ...given, ...(isBegunAnew && { inForceSince: new Date() }), name: change.name ?? before.name })
      .where(eq(rules.id, id))
      .returning();
    if (!after.enabled) await endAlerts(tx, id, "The rule was disabled.");
    else if (isAskedAnew) await endAlerts(tx, id, "The rule was changed.", unasked(before.condition, after.condition));
    return after;
  });
}

/** As the audit compares: what began anew has an entry there, by which whoever holds rules reads it again. */
const isSame = (before: Condition, after: Condition) =>
  canonicalJson(toPlainJson(before)) === canonicalJson(toPlainJson(after));

/** Its alerts stay, resolved. */
export async function removeRule(postgres: Postgres, id: string, edit: Edit): Promise<void> {
  await recordedEdit(postgres, editable, { ...edit, id, action: "rule.removed" }, async (tx) => {
    await tx.delete(rules).where(eq(rules.id, id));
    await endAlerts(tx, id, "The rule was deleted.");
    return undefined;
  });
}

/** Nothing more is reported of them. `which`: of the rule's alerts; undefined: all. */
async function endAlerts(tx: Queries, ruleId: string, explanation: string, which?: SQL): Promise<void> {
  const meant = and(eq(alerts.ruleId, ruleId), which);
  await tx.delete(alerts).where(and(meant, eq(alerts.state, "pending")));
  const ended = await tx
    .update(alerts)
    .set({ state: "resolved", resolvedAt: new Date(), explanation })
    .where(and(meant, ne(alerts.state, "resolved")))
    .returning({ id: alerts.id });
  await tx
    .update(alerts)
    .set({ due: null, dueSince: null })
    .where(and(meant, isNotNull(alerts.due)));
  await noticeOf(
    tx,
    "alerts",
    ended.map(({ id }) => id),
  );
}

/**
 * The alerts that a changed condition does not ask about; undefined: all. A threshold that the quota keeps is still reported only
 * once.
 */
function unasked(before: Condition, after: Condition): SQL | undefined {
  if (before.kind !== "quota" || after.kind !== "quota" || before.on !== after.on) return undefined;
  const { feature, thresholds } = after;
  return (
    or(
      feature === null ? undefined : ne(alerts.feature, feature),
      thresholds === null ? undefined : notInArray(alerts.threshold, thresholds),
    ) ?? sql`false`
  );
}

/** What an `ETag` of a rule is made of, and what the audit keeps. */
export function stateOfRule({ id, createdAt, inForceSince, ...state }: RuleRecord): object {
  return state;
}

/**
 * At the first start of an installation: the rule by which each plan's own thresholds are reported, and from where on what
 * happens is evaluated. Whoever changes or removes the rule later has the last word.
 */
export async function beginAlerts(postgres: Postgres): Promise<void> {
  const [begun] = await postgres.db.select().from(alertProgress);
  if (begun) return;
  await postgres.transaction(async (tx) => {
    const [head] = await tx.select({ sequence: auditHead.sequence }).from(auditHead);
    const made = await tx
      .insert(alertProgress)
      .values({ batch: 0, auditSequence: head?.sequence ?? 0, sweptAt: new Date() })
      .onConflictDoNothing()
      .returning();
    if (made.length > 0) await insertRule(tx, planThresholds, system);
  });
}

const planThresholds: NewRule & { isDefault: boolean } = {
  node: "all",
  name: "Plan thresholds",
  scope: "organizations",
  severity: "warning",
  enabled: true,
  channels: [],
  repeatHours: null,
  mute: [],
  replaces: null,
  condition: { kind: "quota", feature: null, thresholds: null, on: "used" },
  isDefault: true,
};
