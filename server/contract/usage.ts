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
  meter: z.string().min(1).describe("One or several meters, separated by commas"),
  node: z
    .string()
    .max(20_000)
    .optional()
    .describe("One or several nodes, separated by commas; default: the caller's node"),
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
      "Day of the month on which cycles begin, in `tz`; default: the cycles that the node's subscriptions had and have (of several nodes the first's), each in its own zone and cut where a subscription began or ended; from the 1st on where it had none",
    ),
  tz: timeZoneSchema
    .optional()
    .describe(
      "IANA time zone; default: UTC, for windows of a cycle that of the subscription which the node had at `from`",
    ),
  fill: z.enum(fillKinds).default("zero"),
  group_by: z
    .string()
    .max(256)
    .optional()
    .describe(
      "A dimension of every asked meter; `partner`, `reseller`, `organization`, `agent`, `user`, `room` and `session` are dimensions of all",
    ),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .describe("How many groups stand for themselves, the largest first; the rest folds into `other`"),
  compare: z
    .string()
    .optional()
    .describe(
      "`previous` (as many whole months or cycles before, else as long a range), `year` (the same dates a year before) or FROM/TO; adds a `comparison` to each meter. Windows stand beside the same day and hour of the compared month, cycle or year, else beside what clocks showed as long after the start; what has no such beside nothing",
    ),
  compare_partial: z
    .enum(["same", "full"])
    .default("same")
    .describe("While the asked range runs: the same elapsed part of the compared one, or all of it"),
  compare_match: z
    .enum(["date", "weekday"])
    .default("date")
    .describe("`weekday` moves by whole weeks: `year` by 52, `previous` by as few as the range fits into"),
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
    .describe("Sums: the average per event; levels by value: the average over the time"),
  peak: figureSchema.optional().describe("Levels by value: the highest"),
  relative_error: z
    .number()
    .optional()
    .describe("Distinct counts: how far off the count may be, as a part of it; 0: exact, as it is at any size"),
  organization: z.string().nullable().optional().describe("The organization of `session`"),
  session: z.string().nullable().optional().describe("Peaks inside one session: that session"),
};
const usageDetailsSchema = z.object(usageDetails);
export type UsageDetails = z.infer<typeof usageDetailsSchema>;

export const usagePointSchema = z.object({
  start: z.string().describe("RFC 3339 with the offset of `tz`"),
  end: z.string(),
  value: figureSchema,
  partial: z.boolean().describe("The window is still running, or was cut by `from` or `to`"),
  ...usageDetails,
});
export type UsagePoint = z.infer<typeof usagePointSchema>;

export const usageGroupSchema = z.object({
  key: z.string().describe("The value of the dimension, '' for none; `other` where `is_other`"),
  is_other: z.boolean().optional().describe("What `limit` left, taken together"),
  total: figureSchema,
  share: z
    .number()
    .nullable()
    .describe("total / the meter's total; shares of sums come to 1, those of peaks and distinct counts need not"),
  ...usageDetails,
  series: z.array(usagePointSchema),
});
export type UsageGroup = z.infer<typeof usageGroupSchema>;

export const usageComparisonSchema = z.object({
  from: z.string(),
  to: z.string().describe("Exclusive; where now lies in the compared range while the asked one runs"),
  total: figureSchema.describe("Over the whole compared range; null where none of the asked dates is in that year"),
  ...usageDetails,
  delta: figureSchema.describe("The asked total minus this one"),
  percent: z.number().nullable().describe("delta in percent of this total's size; null when that is 0"),
  series: z
    .array(
      usagePointSchema.extend({
        start: z
          .string()
          .nullable()
          .describe("Null, as `end` and `value`, where nothing stands beside the asked window"),
        end: z.string().nullable(),
        against: z.string().describe("The start of the asked window that it stands beside"),
      }),
    )
    .describe("One for each asked window, in their order; with `fill=none` those that have data"),
});
export type ComparedPoint = UsageComparison["series"][number];
export type UsageComparison = z.infer<typeof usageComparisonSchema>;

export const meterUsageSchema = z.object({
  meter: z.string(),
  unit: z.string(),
  total: figureSchema,
  ...usageDetails,
  series: z.array(usagePointSchema),
  groups: z.array(usageGroupSchema).optional().describe("With `group_by`: the largest first"),
  comparison: usageComparisonSchema.optional().describe("With `compare`; the whole meter, not its groups"),
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
