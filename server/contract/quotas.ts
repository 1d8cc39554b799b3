/** GET /v1/period and GET /v1/entitlements/{feature}: what of the limits of this billing cycle is used, and whether more may be. */
import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";
import { overagePolicies } from "./plans.ts";
import { quotaStatuses } from "./quota-status.ts";
import { subscriptionStatuses } from "./subscriptions.ts";

export const projectionSchema = z.object({
  value: z.string().describe("At the end of the cycle, at the pace so far"),
  low: z.string().nullable(),
  high: z
    .string()
    .nullable()
    .describe("8 of 10 cycles end between `low` and `high`, judging by past projections; null without enough history"),
  error_percent: z.number().nullable().describe("How far off past projections were, on average"),
});

export const quotaSchema = z.object({
  feature: z.string(),
  meter: z.string(),
  unit: z.string(),
  used: z.string(),
  limit: z
    .string()
    .nullable()
    .describe(
      "The limit on what is counted: for sums over time, each plan contributes its part of the cycle, and a trial has its own; null for no limit",
    ),
  percent: z.string().nullable().describe("Rounded down to 2 decimals; null without a limit"),
  status: z.enum(quotaStatuses).nullable(),
  overage: z.enum(overagePolicies),
  thresholds: z.array(z.object({ percent: z.number(), reached: z.boolean() })),
  projected: projectionSchema.nullable().describe("Given for sums over time during the cycle"),
  hit_at: z
    .string()
    .nullable()
    .describe("When the limit was reached, to the millisecond, or will be at the pace so far"),
  at: z.string().nullable().describe("Given for peaks: the first instant of the peak"),
});
export type Quota = z.infer<typeof quotaSchema>;

export const cycleUsageSchema = z.object({
  start: z.string(),
  end: z.string().describe("Exclusive"),
  plans: z
    .array(z.object({ plan: z.string(), version: z.int(), name: z.string(), from: z.string(), to: z.string() }))
    .describe("Which version applied in which part of the cycle"),
  counted: z
    .object({ from: z.string(), to: z.string().describe("Exclusive"), is_trial: z.boolean() })
    .nullable()
    .describe("What `quotas` cover: the trial, which is a period of its own, or the paid part of the cycle"),
  quotas: z.array(quotaSchema),
});

export const periodSchema = cycleUsageSchema.extend({
  node: nodeAddressSchema,
  tz: z.string(),
  anchor: z.int(),
  watermark: z.string(),
  subscription: z.object({ id: z.string(), status: z.enum(subscriptionStatuses) }).nullable(),
  days_remaining: z.int().describe("Whole calendar days in the time zone until the end"),
  hours_remaining: z.int().describe("Whole hours in addition to these days"),
  past: z.array(cycleUsageSchema).describe("Newest first"),
});
export type Period = z.infer<typeof periodSchema>;

export const periodQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional(),
  cycles: z.coerce.number().int().min(0).max(24).default(0).describe("Number of past cycles to include"),
});

export const entitlementReasons = [
  "within_limit",
  "unlimited",
  "overage_billed",
  "overage_notified",
  "overage_in_trial",
  "in_grace",
  "limit_reached",
  "nothing_included",
  "usage_unknown",
  "not_in_plan",
  "no_subscription",
  "suspended",
] as const;

export const entitlementSchema = z.object({
  node: nodeAddressSchema,
  feature: z.string(),
  allowed: z.boolean(),
  reason: z.enum(entitlementReasons),
  used: z.string().nullable(),
  limit: z.string().nullable(),
  percent: z.string().nullable(),
  status: z.enum(quotaStatuses).nullable(),
  grace_until: z.string().nullable(),
  as_of: z
    .string()
    .nullable()
    .describe("Every event accepted up to this instant is counted; null if there was nothing to count"),
  watermark: z.string().describe("Every event accepted up to this instant could be counted"),
});
export type Entitlement = z.infer<typeof entitlementSchema>;
