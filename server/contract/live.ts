/**
 * The live view, over GET /v1/live and Socket.IO. The client asks to `live:watch` a node; the server alone decides
 * from the session whether it may. Pushes are at most once: a gap in `sequence` means ask for a snapshot again.
 */
import { z } from "zod";
import { maxRooms, usualRooms } from "./live-rooms.ts";
import { nodeAddressSchema } from "./nodes.ts";
import type { AlertsChanged, NotificationPush, NotificationsRead } from "./notifications.ts";

/** For the sockets of one process. A tenant is one node right below the root with all below it. */
export const liveLimits = {
  maxSockets: 5_000,
  maxSocketsOfTenant: 1_000,
  maxSocketsOfCaller: 250,
  /** Connections that have not said yet who they are, or wait for it to be looked up. */
  maxOpening: 1_500,
  maxOpeningOfNetwork: 500,
  admittedWithinMs: 5_000,
  maxWatchesPerSecond: 10,
} as const;

export const liveLevelsSchema = z.object({
  live_participants: z.int(),
  live_sessions: z.int(),
  active_recordings: z.int(),
});
export type LiveLevels = z.infer<typeof liveLevelsSchema>;

export const liveRoomSchema = z.object({
  organization: z.string(),
  room: z.string(),
  session: z.string(),
  participants: z.int(),
  started_at: z.string(),
});
export type LiveRoom = z.infer<typeof liveRoomSchema>;

export const liveQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("Default: the caller's node"),
  rooms: z.coerce
    .number()
    .int()
    .min(1)
    .max(maxRooms)
    .default(usualRooms)
    .describe(`Maximum number of rooms; default ${usualRooms}`),
});

export const liveAnswerSchema = z.object({
  node: nodeAddressSchema,
  at: z.string(),
  watermark: z.string(),
  levels: liveLevelsSchema,
  rooms: z
    .array(liveRoomSchema)
    .describe(`The longest-running live rooms, at most as many as \`rooms\` allows; on the socket, ${usualRooms}`),
});
export type LiveAnswer = z.infer<typeof liveAnswerSchema>;

export type LiveSnapshot = LiveAnswer & { sequence: number };
export type LiveChanged = { node: string; sequence: number; at: string; watermark: string; levels: LiveLevels };
export type WatchResult = { ok: true; snapshot: LiveSnapshot } | { ok: false; code: string; message: string };

export interface ServerToClientEvents {
  /** After `live:watch`, whether the client also asked for an answer or not. */
  "live:snapshot": (snapshot: LiveSnapshot) => void;
  "live:changed": (change: LiveChanged) => void;
  /** To every socket of the notified person, whatever it watches. */
  "notification:new": (notification: NotificationPush) => void;
  /** To every socket of a person who has read notifications on some device. */
  "notification:read": (read: NotificationsRead) => void;
  /** To every socket that may see one of the alerts: each began, ended, or was acknowledged or snoozed. */
  "alerts:changed": (change: AlertsChanged) => void;
}
/** What is pushed besides the figures of the node that a socket watches. */
export interface Pushes {
  "notification:new": NotificationPush;
  "notification:read": NotificationsRead;
  "alerts:changed": AlertsChanged;
}
export interface ClientToServerEvents {
  /** Joins the room of `node` (null or left out: the caller's node), sends its snapshot and answers it. One node per socket: the last one asked. */
  "live:watch": (node: string | null, answer: (result: WatchResult) => void) => void;
}
