/** Alerts as they are listed and shown, and what people do about them. */
import { and, desc, eq, gte, inArray, isNull, lt, or, type SQL } from "drizzle-orm";
import { recordChange } from "../audit/record-change.ts";
import type { Edit } from "../audit/recorded-edit.ts";
import type { Alert, AlertState } from "../contract/alerts.ts";
import type { RuleKind } from "../contract/rules.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { lockedRow } from "../postgres/locked-row.ts";
import { alerts } from "../postgres/schema/alerts.ts";
import { nameOfOthers, type WasWithin } from "../tree/past-owners.ts";
import { noticeOf } from "./notices.ts";

export type AlertRecord = typeof alerts.$inferSelect;

export interface AlertFilter {
  /** What the caller may see, and the node that was asked for. */
  within: (SQL | undefined)[];
  state?: AlertState | undefined;
  rule?: string | undefined;
  kind?: RuleKind | undefined;
  /** ms since 1970, UTC; `toMs` is exclusive. */
  fromMs: number | undefined;
  toMs: number | undefined;
  after: { atMs: number; id: string } | undefined;
  limit: number;
}

/** The newest first. Alerts that the message about a higher threshold covered are left out. */
export async function listAlerts(db: Queries, filter: AlertFilter): Promise<AlertRecord[]> {
  const { within, state, rule, kind, fromMs, toMs, after, limit } = filter;
  return await db
    .select()
    .from(alerts)
    .where(
      and(
        ...within,
        isNull(alerts.passedWith),
        state && eq(alerts.state, state),
        rule === undefined ? undefined : eq(alerts.ruleId, rule),
        kind && eq(alerts.kind, kind),
        fromMs === undefined ? undefined : gte(alerts.at, new Date(fromMs)),
        toMs === undefined ? undefined : lt(alerts.at, new Date(toMs)),
        after &&
          or(lt(alerts.at, new Date(after.atMs)), and(eq(alerts.at, new Date(after.atMs)), lt(alerts.id, after.id))),
      ),
    )
    .orderBy(desc(alerts.at), desc(alerts.id))
    .limit(limit);
}

/** Undefined where the caller may not see it. */
export async function readAlert(db: Queries, id: string, within: SQL | undefined): Promise<AlertRecord | undefined> {
  const [found] = await db
    .select()
    .from(alerts)
    .where(and(eq(alerts.id, id), within, isNull(alerts.passedWith)));
  return found;
}

/** By the id of the alert that stands for them, the thresholds whose alerts it covers, ascending. */
export async function passedWith(
  db: Queries,
  standing: readonly Pick<AlertRecord, "id" | "kind" | "ruleId" | "node">[],
): Promise<ReadonlyMap<string, number[]>> {
  const quotas = standing.filter(({ kind }) => kind === "quota");
  const passed = new Map<string, number[]>();
  if (quotas.length === 0) return passed;
  const distinct = (texts: readonly string[]) => [...new Set(texts)];
  const rows = await db
    .select({ higher: alerts.passedWith, threshold: alerts.threshold })
    .from(alerts)
    .where(
      and(
        // By which they are found: those of one step are of one rule and node.
        inArray(alerts.ruleId, distinct(quotas.map(({ ruleId }) => ruleId))),
        inArray(alerts.node, distinct(quotas.map(({ node }) => node))),
        inArray(alerts.passedWith, distinct(quotas.map(({ id }) => id))),
      ),
    );
  for (const { higher, threshold } of rows) {
    const known = passed.get(higher ?? "") ?? [];
    passed.set(
      higher ?? "",
      [...known, Number(threshold)].sort((a, b) => a - b),
    );
  }
  return passed;
}

/**
 * `publicUrl`: where people reach the dashboard, without a slash at its end. `wasWithin`: its reader's past; who is notified of an
 * alert as it fires knows its rule. `passed`: what it stands for, as `passedWith` has it.
 */
export function describeAlert(
  row: AlertRecord,
  publicUrl: string,
  { wasWithin = () => true, passed }: { wasWithin?: WasWithin; passed?: ReadonlyMap<string, number[]> } = {},
): Alert {
  const instant = (at: Date | null) => at?.toISOString() ?? null;
  const { periodStart, periodEnd, acknowledgedBy, acknowledgedAt } = row;
  // Whoever sees an alert that has owners is one of them, or above.
  const wasOwn = (at: Date) => row.owners !== null || wasWithin(row.node, at);
  return {
    id: row.id,
    ...(wasOwn(row.at) ? { rule: row.ruleId, rule_name: row.ruleName } : { rule: "", rule_name: ruleOfOthers }),
    kind: row.kind,
    node: row.node,
    severity: row.severity,
    state: row.state,
    feature: row.feature,
    meter: row.meter,
    threshold: row.threshold,
    passed: passed?.get(row.id) ?? [],
    value: row.value,
    limit: row.limit,
    percent: row.percent,
    period: periodStart && periodEnd ? { start: periodStart.toISOString(), end: periodEnd.toISOString() } : null,
    at: row.at.toISOString(),
    fired_at: instant(row.firedAt),
    resolved_at: instant(row.resolvedAt),
    acknowledged:
      acknowledgedBy !== null && acknowledgedAt
        ? {
            by: wasOwn(acknowledgedAt) ? acknowledgedBy : nameOfOthers,
            at: acknowledgedAt.toISOString(),
          }
        : null,
    snoozed_until: instant(row.snoozedUntil),
    explanation: row.explanation,
    watermark: row.watermark.toISOString(),
    url: `${publicUrl}/alerts/${row.id}`,
  };
}

/** In place of the name of a rule that was another's. */
const ruleOfOthers = "A former rule";

/** What an `ETag` of an alert is made of: what people do about it. */
export const handlingOf = ({ acknowledgedBy, snoozedUntil }: AlertRecord): object => ({ acknowledgedBy, snoozedUntil });

/** Only its resolution is still notified. The first person to acknowledge it stays on record. */
export async function acknowledgeAlert(postgres: Postgres, id: string, { by, check }: Edit): Promise<AlertRecord> {
  return await change(postgres, id, "alert.acknowledged", { by, check }, (before) =>
    before.acknowledgedAt === null
      ? {
          acknowledgedBy: by.name,
          acknowledgedAt: new Date(),
          due: before.due === "alert.reminder" ? null : before.due,
        }
      : undefined,
  );
}

/** No message is sent about it until then. */
export async function snoozeAlert(postgres: Postgres, id: string, until: Date, edit: Edit): Promise<AlertRecord> {
  return await change(postgres, id, "alert.snoozed", edit, () => ({ snoozedUntil: until }));
}

async function change(
  postgres: Postgres,
  id: string,
  action: string,
  { by, check }: Edit,
  make: (before: AlertRecord) => Partial<AlertRecord> | undefined,
): Promise<AlertRecord> {
  return await postgres.transaction(async (tx) => {
    const before = await lockedRow(tx, alerts, id, "alert");
    check(handlingOf(before));
    const edited = make(before);
    if (!edited) return before;
    const [after = before] = await tx.update(alerts).set(edited).where(eq(alerts.id, id)).returning();
    // Whoever did it first is not recorded again where nothing changed: the node may have belonged to somebody else then.
    const changed = (row: AlertRecord) =>
      Object.fromEntries(Object.entries(handlingOf(row)).filter(([name]) => name in edited));
    const handling = { before: changed(before), after: changed(after) };
    await recordChange(tx, { by, node: after.node, action, subject: id, ...handling });
    await noticeOf(tx, "alerts", [id]);
    return after;
  });
}
