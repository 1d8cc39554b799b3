/** GET /v1/explain: what is behind one figure. */
import { z } from "zod";
import { correctedRecordSchema, correctionSchema } from "./corrections.ts";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { queryWithFilters } from "./filters.ts";
import { meterSchema } from "./meters.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { timeZoneSchema } from "./time-zones.ts";
import { meterUsageSchema } from "./usage.ts";

export const explainQuerySchema = queryWithFilters({
  meter: z.string().min(1).describe("One meter"),
  node: nodeAddressSchema.optional().describe("Defaults to the caller's node"),
  from: z.string().describe("Start of the window: an RFC 3339 instant, or a date (its first instant in `tz`)"),
  to: z.string().default("now").describe("Exclusive"),
  tz: timeZoneSchema.default("UTC").describe("IANA time zone"),
  limit: z.coerce.number().int().min(1).max(1_000).default(20).describe("Number of events in the sample"),
  cursor: cursorSchema.describe("`next_cursor` of the previous sample; repeat to get all events"),
});

export const explainAnswerSchema = z.object({
  node: nodeAddressSchema,
  from: z.string(),
  to: z.string(),
  tz: z.string(),
  watermark: z.string().describe("Every event accepted up to this instant is included"),
  meter: meterSchema,
  figure: meterUsageSchema.omit({ series: true, groups: true, comparison: true, unit: true, meter: true }),
  events: z.object({
    count: z
      .int()
      .describe(
        "The events behind the value; for a level, including those that began before the window and reach into it",
      ),
    last_received_at: z.string().nullable(),
    sample: z.array(correctedRecordSchema.extend({ received_at: z.string() })).describe("Newest first"),
    next_cursor: nextCursorSchema,
  }),
  corrections: z
    .array(correctionSchema)
    .describe("The 100 newest corrections of events that are or were in the window, oldest first"),
});
