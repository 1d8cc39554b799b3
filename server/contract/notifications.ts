/** The bell of the dashboard: a person's notifications, the same on all their devices. */
import { z } from "zod";
import { alertSchema } from "./alerts.ts";
import { nextCursorSchema } from "./cursors.ts";
import { pageQuery } from "./pages.ts";

export const notificationTypes = ["alert.firing", "alert.resolved", "alert.reminder"] as const;
export type NotificationType = (typeof notificationTypes)[number];

export const notificationSchema = z.object({
  id: z.string(),
  type: z.enum(notificationTypes),
  at: z.string(),
  read_at: z.string().nullable(),
  text: z.string().describe("What happened, in one line"),
  alert: alertSchema.describe("Its current state; if several were sent together, that of the first"),
  others: z.int().describe("How many more alerts of the same rule were sent with it"),
});
export type Notification = z.infer<typeof notificationSchema>;

export const notificationQuerySchema = z.strictObject({
  unread: z.enum(["true", "false"]).optional().describe("Only unread ones, or only read ones"),
  limit: pageQuery.limit,
  cursor: pageQuery.cursor,
});
export const notificationListSchema = z.object({
  notifications: z.array(notificationSchema),
  unread: z.int().describe("How many of the caller's notifications are unread"),
  next_cursor: nextCursorSchema,
});

export const readNotificationsSchema = z.union([
  z.strictObject({ ids: z.array(z.string().max(100)).min(1).max(1_000) }),
  z.strictObject({ all: z.literal(true) }),
]);
export type ReadNotifications = z.infer<typeof readNotificationsSchema>;
export const readNotificationsAnswerSchema = z.object({ unread: z.int() });

/** Pushed as `notification:new`; `unread` counts this one too. */
export type NotificationPush = Notification & { unread: number };
/** Pushed as `notification:read`. */
export interface NotificationsRead {
  unread: number;
}
/** Pushed as `alerts:changed`: the ids of those that the receiver may see. */
export interface AlertsChanged {
  alerts: string[];
}
