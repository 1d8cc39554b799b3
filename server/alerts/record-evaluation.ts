/**
 * Writes what evaluating found: the alerts that begin, go on and end, and their notifications, in one transaction. A process
 * that evaluates the same again, or at the same time, finds the rows there: nobody is notified twice.
 */

import { and, eq, inArray, isNotNull, ne, or, type SQL } from "drizzle-orm";
import { hourMs } from "../contract/durations.ts";
import { createPace } from "../fairness/pace.ts";
import { newId } from "../identity/actor.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { alerts, rules } from "../postgres/schema/alerts.ts";
import type { Evaluation, Finding } from "./finding.ts";
import { columnsOf, lifecycleOf } from "./lifecycle-columns.ts";
import { isMuted } from "./mute.ts";
import { endPeriod, type Lifecycle, nextState, type Pacing } from "./next-state.ts";
import { noticeOf } from "./notices.ts";
import { type NotifySource, notifyDue } from "./notify.ts";
import type { AlertRecord } from "./read-alerts.ts";
import type { RuleRecord } from "./rules.ts";
import { nodeWithoutAgent } from "./visibility.ts";
import { durationText } from "./wording.ts";

type NewAlert = typeof alerts.$inferInsert;

/** What there is to write. */
interface Changes {
  added: NewAlert[];
  changed: { id: string; to: Partial<AlertRecord> }[];
  removed: string[];
  /** Those among the changed ones whose state changed. */
  turned: string[];
}

/** `watermark`: the rule was evaluated as of it. Returns how many alerts were changed. */
export async function recordEvaluation(
  source: NotifySource & { postgres: Postgres },
  rule: RuleRecord,
  evaluation: Evaluation,
  watermark: Date,
): Promise<number> {
  const { postgres } = source;
  const seen = await planChanges(rule, evaluation, await recorded(postgres.db, rule, evaluation), watermark);
  if (isNothing(seen)) return 0;
  return await postgres.transaction(async (tx) => {
    // The evaluation of a rule that was changed or removed meanwhile is dropped.
    const [now] = await tx.select().from(rules).where(eq(rules.id, rule.id)).for("share");
    if (!now?.enabled || now.inForceSince.getTime() !== rule.inForceSince.getTime()) return 0;
    const changes = await planChanges(now, evaluation, await recorded(tx, now, evaluation, true), watermark);
    await write(tx, changes);
    await noticeOf(tx, "alerts", [...changes.added.map(({ id }) => id), ...changes.turned]);
    await notifyDue(tx, source, now);
    return changes.added.length + changes.changed.length + changes.removed.length;
  });
}

/** Evaluations of conditions that can fire repeatedly. One statement shows which of them change anything; most do not. */
export async function recordEpisodes(
  source: NotifySource & { postgres: Postgres },
  evaluations: readonly { rule: RuleRecord; evaluation: Evaluation }[],
  watermark: Date,
): Promise<void> {
  const open = await openAlerts(
    source.postgres.db,
    evaluations.map(({ rule }) => rule.id),
  );
  const pace = createPace();
  for (const { rule, evaluation } of evaluations) {
    const rest = pace.rest();
    if (rest) await rest;
    const nodes = new Set(evaluation.nodes);
    const rows = (open.get(rule.id) ?? []).filter(({ node }) => nodes.has(node));
    if (isNothing(await planChanges(rule, evaluation, rows, watermark))) continue;
    await recordEvaluation(source, rule, evaluation, watermark);
  }
}

/** By rule, the alerts that are not resolved, or still to be reported. */
export async function openAlerts(db: Queries, ruleIds: readonly string[]): Promise<Map<string, AlertRecord[]>> {
  const open = new Map<string, AlertRecord[]>();
  for (let start = 0; start < ruleIds.length; start += nodesPerStatement) {
    const some = inArray(alerts.ruleId, ruleIds.slice(start, start + nodesPerStatement));
    const isOpen = or(ne(alerts.state, "resolved"), isNotNull(alerts.due));
    for (const row of await db.select().from(alerts).where(and(some, isOpen))) {
      const known = open.get(row.ruleId);
      if (known) known.push(row);
      else open.set(row.ruleId, [row]);
    }
  }
  return open;
}

const isNothing = ({ added, changed, removed }: Changes) => added.length + changed.length + removed.length === 0;

