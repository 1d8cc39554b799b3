/** Pushes what changed in Postgres to the sockets of those whom it concerns, in every process. The page shows what was missed. */
import { eq, inArray } from "drizzle-orm";
import type { Logger } from "pino";
import type { Pushes } from "../contract/live.ts";
import type { Actor } from "../identity/actor.ts";
import { narrowTo } from "../identity/permissions.ts";
import { parseJson } from "../json/parse-json.ts";
import type { Postgres } from "../postgres/client.ts";
import { alerts, notifications } from "../postgres/schema/alerts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { wasWithin } from "../tree/past-owners.ts";
import { alertsNotices, type Notice, noticeSchema } from "./notices.ts";
import { countUnread, describeNotification } from "./notifications.ts";
import { passedWith } from "./read-alerts.ts";
import { seesAlert, visibleAlerts } from "./visibility.ts";

export interface PushSource {
  postgres: Postgres;
  tree: Pick<NodeTree, "children" | "isWithin" | "pathsBetween">;
  publicUrl: string;
  push: <Event extends keyof Pushes>(
    event: Event,
    payloadFor: (actor: Actor) => Promise<Pushes[Event] | undefined>,
    userId?: string,
  ) => Promise<void>;
  log: Pick<Logger, "warn">;
}

/** Resolves when it listens, with the function that ends it. */
export async function pushNotifications(source: PushSource): Promise<() => void> {
  const { postgres, log } = source;
  const subscriber = {
    notified(payload: string) {
      push(source, noticeSchema.parse(parseJson(payload))).catch((error: unknown) => {
        log.warn({ err: error }, "notifications were not pushed; they are on the page");
      });
    },
    listening: () => undefined,
  };
  await postgres.notices.subscribe(alertsNotices, subscriber);
  return () => postgres.notices.unsubscribe(alertsNotices, subscriber);
}

async function push(source: PushSource, notice: Notice): Promise<void> {
  if (notice.notifications) await pushNew(source, notice.notifications);
  if (notice.alerts) await pushChanged(source, notice.alerts);
  if (notice.reader !== undefined) await pushRead(source, notice.reader);
}

async function pushNew({ postgres: { db }, tree, publicUrl, push: emit }: PushSource, ids: string[]): Promise<void> {
  const rows = await db
    .select({ notification: notifications, alert: alerts })
    .from(notifications)
    .innerJoin(alerts, eq(alerts.id, notifications.alertId))
    .where(inArray(notifications.id, ids));
  const passed = await passedWith(
    db,
    rows.map(({ alert }) => alert),
  );
  for (const row of rows) {
    const payloadFor = async (caller: Actor) => {
      const actor = narrowTo(caller, "read");
      if (!actor || !seesAlert(actor, row.alert, tree)) return undefined;
      const unread = await countUnread(db, actor.id, visibleAlerts(actor, tree));
      return { ...describeNotification(row, publicUrl, { wasWithin: wasWithin(tree, actor.reach), passed }), unread };
    };
    await emit("notification:new", payloadFor, row.notification.userId);
  }
}

async function pushChanged({ postgres: { db }, tree, push: emit }: PushSource, ids: string[]): Promise<void> {
  const { id, node, kind, owners } = alerts;
  const changed = await db.select({ id, node, kind, owners }).from(alerts).where(inArray(alerts.id, ids));
  await emit("alerts:changed", async (caller) => {
    const actor = narrowTo(caller, "read");
    const seen = actor ? changed.filter((alert) => seesAlert(actor, alert, tree)) : [];
    return seen.length === 0 ? undefined : { alerts: seen.map((alert) => alert.id) };
  });
}

async function pushRead({ postgres: { db }, tree, push: emit }: PushSource, userId: string): Promise<void> {
  const payloadFor = async (caller: Actor) => {
    const actor = narrowTo(caller, "read");
    return actor && { unread: await countUnread(db, actor.id, visibleAlerts(actor, tree)) };
  };
  await emit("notification:read", payloadFor, userId);
}
