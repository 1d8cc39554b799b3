/** GET /v1/usage: the question and the answer. */
import { z } from "zod";
import { queryWithFilters } from "./filters.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { timeZoneSchema } from "./time-zones.ts";

export const windowKinds = ["minute", "hour", "day", "week", "month", "quarter", "year", "cycle", "total"] as const;
export type WindowKind = (typeof windowKinds)[number];
export const fillKinds = ["zero", "null", "none"] as const;
export type FillKind = (typeof fillKinds)[number];

const usageParameters = z.object({
  meter: z.string().min(1).describe("One or more meters, separated by commas"),
  node: z
    .string()
    .max(20_000)
    .optional()
    .describe("One or more nodes, separated by commas. Default: the caller's node"),
  from: z
    .string()
    .optional()
    .describe("RFC 3339 instant, date (its first instant in `tz`), or `now`; default: 30 days before `to`"),
  to: z.string().optional().describe("Exclusive; the same forms; default `now`"),
  window: z.enum(windowKinds).default("day"),
  anchor: z.coerce
    .number()
    .int()
    .min(1)
    .max(31)
    .optional()
    .describe(
      "Day of the month on which cycles start, in `tz`. Default: the cycles of the node's subscriptions past and present (with several nodes, the first one's), each in its own time zone and cut where a subscription starts or ends; without a subscription, from the 1st",
    ),
  tz: timeZoneSchema
    .optional()
    .describe(
      "IANA time zone. Default: UTC; for windows of a cycle, the time zone of the node's subscription at `from`",
    ),
  fill: z.enum(fillKinds).default("zero"),
  group_by: z
    .string()
    .max(256)
    .optional()
    .describe(
      "A dimension that all requested meters have; `partner`, `reseller`, `organization`, `agent`, `user`, `room` and `session` are dimensions of every meter",
    ),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .describe("Number of groups shown individually, largest first; the rest are combined into `other`"),
  compare: z
    .string()
    .optional()
    .describe(
      "`previous` (as many whole months or cycles before, otherwise a range of the same length), `year` (the same dates a year before) or FROM/TO; adds a `comparison` to each meter. Windows are paired with the same day and hour of the compared month, cycle or year, otherwise with the same local time elapsed since the start; a window without a counterpart is paired with nothing",
    ),
  compare_partial: z
    .enum(["same", "full"])
    .default("same")
    .describe("While the requested range is in progress: compare with the same elapsed part, or with all of it"),
  compare_match: z
    .enum(["date", "weekday"])
    .default("date")
    .describe("`weekday` shifts by whole weeks: `year` by 52, `previous` by as few as fit the range"),
});
/** Besides filters. */
export type UsageQuery = z.infer<typeof usageParameters>;
export const usageQuerySchema = queryWithFilters(usageParameters.shape);

/** Sums and minutes are decimal strings, counts and peaks numbers; null where `fill=null` found no data. */
export const figureSchema = z.union([z.string(), z.number(), z.null()]);
export type Figure = z.infer<typeof figureSchema>;

/** What belongs to some figures. */
const usageDetails = {
  at: z.string().nullable().optional().describe("Peaks: the first instant of the peak; null when it is 0"),
  average: z
    .string()
    .nullable()
    .optional()
    .describe("Sums: the average per event. Levels by value: the average over time"),
  peak: figureSchema.optional().describe("Levels by value: the highest value"),
  relative_error: z
    .number()
    .optional()
    .describe("Distinct counts: the possible error as a fraction of the count; 0 means exact, as it is at any size"),
  organization: z.string().nullable().optional().describe("The organization of `session`"),
  session: z.string().nullable().optional().describe("Peaks within one session: that session"),
};
const usageDetailsSchema = z.object(usageDetails);
export type UsageDetails = z.infer<typeof usageDetailsSchema>;

export const usagePointSchema = z.object({
  start: z.string().describe("RFC 3339 with the offset of `tz`"),
  end: z.string(),
  value: figureSchema,
  partial: z.boolean().describe("The window is still in progress, or was cut by `from` or `to`"),
  ...usageDetails,
});
export type UsagePoint = z.infer<typeof usagePointSchema>;

export const usageGroupSchema = z.object({
  key: z.string().describe("The value of the dimension, '' if not set; `other` if `is_other`"),
  is_other: z.boolean().optional().describe("Everything beyond `limit`, combined"),
  total: figureSchema,
  share: z
    .number()
    .nullable()
    .describe("total / the meter's total. Shares of sums add up to 1; those of peaks and distinct counts need not"),
  ...usageDetails,
  series: z.array(usagePointSchema),
});
export type UsageGroup = z.infer<typeof usageGroupSchema>;

export const usageComparisonSchema = z.object({
  from: z.string(),
  to: z
    .string()
    .describe(
      "Exclusive; the current instant's counterpart in the compared range while the requested one is in progress",
    ),
  total: figureSchema.describe("Over the whole compared range; null if none of the requested dates exist in that year"),
  ...usageDetails,
  delta: figureSchema.describe("The requested total minus this one"),
  percent: z.number().nullable().describe("delta as a percentage of this total's size; null if that is 0"),
  series: z
    .array(
      usagePointSchema.extend({
        start: z
          .string()
          .nullable()
          .describe("Null, like `end` and `value`, if the requested window has no counterpart"),
        end: z.string().nullable(),
        against: z.string().describe("Start of the requested window it is paired with"),
      }),
    )
    .describe("One for each requested window, in order; with `fill=none`, only those with data"),
});
export type ComparedPoint = UsageComparison["series"][number];
export type UsageComparison = z.infer<typeof usageComparisonSchema>;

export const meterUsageSchema = z.object({
  meter: z.string(),
  unit: z.string(),
  total: figureSchema,
  ...usageDetails,
  series: z.array(usagePointSchema),
  groups: z.array(usageGroupSchema).optional().describe("With `group_by`: largest first"),
  comparison: usageComparisonSchema.optional().describe("With `compare`; for the whole meter, not its groups"),
});
export type MeterUsage = z.infer<typeof meterUsageSchema>;

const usageHead = {
  from: z.string(),
  to: z.string(),
  tz: z.string(),
  window: z.enum(windowKinds),
  watermark: z.string(),
};
const nodeUsage = { node: nodeAddressSchema, meters: z.array(meterUsageSchema) };

export const usageAnswerSchema = z.object({ ...usageHead, ...nodeUsage });
export type UsageAnswer = z.infer<typeof usageAnswerSchema>;

/** The answer when several nodes were asked for. */
export const nodesUsageAnswerSchema = z.object({ ...usageHead, nodes: z.array(z.object(nodeUsage)) });
export type NodesUsageAnswer = z.infer<typeof nodesUsageAnswerSchema>;
