/** Notifies each person in the ways that they want: by the bell, by mail at once, or with the digest of the day. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { NotificationType } from "../contract/notifications.ts";
import { enqueueMail } from "../delivery/enqueue.ts";
import type { combinedMessage } from "../delivery/message-parts.ts";
import { newId } from "../identity/actor.ts";
import type { Queries } from "../postgres/client.ts";
import { digestEntries, notifications } from "../postgres/schema/alerts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { nextDigestMs } from "./digest-time.ts";
import type { Person } from "./people.ts";
import { mailListOf, preferenceFor, readPreferences } from "./preferences.ts";
import { type AlertRecord, describeAlert } from "./read-alerts.ts";

export interface Notice {
  type: NotificationType;
  at: Date;
  lineOf: (row: AlertRecord) => string;
  subjectOf: (row: AlertRecord) => string;
  /** What a message says of several. */
  together: (rows: readonly AlertRecord[]) => ReturnType<typeof combinedMessage>;
  /** The node whose tenant's bound a mail about these alerts falls under. */
  aboutOf: (rows: readonly AlertRecord[]) => NodeAddress;
  tree: Pick<NodeTree, "ancestors">;
  /** Without a slash at its end. */
  publicUrl: string;
}

const rowsPerStatement = 1_000;

/** In the transaction that marks the alerts as notified. Returns the ids of the notifications. */
export async function notifyPeople(
  tx: Queries,
  people: readonly Person<AlertRecord>[],
  notice: Notice,
): Promise<string[]> {
  const preferences = await readPreferences(
    tx,
    people.map(({ id }) => id),
  );
  const rung: (typeof notifications.$inferInsert)[] = [];
  const kept: (typeof digestEntries.$inferInsert)[] = [];
  for (const person of people) {
    const [first, ...others] = person.rows;
    const own = preferences.get(person.id);
    if (!first || !own) continue;
    const { bell, mail } = preferenceFor(own, first.kind, first.severity);
    if (bell === "at_once") {
      const text = others.length === 0 ? notice.lineOf(first) : notice.together(person.rows).subject;
      const about = {
        userId: person.id,
        alertId: first.id,
        type: notice.type,
        text,
        others: others.map(({ id }) => id),
      };
      rung.push({ id: newId("ntf"), ...about, at: notice.at });
    }
    if (mail === "at_once") await mailTo(tx, person, first, notice);
    if (mail === "digest") {
      const dueAt = new Date(nextDigestMs({ at: own.digestAt, tz: own.digestTz }, notice.at.getTime()));
      for (const { id, kind, severity } of person.rows)
        kept.push({ userId: person.id, alertId: id, kind, severity, dueAt });
    }
  }
  for (let start = 0; start < rung.length; start += rowsPerStatement)
    await tx.insert(notifications).values(rung.slice(start, start + rowsPerStatement));
  for (let start = 0; start < kept.length; start += rowsPerStatement)
    await tx
      .insert(digestEntries)
      .values(kept.slice(start, start + rowsPerStatement))
      .onConflictDoNothing();
  return rung.map(({ id }) => id);
}

async function mailTo(
  tx: Queries,
  { id, email, rows }: Person<AlertRecord>,
  first: AlertRecord,
  { type, lineOf, together, subjectOf, aboutOf, publicUrl, tree }: Notice,
): Promise<void> {
  const isOne = rows.length === 1;
  await enqueueMail(tx, tree, {
    // Only those who see everything see who received it.
    type,
    node: "all",
    about: aboutOf(rows),
    isSystem: first.kind === "system",
    to: [email],
    list: mailListOf(id),
    attachments: [],
    ...(isOne ? { subject: subjectOf(first), lines: [lineOf(first)], alerts: [first.id] } : together(rows)),
    url: isOne ? describeAlert(first, publicUrl).url : `${publicUrl}/alerts?rule=${first.ruleId}`,
    button: isOne ? "View alert" : "View alerts",
    once: `${first.id} ${type} ${first.dueSince?.getTime()} ${id}`,
  });
}
