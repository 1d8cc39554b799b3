/** /v1/deliveries: what was sent where, with every attempt. A delivery is one message to one address. */
import { z } from "zod";
import { channelKinds } from "./channels.ts";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { defaultPageSize } from "./pages.ts";

/** What a message is about; `report` is mail with files, `digest` one person's notifications of a day. */
export const messageTypes = [
  "alert.firing",
  "alert.resolved",
  "alert.reminder",
  "channel.test",
  "report",
  "digest",
] as const;
export type MessageType = (typeof messageTypes)[number];

/** `failed`: not taken yet, to be tried again; `given_up`: not tried any more unless somebody resends it. */
export const deliveryStates = ["waiting", "sent", "failed", "given_up"] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export const deliveryAttemptSchema = z.object({
  at: z.string(),
  status: z.int().nullable().describe("The status of the answer, over HTTP or SMTP; null if there was none"),
  ms: z.int().describe("How long the attempt took"),
  excerpt: z.string().describe("The start of the answer, or why there was none"),
});

/** The kinds of channels, and `bucket`: the folder or bucket where the operator keeps scheduled reports. */
export const deliveryKinds = [...channelKinds, "bucket"] as const;
export type DeliveryKind = (typeof deliveryKinds)[number];

export const deliverySchema = z.object({
  id: z
    .string()
    .describe("The `webhook-id` of a webhook, and part of an email's `Message-ID`; the same for every attempt"),
  type: z.enum(messageTypes),
  node: nodeAddressSchema.describe("The channel's node"),
  channel: z.string().nullable().describe("Null for a bucket, and for email to addresses that belong to no channel"),
  channel_name: z.string().nullable().describe("Null if the channel was deleted"),
  kind: z.enum(deliveryKinds).describe("`bucket`: the files of a scheduled report, in the operator's storage"),
  to: z.string().nullable().describe("The address or number, or the path in a bucket; null for webhooks"),
  alert: z.string().nullable().describe("The first alert, if the message is about several"),
  subject: z.string(),
  state: z.enum(deliveryStates),
  attempts: z.array(deliveryAttemptSchema).describe("Oldest first"),
  next_attempt_at: z.string().nullable(),
  created_at: z.string(),
  sent_at: z.string().nullable(),
});
export type Delivery = z.infer<typeof deliverySchema>;

export const deliveryDetailSchema = deliverySchema.extend({
  request: z
    .object({
      url: z.string(),
      headers: z.record(z.string(), z.string()).describe("With a current `webhook-signature`"),
      body: z.string(),
    })
    .nullable()
    .describe(
      "The request of an alert or a test to a webhook or Slack, as it would be sent now; null for callers who cannot change the channel, and if it is no longer sent",
    ),
});
export type DeliveryDetail = z.infer<typeof deliveryDetailSchema>;

export const deliveryListSchema = z.object({ deliveries: z.array(deliverySchema), next_cursor: nextCursorSchema });
export type DeliveryList = z.infer<typeof deliveryListSchema>;

export const deliveryQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("Through channels of this node and below. Default: the caller's node"),
  alert: z.string().min(1).max(100).optional().describe("Deliveries about this alert, alone or with others"),
  channel: z.string().min(1).max(100).optional(),
  state: z.enum(deliveryStates).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(defaultPageSize),
  cursor: cursorSchema,
});
