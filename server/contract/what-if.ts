/** POST /v1/what-if: what a plan would have come to over cycles that are over, by what was really used. */
import { z } from "zod";
import { chargesAtLevelSchema } from "./charges.ts";
import { currencySchema } from "./currencies.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { overagePolicies, planTermsSchema, priceLevels } from "./plans.ts";

export const whatIfRequestSchema = z
  .strictObject({
    node: nodeAddressSchema.optional().describe("Default: the caller's node"),
    of: z
      .enum(["organizations", "node"])
      .default("organizations")
      .describe("Every organization at or below the node on the plan, or the node itself with all its usage"),
    cycles: z.int().min(1).max(12).default(3).describe("How many of the last completed cycles"),
    plan: z.string().max(100).optional(),
    version: z.int().min(1).optional().describe("Default: the newest, including drafts"),
    terms: planTermsSchema.optional().describe("Instead of `plan`: terms that are not stored anywhere"),
  })
  .refine(({ plan, terms }) => (plan === undefined) !== (terms === undefined), {
    path: ["plan"],
    message: "needs either `plan` or `terms`",
  })
  .refine(({ plan, version }) => plan !== undefined || version === undefined, {
    path: ["version"],
    message: "needs `plan`",
  });
export type WhatIfRequest = z.input<typeof whatIfRequestSchema>;

export const whatIfLimitSchema = z.object({
  feature: z.string(),
  meter: z.string(),
  unit: z.string(),
  used: z.string(),
  limit: z.string(),
  percent: z.string().nullable(),
  overage: z.enum(overagePolicies),
  alerts: z
    .array(z.object({ percent: z.number(), at: z.string().nullable() }))
    .describe("The thresholds that would have been reached, and when"),
  blocked_at: z.string().nullable().describe("After the grace period; null if nothing would have been blocked"),
});
export type WhatIfLimit = z.infer<typeof whatIfLimitSchema>;

const comparedSchema = z.object({
  level: z.enum(priceLevels),
  currency: currencySchema,
  total: z.string().describe("Under the plan being tested"),
  margin: z.string().nullable(),
  charged: z
    .string()
    .nullable()
    .describe("What was charged in this currency, with later adjustments; null if nothing was"),
  difference: z.string().nullable().describe("total - charged"),
});
export type WhatIfCompared = z.infer<typeof comparedSchema>;

export const whatIfCycleSchema = z.object({
  start: z.string(),
  end: z.string(),
  from: z.string().describe("The part that is charged: without a trial and without time under other parents"),
  to: z.string(),
  basis: z
    .enum(["statement", "computed", "none"])
    .describe("What `charged` is: the closed statement's amount, an estimate from current data, or no plan"),
  compared: z.array(comparedSchema),
  charges: z.array(chargesAtLevelSchema),
  limits: z.array(whatIfLimitSchema).describe("Features for which a threshold would have been reached"),
});
export type WhatIfCycle = z.infer<typeof whatIfCycleSchema>;

/** What one cycle of one node would have come to at one level, as a file has it. */
export const whatIfRowSchema = z.object({
  node: nodeAddressSchema,
  name: z.string(),
  ...whatIfCycleSchema.pick({ start: true, end: true, basis: true }).shape,
  ...comparedSchema.shape,
});

export const whatIfSchema = z.object({
  node: nodeAddressSchema,
  watermark: z.string(),
  currency: currencySchema,
  totals: z.array(comparedSchema).describe("Across all nodes and cycles"),
  charged_elsewhere: z
    .array(z.object({ level: z.enum(priceLevels), currency: currencySchema, charged: z.string() }))
    .describe("Charged in other currencies and not compared"),
  blocked: z.array(nodeAddressSchema).describe("Organizations that would have been blocked at least once"),
  alerted: z.array(nodeAddressSchema),
  nodes: z.array(z.object({ node: nodeAddressSchema, name: z.string(), cycles: z.array(whatIfCycleSchema) })),
});
export type WhatIf = z.infer<typeof whatIfSchema>;
