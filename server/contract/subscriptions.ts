/** Subscriptions: which plan a node is under, since when, and in which billing cycles. */

import { z } from "zod";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { dateTimeSchema, usageTimeSchema } from "./date-times.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { overagePolicies } from "./plans.ts";
import { timeZoneSchema } from "./time-zones.ts";

/** `scheduled` has not begun; `expired` reached its end, `cancelled` was ended, or never began. */
export const subscriptionStatuses = ["scheduled", "trial", "active", "expired", "cancelled"] as const;
export type SubscriptionStatus = (typeof subscriptionStatuses)[number];

export const createSubscriptionSchema = z.strictObject({
  node: nodeAddressSchema,
  plan: z.string().max(100),
  version: z.int().min(1).optional().describe("A published version. Default: the newest"),
  starts_at: usageTimeSchema
    .optional()
    .describe("From 2000 on; counts from the start of its day in `tz`. Default: now"),
  anchor: z
    .int()
    .min(1)
    .max(31)
    .optional()
    .describe(
      "Day of the month on which cycles start; shorter months use their last day. Default: the day of the start",
    ),
  tz: timeZoneSchema.default("UTC").describe("IANA time zone of the cycles"),
  trial_ends_at: dateTimeSchema.optional(),
  expires_at: dateTimeSchema.optional(),
  renews: z.boolean().default(true).describe("Continues after `expires_at`"),
});
export type CreateSubscription = z.input<typeof createSubscriptionSchema>;

export const changeTimes = ["now", "next_cycle"] as const;
export const changeSubscriptionSchema = z.strictObject({
  plan: z.string().max(100).optional(),
  version: z.int().min(1).optional().describe("A published version. Default: the newest version of `plan`"),
  at: z.enum(changeTimes).default("now").describe("When the change of plan, or the cancellation, takes effect"),
  cancel: z.literal(true).optional(),
  trial_ends_at: dateTimeSchema.nullable().optional(),
  expires_at: dateTimeSchema.nullable().optional(),
  renews: z.boolean().optional(),
});
export type ChangeSubscription = z.input<typeof changeSubscriptionSchema>;

const planSinceSchema = z.object({
  plan: z.string(),
  version: z.int(),
  plan_name: z.string(),
  valid_from: z.string(),
});

export const subscriptionSchema = z.object({
  id: z.string(),
  node: nodeAddressSchema,
  node_name: z.string(),
  status: z.enum(subscriptionStatuses),
  plan: z.string().describe("The current terms; before the start, the first"),
  version: z.int(),
  plan_name: z.string(),
  anchor: z.int(),
  tz: z.string(),
  starts_at: z.string(),
  trial_ends_at: z.string().nullable(),
  expires_at: z.string().nullable(),
  renews: z.boolean(),
  cancelled_at: z.string().nullable(),
  created_at: z.string(),
  history: z.array(planSinceSchema).describe("Oldest first, including future ones"),
});
export type Subscription = z.infer<typeof subscriptionSchema>;

/** What a version gives its subscribers, without its prices: so that who is subscribed knows it of a plan that stands above them. */
export const subscriptionDetailSchema = subscriptionSchema.extend({
  next_cycle_at: z
    .string()
    .nullable()
    .describe("When a change at `next_cycle` would take effect; null once it has ended"),
  history: z
    .array(
      planSinceSchema.extend({
        features: z.array(
          z.object({
            key: z.string(),
            enabled: z.boolean(),
            meter: z.string().nullable(),
            included: z.string().nullable(),
            overage: z.enum(overagePolicies),
          }),
        ),
      }),
    )
    .describe("Oldest first, including future ones"),
});
export type SubscriptionDetail = z.infer<typeof subscriptionDetailSchema>;

export const subscriptionQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("This node and everything below it. Default: the caller's node"),
  status: z.enum(subscriptionStatuses).optional(),
  plan: z.string().max(100).optional().describe("Only those currently on this plan"),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: cursorSchema,
});
export const subscriptionListSchema = z.object({
  subscriptions: z.array(subscriptionSchema),
  next_cursor: nextCursorSchema,
});
export type SubscriptionList = z.infer<typeof subscriptionListSchema>;
