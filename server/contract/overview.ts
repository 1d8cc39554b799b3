/** GET /v1/overview: a node's month, for who sells to the organizations below it. */
import { z } from "zod";
import { currencySchema } from "./currencies.ts";
import { modelTiers } from "./models.ts";
import { nodeAddressSchema, nodeStatuses } from "./nodes.ts";
import { defaultMeter, missingFiguresSchema, quotaFilters } from "./organizations.ts";
import { priceLevels } from "./plans.ts";
import { timeZoneSchema } from "./time-zones.ts";
import { figureSchema } from "./usage.ts";

export const overviewQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional(),
  meter: z
    .string()
    .min(1)
    .max(100)
    .default(defaultMeter)
    .describe("What trends, averages, ranks and breakdowns are of"),
  tz: timeZoneSchema.default("UTC").describe("IANA zone of the month and its days"),
  limit: z.coerce.number().int().min(1).max(100).default(10).describe("How many of each rank"),
});

const growthSchema = z.object({
  from: z.string(),
  to: z.string().describe("Exclusive; while the month runs, the same elapsed part"),
  total: figureSchema,
  delta: figureSchema,
  percent: z.number().nullable().describe("null where that total is 0"),
});
export type Growth = z.infer<typeof growthSchema>;

const rankedSchema = z.object({
  key: z.string().describe("An organization's id, a user, or a value of the dimension; '' for none"),
  name: z.string(),
  total: figureSchema,
  share: z.number().nullable().describe("Share of all, not only of those listed"),
  rank: z.int(),
  previous_total: figureSchema,
  previous_rank: z
    .int()
    .nullable()
    .describe("In the same elapsed part of the month before; null where there was no usage"),
});
export type Ranked = z.infer<typeof rankedSchema>;

const averageSchema = z.object({
  organizations: z.int(),
  mean: z.string().nullable().describe("Rounded to 6 decimals"),
  median: z.string().nullable(),
});

const pointSchema = z.object({ start: z.string(), end: z.string(), value: figureSchema, partial: z.boolean() });

/** One row of the lists of an overview, as a file has them one below the other. */
export const overviewRowSchema = z.object({
  list: z.enum(["days", "months", "organizations", "users", "languages", "models"]),
  key: z.string().describe("For days and months, their start"),
  name: z.string(),
  total: figureSchema,
  share: z.number().nullable(),
  rank: z.int().nullable(),
  previous_total: figureSchema.nullable(),
  previous_rank: z.int().nullable(),
});
export type OverviewRow = z.infer<typeof overviewRowSchema>;

export const overviewSchema = z.object({
  node: nodeAddressSchema,
  watermark: z.string().describe("Everything accepted until then is in the figures"),
  tz: z.string(),
  month: z.object({ start: z.string(), end: z.string().describe("Exclusive") }),
  meter: z.string(),
  title: z.string(),
  unit: z.string(),
  missing: missingFiguresSchema,
  organizations: z.object({
    total: z.int(),
    new: z.int().describe("Made this month"),
    by_status: z.record(z.enum(nodeStatuses), z.int()),
    by_quota: z
      .record(z.enum(quotaFilters), z.int())
      .describe("By the most used limit; `none`: nothing is limited; without those that are `missing`"),
  }),
  subscriptions: z.object({
    active: z.int().describe("Organizations with a running subscription beyond its trial"),
    trial: z.int(),
  }),
  users: z.int().describe("With a role at an organization or agent below the node, each once"),
  usage: z
    .array(
      z.object({
        meter: z.string(),
        title: z.string(),
        unit: z.string(),
        total: figureSchema,
        month_over_month: growthSchema,
        year_over_year: growthSchema,
      }),
    )
    .describe("This month so far, the asked meter first"),
  days: z.array(pointSchema).describe("The days of this month and the one before"),
  months: z.array(pointSchema).describe("The last 13, the running one last"),
  peak_day: z
    .object({ date: z.string(), value: figureSchema })
    .nullable()
    .describe("The day of this month with the most"),
  averages: z
    .object({ all: averageSchema, active: averageSchema.describe("Averaged over those with any usage") })
    .describe("Usage per organization this month"),
  forecast: z
    .object({
      value: z.string(),
      low: z.string().nullable(),
      high: z
        .string()
        .nullable()
        .describe("8 of 10 months ended between `low` and `high`, by how such projections turned out"),
      error_percent: z
        .number()
        .nullable()
        .describe("By how much such projections of past months were wrong on average"),
    })
    .nullable()
    .describe("The month's end at the pace so far; null of what is no sum over time"),
  top: z.object({
    organizations: z.array(rankedSchema),
    users: z.array(
      rankedSchema.extend({
        organization: z.string().nullable().describe("null where several have a user of this id"),
        minutes: z.string().describe("Transcribed"),
        documents: z.int(),
        last_active: z.string().nullable(),
      }),
    ),
    languages: z.array(rankedSchema).describe("Empty where the meter has no languages"),
    models: z
      .array(
        rankedSchema.extend({
          tier: z.enum(modelTiers).nullable().describe("null of a model that is not registered"),
          documents: z.int(),
          accuracy: z.string().nullable().describe("Percent, weighted by minutes"),
        }),
      )
      .describe("Empty where the meter has no models"),
  }),
  adoption: z.array(
    z.object({
      feature: z.string(),
      title: z.string(),
      organizations: z.int().describe("That used it this month"),
      share: z.number().nullable().describe("Share of all organizations"),
      new: z.int().describe("For the first time"),
      ever: z.int(),
      first_use: z.string().nullable().describe("To the quarter of an hour"),
      first_organization: z.string().nullable(),
    }),
  ),
  revenue: z
    .array(
      z.object({
        level: z.enum(priceLevels).describe("Who pays it"),
        currency: currencySchema,
        fixed_fees: z.string(),
        overage: z.string(),
        total: z.string(),
      }),
    )
    .nullable()
    .describe("So far, in the billing cycles that run; null without the right to see prices"),
});
export type Overview = z.infer<typeof overviewSchema>;
