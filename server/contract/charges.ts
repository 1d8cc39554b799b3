/** GET /v1/charges: what a billing cycle costs so far, line by line, at each level that the caller may see. */
import { z } from "zod";
import { currencySchema } from "./currencies.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { priceLevels } from "./plans.ts";

export const chargeLineSchema = z.object({
  kind: z.enum(["fixed_fee", "usage"]),
  feature: z.string().nullable(),
  meter: z.string().nullable(),
  plan: z.string(),
  version: z.int(),
  from: z.string(),
  to: z.string().describe("Exclusive"),
  tier: z.int().nullable().describe("Starts at 1; null for fees and packages"),
  quantity: z
    .string()
    .describe(
      "Units, packages, or part of a cycle, rounded to 9 decimals; the amount is calculated from the exact quantity",
    ),
  unit_price: z.string(),
  flat_fee: z.string(),
  amount: z
    .string()
    .describe(
      "quantity × unit_price + flat_fee, rounded half to even to the currency's minor unit; nothing else is rounded",
    ),
});
export type ChargeLine = z.infer<typeof chargeLineSchema>;

export const chargesAtLevelSchema = z.object({
  level: z.enum(priceLevels).describe("The level that pays this"),
  currency: currencySchema,
  lines: z.array(chargeLineSchema),
  total: z.string().describe("The sum of the lines"),
  margin: z
    .string()
    .nullable()
    .describe("What the payer keeps of what the level below pays; null if that is not priced in the same currency"),
});
export type ChargesAtLevel = z.infer<typeof chargesAtLevelSchema>;

/** A line as a file has it, beside those of other levels. */
export const chargeRowSchema = z.object({
  ...chargesAtLevelSchema.pick({ level: true, currency: true }).shape,
  ...chargeLineSchema.shape,
});

export const chargesSchema = z.object({
  node: nodeAddressSchema,
  start: z.string(),
  end: z.string().describe("Exclusive"),
  watermark: z.string(),
  levels: z
    .array(chargesAtLevelSchema)
    .describe("Nearest to the node first; one entry per currency if a plan change brought another"),
});
export type Charges = z.infer<typeof chargesSchema>;

export const chargesQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional(),
  cycle: z.coerce.number().int().min(0).max(24).default(0).describe("0 is the current cycle, 1 the one before it"),
});
