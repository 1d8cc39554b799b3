/** Plans: what a node may use, against which limits, at what prices. */
import { z } from "zod";
import { currencySchema } from "./currencies.ts";
import { nextCursorSchema } from "./cursors.ts";
import { amountDigits, billionthsOf } from "./decimals.ts";
import { nodeAddressSchema } from "./nodes.ts";

/** A decimal of 0 or more, kept as it was written; a number is taken as String() writes it. */
const decimal = (wholes: number, decimals: number) =>
  z
    .union([z.string(), z.number()])
    .transform(String)
    .refine(
      (text) => new RegExp(`^\\d{1,${wholes}}(\\.\\d{1,${decimals}})?$`).test(text),
      // What compares amounts is not asked about a text that is none.
      { message: `must be a decimal of 0 or more with at most ${decimals} decimals`, abort: true },
    );
const amountSchema = decimal(amountDigits.wholes, amountDigits.decimals);
const priceSchema = decimal(15, 12);

export const tierSchema = z.strictObject({
  up_to: amountSchema.nullable().describe("The last amount in the tier; null for the last tier, which has no end"),
  unit_price: priceSchema,
  flat_fee: priceSchema.optional().describe("Charged once if usage reaches this tier"),
});
export type Tier = z.infer<typeof tierSchema>;

export const maxTiers = 50;
/** Every feature with a price of most tiers at each level is half of it. */
export const maxTermsBytes = 2 * 1024 * 1024;
const tiersSchema = z
  .array(tierSchema)
  .min(1)
  .max(maxTiers)
  .refine((tiers) => tiers.every(({ up_to }, index) => (up_to === null) === (index === tiers.length - 1)), {
    message: "every tier except the last needs an `up_to`; the last needs null",
  })
  .refine((tiers) => tiers.every(({ up_to }, index) => isAbove(up_to, tiers[index - 1]?.up_to ?? "0")), {
    message: "each `up_to` must be greater than the one before",
  });

function isAbove(upTo: string | null, before: string): boolean {
  return upTo === null || billionthsOf(upTo) > billionthsOf(before);
}

export const pricingSchema = z.discriminatedUnion("model", [
  z
    .strictObject({ model: z.literal("graduated"), tiers: tiersSchema })
    .describe("Each unit at the price of its own tier"),
  z
    .strictObject({ model: z.literal("volume"), tiers: tiersSchema })
    .describe("All units at the price of the tier reached"),
  z
    .strictObject({
      model: z.literal("package"),
      size: amountSchema.refine((size) => Number(size) > 0, "must be above 0"),
      price: priceSchema,
    })
    .describe("Whole packages of `size` units; a started package is charged in full"),
]);
export type Pricing = z.infer<typeof pricingSchema>;

/** Who pays: what an organization pays is the price of the one above it, whose own price to the next one is its cost. */
export const priceLevels = ["organization", "reseller", "partner"] as const;
export type PriceLevel = (typeof priceLevels)[number];

const byLevel = <S extends z.ZodType>(schema: S) =>
  z
    .strictObject({ organization: schema.optional(), reseller: schema.optional(), partner: schema.optional() })
    .describe("What an organization pays, what a reseller pays for it, and what a partner pays for it");

export const overagePolicies = ["block", "bill", "notify"] as const;

/** Percent of the limit. */
export const defaultThresholds: readonly number[] = [50, 75, 90, 100];

export const planFeatureSchema = z
  .strictObject({
    key: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, "must be lower-case letters, digits, - and _"),
    enabled: z.boolean().default(true),
    meter: z
      .string()
      .max(64)
      .nullable()
      .default(null)
      .describe("The meter it is measured by; null for features that are only on or off"),
    included: amountSchema
      .nullable()
      .default(null)
      .describe("The amount per cycle that the fixed fee covers, which is also the quota's limit; null for no limit"),
    overage: z
      .enum(overagePolicies)
      .default("notify")
      .describe(
        "What happens over `included`: usage is blocked, it is charged by `prices`, or people are only notified",
      ),
    grace_hours: z
      .int()
      .min(0)
      .max(8_784)
      .default(0)
      .describe("With `block`: how long usage is still allowed after the limit is reached"),
    prices: byLevel(pricingSchema).default({}).describe("Prices of usage over `included`"),
    thresholds: z
      .array(z.number().positive().max(1_000))
      .max(20)
      .default([...defaultThresholds])
      .describe("Percentages of the limit at which people are notified"),
  })
  .refine(({ meter, included }) => meter !== null || included === null, {
    path: ["included"],
    message: "needs a meter",
  })
  .refine(({ overage, prices }) => overage === "bill" || Object.keys(prices).length === 0, {
    path: ["prices"],
    message: "can only be set with the overage policy `bill`",
  })
  .refine(({ overage, grace_hours }) => overage === "block" || grace_hours === 0, {
    path: ["grace_hours"],
    message: "can only be set with the overage policy `block`",
  });
export type PlanFeature = z.infer<typeof planFeatureSchema>;

export const planTermsSchema = z.strictObject({
  currency: currencySchema,
  fixed_fee: byLevel(priceSchema).default({}).describe("For a whole cycle"),
  features: z
    .array(planFeatureSchema)
    .max(100)
    .default([])
    .refine((features) => new Set(features.map(({ key }) => key)).size === features.length, "must not repeat a key"),
});
export type PlanTerms = z.infer<typeof planTermsSchema>;
/** As a caller writes them. */
export type PlanTermsInput = z.input<typeof planTermsSchema>;

const nameSchema = z.string().min(1).max(256);
export const createPlanSchema = planTermsSchema.extend({
  name: nameSchema,
  node: nodeAddressSchema.optional().describe("The node it belongs to. Default: the caller's node"),
  offered: z.boolean().default(false).describe("Whether nodes below can see it and subscribe to it"),
});

export type CreatePlan = z.input<typeof createPlanSchema>;

export const changePlanSchema = z.strictObject({
  name: nameSchema.optional(),
  offered: z.boolean().optional(),
  terms: planTermsSchema
    .optional()
    .describe("Replaces the terms of the draft; if all versions are published, starts a new draft"),
});

export const planStatuses = ["draft", "published"] as const;

/** `prices` and `fixed_fee` hold only what the caller may see. */
export const planVersionSchema = z.object({
  version: z.int(),
  status: z.enum(planStatuses),
  published_at: z.string().nullable(),
  currency: currencySchema,
  fixed_fee: byLevel(z.string()),
  features: z.array(planFeatureSchema),
});

export const planSchema = z.object({
  id: z.string(),
  name: z.string(),
  node: nodeAddressSchema,
  offered: z.boolean(),
  created_at: z.string(),
  versions: z.array(planVersionSchema).describe("Newest first; at most one is a draft"),
});
export type Plan = z.infer<typeof planSchema>;
export type PlanVersion = z.infer<typeof planVersionSchema>;
export const planListSchema = z.object({ plans: z.array(planSchema), next_cursor: nextCursorSchema });
export type PlanList = z.infer<typeof planListSchema>;
