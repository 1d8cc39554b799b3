/** GET /v1/usage: the question and the answer. */
import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";

export const windowKinds = ["minute", "hour", "day", "week", "month", "quarter", "year", "total"] as const;
export type WindowKind = (typeof windowKinds)[number];
export const fillKinds = ["zero", "null", "none"] as const;
export type FillKind = (typeof fillKinds)[number];

export const usageQuerySchema = z.strictObject({
  meter: z.string().min(1).describe("One or several meters, separated by commas"),
  node: nodeAddressSchema.optional().describe("Defaults to the caller's node"),
  from: z
    .string()
    .optional()
    .describe("RFC 3339 instant, date (its first instant in `tz`), or `now`; default: 30 days before `to`"),
  to: z.string().optional().describe("Exclusive; the same forms; default `now`"),
  window: z.enum(windowKinds).default("day"),
  tz: z.string().default("UTC").describe("IANA time zone"),
  fill: z.enum(fillKinds).default("zero"),
});
export type UsageQuery = z.infer<typeof usageQuerySchema>;

/** Sums and minutes are decimal strings, counts and peaks numbers; null where `fill=null` found no data. */
export const figureSchema = z.union([z.string(), z.number(), z.null()]);
export type Figure = z.infer<typeof figureSchema>;

export const usagePointSchema = z.object({
  start: z.string().describe("RFC 3339 with the offset of `tz`"),
  end: z.string(),
  value: figureSchema,
  partial: z.boolean().describe("The window is still running, or was cut by `from` or `to`"),
  at: z.string().nullable().optional().describe("Peaks: the first instant of the peak"),
});
export type UsagePoint = z.infer<typeof usagePointSchema>;

export const meterUsageSchema = z.object({
  meter: z.string(),
  unit: z.string(),
  total: figureSchema,
  at: z.string().nullable().optional(),
  series: z.array(usagePointSchema),
});
export type MeterUsage = z.infer<typeof meterUsageSchema>;

export const usageAnswerSchema = z.object({
  node: nodeAddressSchema,
  from: z.string(),
  to: z.string(),
  tz: z.string(),
  window: z.enum(windowKinds),
  watermark: z.string(),
  meters: z.array(meterUsageSchema),
});
export type UsageAnswer = z.infer<typeof usageAnswerSchema>;

export const meterSchema = z.object({
  meter: z.string(),
  title: z.string(),
  unit: z.string(),
  description: z.string(),
});
export type MeterSummary = z.infer<typeof meterSchema>;
