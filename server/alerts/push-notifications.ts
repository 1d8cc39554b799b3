/** Pushes new notifications from Postgres to the sockets of their readers, in every process. The page shows what was missed. */
import { eq, inArray } from "drizzle-orm";
import type { Logger } from "pino";
import { z } from "zod";
import type { NotificationPush } from "../contract/notifications.ts";
import type { Actor } from "../identity/actor.ts";
import { narrowTo } from "../identity/permissions.ts";
import type { Postgres } from "../postgres/client.ts";
import type { Subscriber } from "../postgres/notices.ts";
import { alerts, notifications } from "../postgres/schema/alerts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { countUnread, describeNotification } from "./notifications.ts";
import { notificationsChannel } from "./tell.ts";
import { seesAlert, visibleAlerts } from "./visibility.ts";

interface PushSource {
  postgres: Postgres;
  tree: Pick<NodeTree, "children" | "isWithin">;
  publicUrl: string;
  notify: (userId: string, told: (actor: Actor) => Promise<NotificationPush | undefined>) => Promise<void>;
  log: Pick<Logger, "warn">;
}

const idsSchema = z.array(z.string());

/** Resolves when it listens, with the function that ends it. */
export async function pushNotifications(source: PushSource): Promise<() => void> {
  const { postgres, log } = source;
  const subscriber: Subscriber = {
    notified(payload) {
      push(source, idsSchema.parse(JSON.parse(payload))).catch((error: unknown) => {
        log.warn({ err: error }, "notifications were not pushed; they are on the page");
      });
    },
    listening: () => undefined,
  };
  await postgres.notices.subscribe(notificationsChannel, subscriber);
  return () => postgres.notices.unsubscribe(notificationsChannel, subscriber);
}

async function push({ postgres: { db }, tree, publicUrl, notify }: PushSource, ids: string[]): Promise<void> {
  const rows = await db
    .select({ notification: notifications, alert: alerts })
    .from(notifications)
    .innerJoin(alerts, eq(alerts.id, notifications.alertId))
    .where(inArray(notifications.id, ids));
  for (const told of rows)
    await notify(told.notification.userId, async (caller) => {
      const actor = narrowTo(caller, "read");
      if (!actor || !seesAlert(actor, told.alert, tree)) return undefined;
      const unread = await countUnread(db, actor.id, visibleAlerts(actor, tree));
      return { ...describeNotification(told, publicUrl), unread };
    });
}
