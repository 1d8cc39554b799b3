/** What the bell of the dashboard shows a person: only what they may still see. */
import { and, count, desc, eq, inArray, isNotNull, isNull, lt, or, type SQL } from "drizzle-orm";
import type { Notification, ReadNotifications } from "../contract/notifications.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import { alerts, notifications } from "../postgres/schema/alerts.ts";
import type { WasWithin } from "../tree/past-owners.ts";
import { noticeOfReader } from "./notices.ts";
import { type AlertRecord, describeAlert } from "./read-alerts.ts";

export type NotificationRecord = typeof notifications.$inferSelect;

export interface NotificationOfAlert {
  notification: NotificationRecord;
  alert: AlertRecord;
}

interface NotificationFilter {
  /** Narrows to the alerts that the person may see now. */
  seen: SQL | undefined;
  isUnread?: boolean | undefined;
  after?: { atMs: number; id: string } | undefined;
  limit: number;
}

/** The newest first. */
export async function listNotifications(
  db: Queries,
  userId: string,
  { seen, isUnread, after, limit }: NotificationFilter,
): Promise<NotificationOfAlert[]> {
  return await db
    .select({ notification: notifications, alert: alerts })
    .from(notifications)
    .innerJoin(alerts, eq(alerts.id, notifications.alertId))
    .where(
      and(
        eq(notifications.userId, userId),
        seen,
        isUnread === undefined ? undefined : isUnread ? isNull(notifications.readAt) : isNotNull(notifications.readAt),
        after &&
          or(
            lt(notifications.at, new Date(after.atMs)),
            and(eq(notifications.at, new Date(after.atMs)), lt(notifications.id, after.id)),
          ),
      ),
    )
    .orderBy(desc(notifications.at), desc(notifications.id))
    .limit(limit);
}

export async function countUnread(db: Queries, userId: string, seen: SQL | undefined): Promise<number> {
  const [found] = await db
    .select({ unread: count() })
    .from(notifications)
    .innerJoin(alerts, eq(alerts.id, notifications.alertId))
    .where(and(eq(notifications.userId, userId), isNull(notifications.readAt), seen));
  return found?.unread ?? 0;
}

/** Ignores ids of other people's notifications. All devices of the person are notified. */
export async function markRead(postgres: Postgres, userId: string, which: ReadNotifications, at: Date): Promise<void> {
  const chosen = "ids" in which ? inArray(notifications.id, which.ids) : undefined;
  await postgres.transaction(async (tx) => {
    const read = await tx
      .update(notifications)
      .set({ readAt: at })
      .where(and(eq(notifications.userId, userId), isNull(notifications.readAt), chosen))
      .returning({ id: notifications.id });
    if (read.length > 0) await noticeOfReader(tx, userId);
  });
}

/** As in an alert: `wasWithin` is its reader's past, `passed` what it stands for. */
export function describeNotification(
  { notification, alert }: NotificationOfAlert,
  publicUrl: string,
  reading: { wasWithin: WasWithin; passed: ReadonlyMap<string, number[]> },
): Notification {
  const { id, type, at, readAt, text, others } = notification;
  return {
    id,
    type,
    at: at.toISOString(),
    read_at: readAt?.toISOString() ?? null,
    text,
    alert: describeAlert(alert, publicUrl, reading),
    others: others.length,
  };
}
