/**
 * Sends the digest of the day to each person who wants one. The mail is written to the outbox in the transaction that removes what
 * it contains: however often a process dies, each day is sent once. What somebody may not see any more is left out.
 */
import { and, asc, eq, inArray, lte } from "drizzle-orm";
import { enqueueMail } from "../delivery/enqueue.ts";
import { combinedMessage } from "../delivery/message-parts.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { alerts, digestEntries, notificationPreferences } from "../postgres/schema/alerts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { recipientsOf } from "./people.ts";
import { mailListOf } from "./preferences.ts";
import { type AlertRecord, describeAlert } from "./read-alerts.ts";

export interface DigestSource {
  postgres: Postgres;
  tree: Pick<NodeTree, "ancestors" | "effectiveStatus" | "get">;
  /** Without a slash at its end. */
  publicUrl: string;
}

const peopleAtOnce = 500;
const listedInMail = 100;

/** Any number of processes may do it beside each other. Throws after everybody else was served. */
export async function sendDigests(source: DigestSource, nowMs: number): Promise<void> {
  const due = await source.postgres.db
    .selectDistinct({ userId: digestEntries.userId })
    .from(digestEntries)
    .where(lte(digestEntries.dueAt, new Date(nowMs)))
    .limit(peopleAtOnce);
  const failures: unknown[] = [];
  for (const { userId } of due)
    await source.postgres
      .transaction((tx) => sendDigest(tx, source, userId, nowMs))
      .catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, "digests could not be sent");
}

async function sendDigest(tx: Queries, source: DigestSource, userId: string, nowMs: number): Promise<void> {
  const [own] = await tx
    .select()
    .from(notificationPreferences)
    .where(eq(notificationPreferences.userId, userId))
    .for("update", { skipLocked: true });
  // Another process is at it.
  if (!own) return;
  const isDue = and(eq(digestEntries.userId, userId), lte(digestEntries.dueAt, new Date(nowMs)));
  const entries = await tx.delete(digestEntries).where(isDue).returning();
  if (entries.length === 0) return;
  const rows = await tx
    .select()
    .from(alerts)
    .where(
      inArray(
        alerts.id,
        entries.map(({ alertId }) => alertId),
      ),
    )
    .orderBy(asc(alerts.at), asc(alerts.id));
  const [person] = await recipientsOf(tx, source.tree, rows, userId);
  if (!person) return;
  await mailDigest(tx, source, person);
}

async function mailDigest(
  tx: Queries,
  { tree, publicUrl }: DigestSource,
  { id, email, rows }: { id: string; email: string; rows: readonly AlertRecord[] },
): Promise<void> {
  const isFiring = ({ state }: AlertRecord) => state === "firing" || state === "no_data";
  const ordered = [...rows.filter(isFiring), ...rows.filter((row) => !isFiring(row))];
  const rowOf = (row: AlertRecord) => {
    const { rule_name, severity, state, explanation, at, resolved_at, url } = describeAlert(row, publicUrl);
    const moments = `started ${momentOf(at)}${resolved_at === null ? "" : `, resolved ${momentOf(resolved_at)}`}`;
    const title = `${rule_name} (${severity}, ${state.replace("_", " ")})`;
    return { title, text: explanation, about: `${tree.get(row.node)?.name ?? row.node}, ${moments}`, url };
  };
  const parts = ordered.map((row, index) => ({
    alerts: [row.id],
    node: row.node,
    lines: [],
    isFiring: isFiring(row),
    ...(index < listedInMail && { row: rowOf(row) }),
  }));
  await enqueueMail(tx, tree, {
    type: "digest",
    node: "all",
    to: [email],
    list: mailListOf(id),
    attachments: [],
    ...combinedMessage({ of: "digest" }, parts),
    url: `${publicUrl}/alerts`,
    button: "View alerts",
  });
}

const momentOf = (instant: string) => `${instant.slice(0, 16).replace("T", " ")} UTC`;
