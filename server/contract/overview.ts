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
    .describe("The meter for trends, averages, ranks and breakdowns"),
  tz: timeZoneSchema.default("UTC").describe("IANA time zone of the month and its days"),
  limit: z.coerce.number().int().min(1).max(100).default(10).describe("Number of entries in each ranking"),
});

const growthSchema = z.object({
  from: z.string(),
  to: z.string().describe("Exclusive; during the month, the end of the elapsed part"),
  total: figureSchema,
  delta: figureSchema,
  percent: z.number().nullable().describe("null if that total is 0"),
});
export type Growth = z.infer<typeof growthSchema>;

const rankedSchema = z.object({
  key: z.string().describe("An organization's ID, a user, or a value of the dimension; '' for none"),
  name: z.string(),
  total: figureSchema,
  share: z.number().nullable().describe("Share of all, not only of those listed"),
  rank: z.int(),
  previous_total: figureSchema,
  previous_rank: z
    .int()
    .nullable()
    .describe("In the same elapsed part of the month before; null if there was no usage"),
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
  watermark: z.string().describe("Every event accepted up to this instant is included"),
  tz: z.string(),
  month: z.object({ start: z.string(), end: z.string().describe("Exclusive") }),
  meter: z.string(),
  title: z.string(),
  unit: z.string(),
  missing: missingFiguresSchema,
  organizations: z.object({
    total: z.int(),
    new: z.int().describe("Created this month"),
    by_status: z.record(z.enum(nodeStatuses), z.int()),
    by_quota: z
      .record(z.enum(quotaFilters), z.int())
      .describe("By the most used limit; `none`: nothing is limited. Organizations in `missing` are left out"),
  }),
  subscriptions: z.object({
    active: z.int().describe("Organizations with a current subscription that is past its trial"),
    trial: z.int(),
  }),
  users: z.int().describe("People with a role at an organization or agent below the node, counted once each"),
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
    .describe("This month so far, the requested meter first"),
  days: z.array(pointSchema).describe("The days of this month and the one before"),
  months: z.array(pointSchema).describe("The last 13 months, the current one last"),
  peak_day: z
    .object({ date: z.string(), value: figureSchema })
    .nullable()
    .describe("The day of this month with the most usage"),
  averages: z
    .object({ all: averageSchema, active: averageSchema.describe("Averaged over organizations with any usage") })
    .describe("Usage per organization this month"),
  forecast: z
    .object({
      value: z.string(),
      low: z.string().nullable(),
      high: z
        .string()
        .nullable()
        .describe("8 of 10 months ended between `low` and `high`, judging by past projections"),
      error_percent: z.number().nullable().describe("How far off past projections were, on average"),
    })
    .nullable()
    .describe("The month's end at the pace so far; null for meters that are not sums over time"),
  top: z.object({
    organizations: z.array(rankedSchema),
    users: z.array(
      rankedSchema.extend({
        organization: z.string().nullable().describe("null if several organizations have a user with this ID"),
        minutes: z.string().describe("Transcribed"),
        documents: z.int(),
        last_active: z.string().nullable(),
      }),
    ),
    languages: z.array(rankedSchema).describe("Empty if the meter has no languages"),
    models: z
      .array(
        rankedSchema.extend({
          tier: z.enum(modelTiers).nullable().describe("null for a model that is not registered"),
          documents: z.int(),
          accuracy: z.string().nullable().describe("Percent, weighted by minutes"),
        }),
      )
      .describe("Empty if the meter has no models"),
  }),
  adoption: z.array(
    z.object({
      feature: z.string(),
      title: z.string(),
      organizations: z.int().describe("Organizations that used it this month"),
      share: z.number().nullable().describe("Share of all organizations"),
      new: z.int().describe("Organizations that used it for the first time"),
      ever: z.int(),
      first_use: z.string().nullable().describe("To within a quarter of an hour"),
      first_organization: z.string().nullable(),
    }),
  ),
  revenue: z
    .array(
      z.object({
        level: z.enum(priceLevels).describe("The level that pays"),
        currency: currencySchema,
        fixed_fees: z.string(),
        overage: z.string(),
        total: z.string(),
      }),
    )
    .nullable()
    .describe("So far, in the current billing cycles; null without permission to see prices"),
});
export type Overview = z.infer<typeof overviewSchema>;
