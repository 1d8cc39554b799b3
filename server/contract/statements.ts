/** Statements: what a node owes for a billing cycle, frozen when it is closed, and what became of the payment. */

import { z } from "zod";
import { currencySchema } from "./currencies.ts";
import { nextCursorSchema } from "./cursors.ts";
import { dateTimeSchema } from "./date-times.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { pageQuery } from "./pages.ts";
import { paymentStatuses } from "./payment-status.ts";
import { priceLevels } from "./plans.ts";

/**
 * `subscription`: by a node's own plan. `summary`: of a reseller or a partner, all that the statements below it and its own
 * come to. `correction`: adjustments of a node that gets no further statement here.
 */
export const statementKinds = ["subscription", "summary", "correction"] as const;
export type StatementKind = (typeof statementKinds)[number];

/** `adjustment`: what later events changed of an earlier statement. `statement`: the whole of another statement. */
export const statementLineKinds = ["fixed_fee", "usage", "adjustment", "statement"] as const;

export const statementLineSchema = z.object({
  kind: z.enum(statementLineKinds),
  node: nodeAddressSchema.describe("The node whose usage this is"),
  statement: z.string().nullable().describe("The statement being adjusted or summarized"),
  feature: z.string().nullable(),
  meter: z.string().nullable(),
  plan: z.string().nullable(),
  version: z.int().nullable(),
  from: z.string(),
  to: z.string().describe("Exclusive"),
  tier: z.int().nullable().describe("Starts at 1; null for fees, packages and whole statements"),
  quantity: z.string().describe("In an adjustment: the change in quantity, negative for less"),
  unit_price: z.string(),
  flat_fee: z.string(),
  amount: z.string().describe("In the currency's minor unit; negative for credit"),
});
export type StatementLine = z.infer<typeof statementLineSchema>;

export const statementChargesSchema = z.object({
  level: z.enum(priceLevels).describe("The level that pays this"),
  payer: nodeAddressSchema,
  lines: z.array(statementLineSchema),
  total: z.string().describe("The sum of the lines"),
  margin: z
    .string()
    .nullable()
    .describe("What the payer keeps of what the level below pays; null if that level pays nothing under this plan"),
});
export type StatementCharges = z.infer<typeof statementChargesSchema>;

export const statementUsageSchema = z.object({
  feature: z.string(),
  meter: z.string(),
  unit: z.string(),
  plan: z.string(),
  version: z.int(),
  from: z.string(),
  to: z.string(),
  used: z.string(),
  included: z
    .string()
    .nullable()
    .describe("The limit in this part of the cycle or trial, rounded half to even to 6 decimals; null for no limit"),
  is_trial: z.literal(true).optional().describe("Used in the trial; nothing is charged for it"),
});
export type StatementUsage = z.infer<typeof statementUsageSchema>;

export const paymentSchema = z.object({
  status: z.enum(paymentStatuses),
  at: z.string(),
  reason: z.string().nullable(),
  reference: z.string().nullable().describe("The payment's reference in another system"),
  by: z.string().describe("Who set it: a user, a key, or the payment provider's message"),
});
export type Payment = z.infer<typeof paymentSchema>;

export const statementAdjustmentSchema = z.object({
  id: z.string(),
  at: z.string().describe("When it was last calculated; never again once a statement includes it"),
  carried_by: z.string().nullable().describe("The statement it is charged on; null until one is closed"),
  charges: z.array(statementChargesSchema.pick({ level: true, lines: true, total: true })),
});

/** Amounts are there only for who may see prices: `charges`, `income`, `total` and `margin` are empty or null else. */
export const statementSchema = z.object({
  id: z.string(),
  kind: z.enum(statementKinds),
  node: nodeAddressSchema.describe("The payer"),
  node_name: z.string(),
  parent: nodeAddressSchema.describe(
    "The payee: the node directly above at the time, as it was known when the statement was closed",
  ),
  currency: currencySchema,
  subscription: z.string().nullable(),
  cycle: z.object({ start: z.string(), end: z.string().describe("Exclusive") }),
  from: z.string().describe("The part of the cycle it covers; a node that moves has one under each parent"),
  to: z.string().describe("Exclusive"),
  tz: z.string(),
  closed_at: z.string(),
  plans: z
    .array(z.object({ plan: z.string(), version: z.int(), name: z.string(), from: z.string(), to: z.string() }))
    .describe("Which version applied in which part"),
  total: z.string().nullable().describe("What the node pays"),
  income: z.string().nullable().describe("What the nodes directly below pay; null if it sells nothing"),
  margin: z.string().nullable().describe("income - total"),
  adjusted_total: z.string().nullable().describe("Including changes from later events, wherever those are charged"),
  payment: paymentSchema.pick({ status: true, at: true }),
  summary: z.string().nullable().describe("The summary it is part of, if the caller can see that"),
});
export type Statement = z.infer<typeof statementSchema>;

const adjustedUntilSchema = z
  .string()
  .nullable()
  .describe("Events accepted until then are in the adjustments and in `adjusted_total`; null while that is not known");

const wholeStatementSchema = statementSchema.extend({
  usage: z.array(statementUsageSchema),
  charges: z.array(statementChargesSchema).describe("At the levels the caller can see, the node's own first"),
  income_lines: z.array(statementLineSchema),
  adjustments: z.array(statementAdjustmentSchema).describe("Oldest first"),
  payments: z.array(paymentSchema).describe("Newest first"),
});
export type StatementDetail = z.infer<typeof wholeStatementSchema>;

export const statementDetailSchema = wholeStatementSchema.extend({ watermark: adjustedUntilSchema });

export const statementQuerySchema = z.strictObject({
  ...pageQuery,
  node: nodeAddressSchema.optional().describe("This node and everything that was below it. Default: the caller's node"),
  from: z
    .string()
    .optional()
    .describe("Statements whose part of a cycle ended at or after this; same forms as elsewhere"),
  to: z.string().optional().describe("Statements whose part of a cycle ended before this"),
  cycle: z.string().optional().describe("Statements whose cycle contains this instant or date"),
  kind: z.enum(statementKinds).optional(),
  status: z.enum(paymentStatuses).optional().describe("The payment's status"),
});

export const statementListSchema = z.object({
  watermark: adjustedUntilSchema,
  statements: z.array(statementSchema),
  next_cursor: nextCursorSchema,
});
export type StatementList = z.infer<typeof statementListSchema>;

export const setPaymentSchema = z.strictObject({
  status: z.enum(paymentStatuses),
  at: dateTimeSchema.optional().describe("When the status changed. Default: now; never later"),
  reason: z.string().min(1).max(1000).optional(),
  reference: z.string().min(1).max(256).optional(),
});

/** The body of a payment provider's message. */
export const paymentMessageSchema = z.object({
  type: z.literal("statement.payment"),
  data: setPaymentSchema.extend({ statement: z.string().min(1).max(100) }),
});

export const paymentReceiptSchema = z.object({
  statement: z.string(),
  status: z.enum(paymentStatuses).describe("The statement's current status"),
  duplicate: z.boolean().describe("Whether the message had already been processed"),
});
