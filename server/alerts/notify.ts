/**
 * Sends what is due for a rule's alerts, to the bells of the people who may see them and to the rule's channels, in the
 * transaction that marks the alerts as notified. Many at once become one message with a list.
 */
import { and, eq, gt, inArray, isNotNull, isNull } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import type { NotificationType } from "../contract/notifications.ts";
import { type AlertMessage, enqueueDeliveries } from "../delivery/enqueue.ts";
import { combinedMessage } from "../delivery/message-parts.ts";
import type { Queries } from "../postgres/client.ts";
import { alerts } from "../postgres/schema/alerts.ts";
import { channels } from "../postgres/schema/delivery.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { columnsOf, lifecycleOf } from "./lifecycle-columns.ts";
import { isMuted } from "./mute.ts";
import { crossedTogether, notified } from "./next-state.ts";
import { noticeOf } from "./notices.ts";
import { notifyPeople } from "./notify-people.ts";
import { recipientsOf } from "./people.ts";
import { type AlertRecord, describeAlert, passedWith } from "./read-alerts.ts";
import type { RuleRecord } from "./rules.ts";
import { isOwnedBy } from "./visibility.ts";

export interface NotifySource {
  tree: Pick<NodeTree, "ancestors" | "isWithin" | "effectiveStatus" | "get">;
  /** Without a slash at its end. */
  publicUrl: string;
  now?: (() => number) | undefined;
}

/** More than this many of one rule within a minute become one message. */
const maxSeparate = 20;
const stormMs = 60_000;
const listedInMessage = 50;

/** What is muted or snoozed stays due. */
export async function notifyDue(tx: Queries, source: NotifySource, rule: RuleRecord): Promise<void> {
  const nowMs = (source.now ?? Date.now)();
  if (isMuted(rule.mute, nowMs)) return;
  const waiting = await tx
    .select()
    .from(alerts)
    .where(and(eq(alerts.ruleId, rule.id), isNotNull(alerts.due)))
    .orderBy(alerts.dueSince, alerts.id)
    .for("update");
  const due = waiting.filter(({ snoozedUntil }) => !snoozedUntil || snoozedUntil.getTime() <= nowMs);
  if (due.length === 0) return;
  const { notifiable, passed } = await stepsOf(tx, rule, due);
  const recently = await notifiedWithin(tx, rule, nowMs - stormMs);
  const isStorm = notifiable.length + recently > maxSeparate;
  // During a storm, alerts are gathered until the minute is over and then sent together.
  if (isStorm && notifiable.length <= maxSeparate && recently > 0) return;
  for (const { lower, higher } of passed)
    await tx
      .update(alerts)
      .set({ ...columnsOf(notified(lifecycleOf(lower), nowMs)), passedWith: higher.id })
      .where(eq(alerts.id, lower.id));
  const messages = isStorm ? grouped(notifiable) : notifiable.map((row) => [row]);
  const ids: string[] = [];
  for (const rows of messages) ids.push(...(await notifyTogether(tx, source, rule, rows, new Date(nowMs))));
  for (const row of notifiable)
    await tx
      .update(alerts)
      .set(columnsOf(notified(lifecycleOf(row), nowMs)))
      .where(eq(alerts.id, row.id));
  await noticeOf(tx, "notifications", ids);
}

/** Where one step crossed several thresholds, the highest is reported. */
async function stepsOf(tx: Queries, { id, kind }: RuleRecord, due: readonly AlertRecord[]) {
  if (kind !== "quota") return { notifiable: [...due], passed: [] };
  const nodes = [...new Set(due.map(({ node }) => node))];
  const firing = await tx
    .select()
    .from(alerts)
    .where(and(eq(alerts.ruleId, id), inArray(alerts.node, nodes), eq(alerts.state, "firing"), isNull(alerts.due)));
  const groups = groupBy(
    [...due, ...firing],
    ({ node, feature, periodStart }) => `${node} ${feature} ${periodStart?.getTime()}`,
  );
  const steps = [...groups.values()].map((rows) =>
    crossedTogether(
      rows
        .sort((a, b) => Number(a.threshold) - Number(b.threshold))
        .map((row) => ({ row, lifecycle: lifecycleOf(row) })),
    ),
  );
  const rowsOf = (ones: readonly { row: AlertRecord }[]) => ones.map(({ row }) => row);
  const reported = steps.flatMap((step) => rowsOf(step.notified)).filter(({ due }) => due !== null);
  return {
    // Alerts that the message about a higher threshold covered end with it, without a message.
    notifiable: reported.filter(({ passedWith }) => passedWith === null),
    passed: [
      ...steps.flatMap(({ passed }) => passed.map(({ lower, higher }) => ({ lower: lower.row, higher: higher.row }))),
      ...reported.flatMap((row) => (row.passedWith === null ? [] : [{ lower: row, higher: { id: row.passedWith } }])),
    ],
  };
}

async function notifiedWithin(tx: Queries, { id }: RuleRecord, sinceMs: number): Promise<number> {
  const found = await tx
    .select({ id: alerts.id })
    .from(alerts)
    .where(and(eq(alerts.ruleId, id), gt(alerts.notifiedAt, new Date(sinceMs)), isNull(alerts.passedWith)))
    .limit(maxSeparate + 1);
  return found.length;
}

