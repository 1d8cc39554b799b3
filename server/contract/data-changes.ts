/** GET /v1/data-changes: what changed figures of days that were over. */
import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";
import { timeZoneSchema } from "./time-zones.ts";

/** Counting what came late reads every minute of the range. */
export const maxLateDays = 100;

export const dataChangesQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("This node and everything below it. Default: the caller's node"),
  from: z
    .string()
    .optional()
    .describe("RFC 3339 instant, date (its first instant in `tz`), or `now`; default: 30 days before `to`"),
  to: z.string().optional().describe("Exclusive; the same forms; default `now`"),
  tz: timeZoneSchema.default("UTC").describe("IANA time zone of the days"),
});

const dayShape = { start: z.string(), end: z.string(), events: z.int() };

export const dataChangesSchema = z.object({
  node: nodeAddressSchema,
  from: z.string(),
  to: z.string(),
  tz: z.string(),
  corrected: z
    .array(z.object({ ...dayShape, last_at: z.string().describe("When the last of these events was corrected") }))
    .describe("Days whose events were voided or amended, by the time of the events; days without any are left out"),
  late: z
    .array(z.object(dayShape))
    .nullable()
    .describe(
      `Days on which events arrived a day or more after their time, which changed the values of earlier days; null for a range longer than ${maxLateDays} days`,
    ),
});
export type DataChanges = z.infer<typeof dataChangesSchema>;