/** The rule's alerts that evaluating can change, and those that may exist only once in the same period. */
async function recorded(db: Queries, rule: RuleRecord, { nodes, findings }: Evaluation, isLocked = false) {
  const keys = findings.flatMap((one) => (one.once === null ? [] : [keyOf(rule, one, "")]));
  const open: SQL | undefined = or(ne(alerts.state, "resolved"), isNotNull(alerts.due));
  const found: AlertRecord[] = [];
  for (let start = 0; start < nodes.length; start += nodesPerStatement) {
    const some = nodes.slice(start, start + nodesPerStatement);
    const asked = db
      .select()
      .from(alerts)
      .where(and(eq(alerts.ruleId, rule.id), inArray(alerts.node, some), open));
    found.push(...(isLocked ? await asked.for("update") : await asked));
  }
  const known = new Set(found.map(({ key }) => key));
  const others = keys.filter((key) => !known.has(key));
  for (let start = 0; start < others.length; start += nodesPerStatement) {
    const some = others.slice(start, start + nodesPerStatement);
    const asked = db.select().from(alerts).where(inArray(alerts.key, some));
    found.push(...(isLocked ? await asked.for("update") : await asked));
  }
  return found;
}

const nodesPerStatement = 5_000;

function keyOf(rule: Pick<RuleRecord, "id">, { node, subject, once }: Finding, episode: string): string {
  return `${rule.id} ${node} ${once ?? `${subject} ${episode}`}`;
}

async function planChanges(
  rule: RuleRecord,
  evaluation: Evaluation,
  rows: readonly AlertRecord[],
  watermark: Date,
): Promise<Changes> {
  const pace = createPace();
  const isRuleMuted = mutedBy(rule, watermark.getTime());
  const changes: Changes = { added: [], changed: [], removed: [], turned: [] };
  const byKey = new Map(rows.map((row) => [row.key, row]));
  const bySubject = new Map(
    rows.filter(({ state }) => state !== "resolved").map((row) => [`${row.node} ${row.subject}`, row]),
  );
  const seenRows = new Set<string>();
  const { missing, isOfPast = false } = evaluation;
  const isEvaluatedLater = (row: AlertRecord) => isOfPast && row.watermark.getTime() > watermark.getTime();
  const periods = new Map(evaluation.findings.flatMap(({ node, period }) => (period ? [[node, period.startMs]] : [])));
  for (const one of evaluation.findings) {
    const rest = pace.rest();
    if (rest) await rest;
    const row = one.once === null ? bySubject.get(`${one.node} ${one.subject}`) : byKey.get(keyOf(rule, one, ""));
    if (row) seenRows.add(row.id);
    const before = row && lifecycleOf(row);
    if (row && isEvaluatedLater(row)) continue;
    const reading = { finding: one.finding, atMs: watermark.getTime() };
    const after = nextState(before, reading, pacingOf(rule, one, row, reading.atMs, isRuleMuted));
    if (!row && after) changes.added.push(newAlert(rule, one, after, watermark));
    else if (row && !after) changes.removed.push(row.id);
    else if (row && after) put(changes, row, edited(row, one, after, rule, watermark));
  }
  for (const row of rows) {
    if (seenRows.has(row.id) || row.state === "resolved" || isEvaluatedLater(row)) continue;
    const lifecycle = lifecycleOf(row);
    const reading = { finding: "clears" as const, atMs: watermark.getTime() };
    const period = periods.get(row.node);
    if (row.periodStart && period !== undefined && row.periodStart.getTime() > period) continue;
    // A new cycle starts afresh: nothing is said about the one before.
    const isPast =
      (row.periodStart !== null && period !== undefined && row.periodStart.getTime() < period) ||
      (row.periodEnd !== null && row.periodEnd.getTime() <= watermark.getTime());
    const isOver = missing === "ends" || isPast || missing.endsWhere?.(row) === true;
    const after = isOver
      ? ended(lifecycle, watermark)
      : nextState(lifecycle, reading, pacingOf(rule, { once: null }, row, reading.atMs, isRuleMuted));
    if (!after) changes.removed.push(row.id);
    else
      put(changes, row, {
        ...columnsOf(after),
        ...(!isOver && { explanation: resolvedBecause(missing.because, lifecycle, watermark) }),
        watermark,
      });
  }
  showPassed(changes, rows);
  return changes;
}

/** Once a higher threshold's alert has resolved, the lower ones that it covered are shown again if they still fire. */
function showPassed(changes: Changes, rows: readonly AlertRecord[]): void {
  const edits = new Map(changes.changed.map(({ id, to }) => [id, to]));
  const stateOf = (row: AlertRecord) => edits.get(row.id)?.state ?? row.state;
  const resolved = new Set(
    rows.filter((row) => row.state !== "resolved" && stateOf(row) === "resolved").map(({ id }) => id),
  );
  for (const row of rows) {
    if (row.passedWith === null || !resolved.has(row.passedWith) || stateOf(row) !== "firing") continue;
    const edit = edits.get(row.id);
    if (edit) edit.passedWith = null;
    else changes.changed.push({ id: row.id, to: { passedWith: null } });
  }
}

