/** GET /v1/sessions: the sessions of a node and the intervals in them. (Sign-in is in accounts.ts.) */
import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { queryWithFilters } from "./filters.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { pageQuery } from "./pages.ts";

export const sessionStates = ["open", "ended"] as const;
export type SessionState = (typeof sessionStates)[number];

export const sessionsQuerySchema = queryWithFilters({
  ...pageQuery,
  from: pageQuery.from.describe(
    "Sessions that overlap the range from here on; same forms as in /v1/usage. Default: unbounded",
  ),
  state: z.enum(sessionStates).optional(),
});

export const sessionSummarySchema = z.object({
  organization: z.string(),
  session: z.string(),
  room: z.string().nullable(),
  partner: z.string().nullable(),
  reseller: z.string().nullable(),
  state: z.enum(sessionStates).describe("`open` while somebody is in it"),
  started_at: z
    .string()
    .nullable()
    .describe(
      "The first participant's start, or without participants the first interval's; null if nothing counts yet",
    ),
  ended_at: z.string().nullable().describe("The last end; null while open"),
  duration_ms: z.int().describe("From start to end; until now while open"),
  participants: z.int().describe("Distinct users with a participant interval"),
  peak_participants: z.int(),
  peak_at: z.string().nullable().describe("The first instant of the peak; null when it is 0"),
  open_intervals: z.int(),
  timed_out: z.int().describe("Intervals that went silent and ended at their last sign of life"),
  orphans: z.int().nullable().describe("Ends and signs of life that wait for their start; null for an agent's node"),
  inverted: z.int().nullable().describe("Ends before their starts, counted as zero; null for an agent's node"),
});
export type SessionSummary = z.infer<typeof sessionSummarySchema>;

export const sessionListSchema = z.object({
  node: nodeAddressSchema,
  watermark: z.string(),
  sessions: z.array(sessionSummarySchema),
  next_cursor: nextCursorSchema,
});
export type SessionList = z.infer<typeof sessionListSchema>;

export const sessionIntervalSchema = z.object({
  level: z.string().describe("participants, recordings, captions and so on"),
  interval: z.string().nullable().describe("As named by the emitter; null if it was paired from starts and ends"),
  user: z.string().nullable(),
  agent: z.string().nullable(),
  dimensions: z.record(z.string(), z.string()),
  start: z.string(),
  end: z.string().nullable().describe("null while open"),
  open: z.boolean(),
  timed_out: z.boolean(),
  duration_ms: z.int().describe("Counted up to now while open"),
});

export const sessionAnswerSchema = sessionSummarySchema.extend({
  watermark: z.string(),
  intervals: z.array(sessionIntervalSchema).describe("In order of their starts"),
  next_cursor: nextCursorSchema.describe("Pass it as `cursor` to get the next intervals; null with the last"),
});

const maxIntervals = 10_000;
const defaultIntervals = 1_000;
export const sessionQuerySchema = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(maxIntervals)
    .default(defaultIntervals)
    .describe(`Maximum number of intervals; default ${defaultIntervals}`),
  cursor: pageQuery.cursor,
});
export type SessionAnswer = z.infer<typeof sessionAnswerSchema>;
