/** /v1/channels: where alerts and reports are sent, beside the dashboard's bell, which is always there and is no channel. */
import { z } from "zod";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { defaultPageSize } from "./pages.ts";
import { changesOrWhole } from "./sent-back.ts";
import { textSchema } from "./text.ts";

export const channelKinds = ["email", "webhook", "slack", "sms"] as const;
export type ChannelKind = (typeof channelKinds)[number];

const named = (list: readonly string[]) => new Set(list.map((one) => one.toLowerCase())).size === list.length;

export const mailAddressSchema = textSchema(254).pipe(z.email("must be an email address"));
const mailAddressesSchema = z.array(mailAddressSchema).min(1).max(50).refine(named, "must name each address only once");
export const phoneNumberSchema = z
  .string()
  .regex(/^\+[1-9]\d{6,14}$/, "must be a phone number in E.164 form, such as +14155550100");
const phoneNumbersSchema = z.array(phoneNumberSchema).min(1).max(20).refine(named, "must name each number only once");
const targetUrlSchema = textSchema(2048).describe(
  "http or https, with a public address unless the operator allows others",
);
const monthlyCapSchema = z
  .int()
  .min(1)
  .max(100_000)
  .describe("Messages per calendar month (UTC); any more are not sent");

const common = {
  name: textSchema(256),
  node: nodeAddressSchema
    .optional()
    .describe(
      "The node it belongs to: it receives messages about this node and everything below it. Default: the caller's node",
    ),
  enabled: z.boolean().default(true),
};

export const createChannelSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("email"), ...common, to: mailAddressesSchema }),
  z.strictObject({ kind: z.literal("webhook"), ...common, url: targetUrlSchema }),
  z.strictObject({ kind: z.literal("slack"), ...common, url: targetUrlSchema }),
  z.strictObject({
    kind: z.literal("sms"),
    ...common,
    to: phoneNumbersSchema,
    monthly_cap: monthlyCapSchema.default(200),
  }),
]);
export type CreateChannel = z.infer<typeof createChannelSchema>;

/** A channel stays of its kind; what its kind does not have is refused. */
export const changeChannelSchema = z.strictObject({
  name: textSchema(256).optional(),
  enabled: z.boolean().optional(),
  to: z.union([mailAddressesSchema, phoneNumbersSchema]).optional().describe("For `email` and `sms`"),
  url: targetUrlSchema.optional().describe("For `webhook` and `slack`"),
  monthly_cap: monthlyCapSchema.optional().describe("For `sms`"),
});
export type ChangeChannel = z.infer<typeof changeChannelSchema>;

export const channelSchema = z.object({
  id: z.string(),
  name: z.string(),
  node: nodeAddressSchema,
  kind: z.enum(channelKinds),
  enabled: z.boolean(),
  disabled_because: z.string().nullable().describe("Why the service disabled it; null if it did not"),
  to: z.array(z.string()).optional().describe("For `email` and `sms`"),
  unsubscribed: z.array(z.string()).optional().describe("For `email`: addresses in `to` that have unsubscribed"),
  url: z
    .string()
    .optional()
    .describe(
      "For `webhook` and `slack`. Shown in full only to callers who can change the channel, because anyone who knows it may be able to post to it",
    ),
  monthly_cap: z.int().optional().describe("For `sms`"),
  sent_this_month: z.int().optional().describe("For `sms`"),
  old_secret_until: z
    .string()
    .nullable()
    .optional()
    .describe("For `webhook`: until when messages are also signed with the previous secret"),
  created_at: z.string(),
});
export type Channel = z.infer<typeof channelSchema>;

export const updateChannelSchema = changesOrWhole(changeChannelSchema, channelSchema);

export const createdChannelSchema = channelSchema.extend({
  secret: z
    .string()
    .optional()
    .describe("For `webhook`: the secret that signs its messages, `whsec_…`; shown only once"),
});
export type CreatedChannel = z.infer<typeof createdChannelSchema>;

export const channelListSchema = z.object({ channels: z.array(channelSchema), next_cursor: nextCursorSchema });
export type ChannelList = z.infer<typeof channelListSchema>;

export const channelQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("Channels of this node and below. Default: the caller's node"),
  kind: z.enum(channelKinds).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(defaultPageSize),
  cursor: cursorSchema,
});

export const testedChannelSchema = z.object({
  delivery: z.string().describe("Delivery ID: GET /v1/deliveries/{id} shows its attempts and outcome"),
  deliveries: z
    .array(z.string())
    .describe("One for each address or number of the channel; the first equals `delivery`"),
});