/** Why it resolved, and how long it held. */
function resolvedBecause(because: string, { firedAtMs, atMs }: Lifecycle, watermark: Date): string {
  return `${because} It was firing for ${durationText(watermark.getTime() - (firedAtMs ?? atMs))}.`;
}

function ended(lifecycle: Lifecycle, watermark: Date): Lifecycle | undefined {
  return lifecycle.state === "pending" ? undefined : endPeriod(lifecycle, watermark.getTime());
}

function put({ changed, turned }: Changes, row: AlertRecord, to: Partial<AlertRecord>): void {
  const entries = Object.entries(to).filter(([name]) => name !== "watermark");
  const isSame = entries.every(([name, value]) => sameValue(row[name as keyof AlertRecord], value));
  if (isSame) return;
  changed.push({ id: row.id, to });
  if (to.state !== undefined && to.state !== row.state) turned.push(row.id);
}

function sameValue(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, index) => one === b[index]);
  return (a instanceof Date ? a.getTime() : (a ?? null)) === (b instanceof Date ? b.getTime() : (b ?? null));
}

/** Looked at once, and only where it matters: a rule may have many windows, and there are many findings. */
function mutedBy({ mute }: RuleRecord, atMs: number): () => boolean {
  let isMutedThen: boolean | undefined;
  return () => {
    isMutedThen ??= isMuted(mute, atMs);
    return isMutedThen;
  };
}

/** `atMs`: of the reading, at which `isRuleMuted` is asked. */
export function pacingOf(
  rule: RuleRecord,
  { once }: Pick<Finding, "once">,
  alert: Pick<AlertRecord, "snoozedUntil"> | undefined,
  atMs: number,
  isRuleMuted = mutedBy(rule, atMs),
): Pacing {
  const { condition, repeatHours } = rule;
  return {
    get isSilenced() {
      return (alert?.snoozedUntil?.getTime() ?? 0) > atMs || isRuleMuted();
    },
    forMs: condition.kind === "threshold" ? condition.for_minutes * 60_000 : 0,
    repeatMs: condition.kind === "quota" || repeatHours === null ? null : repeatHours * hourMs,
    isOncePerPeriod: once !== null,
  };
}

function figuresOf(one: Finding) {
  const { feature = null, meter = null, threshold = null, value = null, limit = null, percent = null } = one;
  return { feature, meter, threshold, value, limit, percent, explanation: one.explanation };
}

function newAlert(rule: RuleRecord, one: Finding, lifecycle: Lifecycle, watermark: Date): NewAlert {
  const { node, subject, period } = one;
  return {
    id: newId("alr"),
    key: keyOf(rule, one, String(lifecycle.atMs)),
    node,
    place: nodeWithoutAgent(node),
    subject,
    ruleId: rule.id,
    ruleName: rule.name,
    kind: rule.kind,
    severity: rule.severity,
    ...figuresOf(one),
    owners: one.owners ? [...one.owners] : null,
    periodStart: period ? new Date(period.startMs) : null,
    periodEnd: period ? new Date(period.endMs) : null,
    ...columnsOf(lifecycle),
    watermark,
  };
}

/** A resolved alert keeps the figures with which it resolved. */
function edited(
  row: AlertRecord,
  one: Finding,
  lifecycle: Lifecycle,
  rule: RuleRecord,
  watermark: Date,
): Partial<AlertRecord> {
  if (row.state === "resolved" && lifecycle.state === "resolved") return columnsOf(lifecycle);
  const isKept = one.finding === "unknown";
  return {
    ...columnsOf(lifecycle),
    ...(isKept ? {} : figuresOf(one)),
    ...(one.owners && { owners: [...one.owners] }),
    ...(lifecycle.state === "resolved" && {
      explanation: resolvedBecause(one.explanation, lifecycleOf(row), watermark),
    }),
    ruleName: rule.name,
    severity: rule.severity,
    watermark,
    // An alert that the message about a higher threshold covered stays covered, unless that message was never sent.
    ...(lifecycle.due === "alert.firing" && { passedWith: null }),
  };
}

async function write(tx: Queries, { added, changed, removed }: Changes): Promise<void> {
  for (let start = 0; start < added.length; start += rowsPerStatement)
    await tx
      .insert(alerts)
      .values(added.slice(start, start + rowsPerStatement))
      .onConflictDoNothing();
  for (const { id, to } of changed) await tx.update(alerts).set(to).where(eq(alerts.id, id));
  if (removed.length > 0) await tx.delete(alerts).where(inArray(alerts.id, removed));
}

const rowsPerStatement = 1_000;