function grouped(notifiable: readonly AlertRecord[]): AlertRecord[][] {
  return [...groupBy(notifiable, ({ due }) => due).values()];
}

const words: Readonly<Record<NotificationType, string>> = {
  "alert.firing": "",
  "alert.resolved": "Resolved: ",
  "alert.reminder": "Still firing: ",
};

/** Returns the ids of the notifications. All rows are due for the same kind of message. */
async function notifyTogether(
  tx: Queries,
  source: NotifySource,
  rule: RuleRecord,
  rows: readonly AlertRecord[],
  at: Date,
): Promise<string[]> {
  const type = rows[0]?.due;
  if (!type) return [];
  const ids = await notifyPeople(tx, await recipientsOf(tx, source.tree, rows), {
    type,
    at,
    tree: source.tree,
    publicUrl: source.publicUrl,
    lineOf: (row) => lineOf(source, row, type),
    together: (own) => togetherOf(source, rule, own, type),
    subjectOf: (row) => subjectOf(source, rule, row, type),
    aboutOf(rows) {
      const [only, ...others] = new Set(rows.map(({ node }) => tenantOf(node, source.tree)));
      return others.length > 0 ? "all" : (only ?? "all");
    },
  });
  await sendTogether(tx, source, rule, rows, type);
  return ids;
}

const nameOf = ({ tree }: NotifySource, node: NodeAddress) => tree.get(node)?.name ?? node;
const lineOf = (source: NotifySource, row: AlertRecord, type: NotificationType) =>
  `${words[type]}${nameOf(source, row.node)}: ${row.explanation}`;
const subjectOf = (source: NotifySource, rule: RuleRecord, row: AlertRecord, type: NotificationType) =>
  `${words[type]}${rule.name}: ${nameOf(source, row.node)}`;

function togetherOf(
  source: NotifySource,
  rule: RuleRecord,
  rows: readonly AlertRecord[],
  type: NotificationType,
  aboutOf = ({ node }: AlertRecord) => node,
) {
  const parts = rows.map((row, index) => {
    const lines = index < listedInMessage ? [lineOf(source, row, type)] : [];
    return { alerts: [row.id], node: aboutOf(row), lines };
  });
  return combinedMessage({ of: "rule", opening: words[type], rule: rule.name }, parts);
}

async function sendTogether(
  tx: Queries,
  source: NotifySource,
  rule: RuleRecord,
  rows: readonly AlertRecord[],
  type: NotificationType,
): Promise<void> {
  if (rule.channels.length === 0) return;
  const passed = await passedWith(tx, rows);
  const messages = (await audiencesOf(tx, source, rule, rows)).flatMap(({ node, people, programs, rows: own }) => {
    // A channel of a former owner still gets what was its owner's: of its own node, since the other stands elsewhere.
    const aboutOf = (row: AlertRecord) => (source.tree.isWithin(row.node, node) ? row.node : node);
    const messageOf = (row: AlertRecord, wanted: string[]): AlertMessage => ({
      type,
      channels: wanted,
      alert: describeAlert({ ...row, due: null }, source.publicUrl, { passed }),
      subject: subjectOf(source, rule, row, type),
      lines: [lineOf(source, row, type)],
      about: aboutOf(row),
      once: `${row.id} ${type} ${row.dueSince?.getTime()}`,
    });
    const [first, ...others] = own;
    if (!first) return [];
    const toPeople = messageOf(first, people);
    const alert = { id: first.id, node: first.node, url: `${source.publicUrl}/alerts?rule=${rule.id}` };
    return [
      ...(programs.length > 0 ? own.map((row) => messageOf(row, programs)) : []),
      others.length === 0 ? toPeople : { ...toPeople, alert, ...togetherOf(source, rule, own, type, aboutOf) },
    ];
  });
  await enqueueDeliveries(tx, messages, source.tree);
}

interface Audience {
  /** The channels'. */
  node: NodeAddress;
  /** Ids of the channels that get all in one message, with a list. */
  people: string[];
  /** And of those that are given each alert as it is. */
  programs: string[];
  rows: AlertRecord[];
}

/** Each channel gets the alerts at its node and below; channels of one node share a message. */
async function audiencesOf(
  tx: Queries,
  { tree }: NotifySource,
  rule: RuleRecord,
  rows: readonly AlertRecord[],
): Promise<Audience[]> {
  const found = await tx
    .select({ id: channels.id, node: channels.node, kind: channels.kind })
    .from(channels)
    .where(inArray(channels.id, rule.channels));
  return [...groupBy(found, ({ node }) => node)].map(([node, ones]) => ({
    node,
    people: ones.filter(({ kind }) => kind !== "webhook").map(({ id }) => id),
    programs: ones.filter(({ kind }) => kind === "webhook").map(({ id }) => id),
    rows: rows.filter((row) => isOwnedBy(row, node, tree)),
  }));
}

function groupBy<One, Key>(ones: readonly One[], keyOf: (one: One) => Key): Map<Key, One[]> {
  const groups = new Map<Key, One[]>();
  for (const one of ones) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}
