/** GET /v1/organizations: the organizations of a node with their plan, users, usage and quota status. */
import { z } from "zod";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { nodeAddressSchema, nodeStatuses } from "./nodes.ts";
import { quotaStatuses } from "./quota-status.ts";
import { subscriptionStatuses } from "./subscriptions.ts";
import { timeZoneSchema } from "./time-zones.ts";
import { figureSchema } from "./usage.ts";

export const organizationSorts = ["name", "usage", "created", "users", "relevance"] as const;
export type OrganizationSort = (typeof organizationSorts)[number];
export const quotaFilters = [...quotaStatuses, "none"] as const;

/** The meter that a reseller of transcriptions asks about. */
export const defaultMeter = "transcribed_minutes";

/** One or several of some words, separated by commas. */
const oneOrMore = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(words)))
    .optional();

export const organizationQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("This node and everything below it. Default: the caller's node"),
  search: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe("Text in names, IDs and external IDs; also matches the start of words with one or two typos"),
  plan: z.string().max(2_000).optional().describe("Plan IDs, separated by commas; `none`: no subscription"),
  status: oneOrMore(nodeStatuses).describe("One or more, separated by commas"),
  quota: oneOrMore(quotaFilters).describe(
    "Status of the most used limit; one or more, separated by commas. `none`: no limits",
  ),
  meter: z.string().min(1).max(100).default(defaultMeter).describe("The meter that `usage` shows"),
  tz: timeZoneSchema.default("UTC").describe("IANA time zone of the month"),
  sort: z
    .enum(organizationSorts)
    .optional()
    .describe("Default: `relevance` (best matches first) with `search`, otherwise `name`"),
  order: z.enum(["asc", "desc"]).optional().describe("Default: names from A to Z, everything else largest first"),
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  cursor: cursorSchema,
});

export const organizationSchema = z.object({
  node: nodeAddressSchema,
  id: z.string(),
  name: z.string(),
  external_id: z.string().nullable(),
  parent: nodeAddressSchema.nullable().describe("null if the caller cannot see it"),
  status: z.enum(nodeStatuses),
  plan: z
    .object({ id: z.string(), name: z.string(), version: z.int(), status: z.enum(subscriptionStatuses) })
    .nullable()
    .describe("The plan of the current subscription"),
  users: z.int().describe("People with a role at the organization or one of its agents, except disabled ones"),
  usage: figureSchema.describe("Usage of `meter` this month, as far as it belonged to the requested node"),
  quota: z
    .object({
      status: z.enum(quotaStatuses),
      feature: z.string(),
      title: z.string().describe("The meter's unit"),
      percent: z.string().nullable().describe("null for a limit of 0"),
    })
    .nullable()
    .describe("The most used limit of the current billing cycle; null if nothing is limited"),
  missing: z
    .boolean()
    .describe("Its limits could not be read: `quota` is null for this reason, and no quota filter matches it"),
  created_at: z.string(),
});
export type Organization = z.infer<typeof organizationSchema>;

/** Nodes that one answer names. */
export const mostMissingNamed = 20;

/** What of an answer is not there because it could not be read: the rest is as complete as `watermark` says. */
export const missingFiguresSchema = z
  .object({
    total: z.int().describe("How many nodes"),
    nodes: z.array(nodeAddressSchema).max(mostMissingNamed).describe("The first of them"),
  })
  .describe("Nodes whose limits or charges could not be read just now. They are missing here; the service retries");
export type MissingFigures = z.infer<typeof missingFiguresSchema>;

export const organizationListSchema = z.object({
  node: nodeAddressSchema,
  watermark: z.string().describe("Every event accepted up to this instant is included"),
  tz: z.string(),
  month: z.object({ start: z.string(), end: z.string().describe("Exclusive") }),
  meter: z.string(),
  unit: z.string(),
  total: z.int().describe("How many match, on all pages"),
  missing: missingFiguresSchema,
  organizations: z.array(organizationSchema),
  next_cursor: nextCursorSchema,
});
export type OrganizationList = z.infer<typeof organizationListSchema>;
