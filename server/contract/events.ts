/**
 * The event as an emitter sends it, and the verdicts it gets back.
 * Strings are limited to what the stored columns take, so that nothing accepted here can be refused by storage.
 */

import { z } from "zod";
import { definitionLimitsSchema } from "./definition-limits.ts";
import { dayMs } from "./durations.ts";
import { instantPattern } from "./instant.ts";
import { idSchema, storable, textSchema } from "./text.ts";

/** Published at GET /v1/limits; every bound that a request or an event is checked against. */
export const limits = {
  maxEventsPerRequest: 10_000,
  maxInflatedBytes: 10 * 1024 * 1024,
  maxStringLength: 256,
  maxProperties: 64,
  maxValueFractionDigits: 9,
  maxIntegerDigits: 29,
  oldestTime: "2000-01-01T00:00:00.000Z",
  maxAheadMs: dayMs,
  dedupeByIdDays: 35,
  contentTypes: [
    "application/json",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
  ],
  contentEncodings: ["identity", "gzip", "br", "deflate"],
} as const;

const creationRateSchema = z.object({ burst: z.int(), per_second: z.int() });

export const limitsSchema = z.object({
  max_events_per_request: z.int(),
  max_inflated_bytes: z.int(),
  max_string_length: z.int(),
  max_properties: z.int(),
  max_value_fraction_digits: z.int(),
  max_value_integer_digits: z.int(),
  max_property_integer_digits: z.int(),
  oldest_time: z.string(),
  max_ahead_seconds: z.int(),
  dedupe_by_id_days: z.int(),
  signs_of_presence: z
    .int()
    .describe(
      "For events without `interval`: how many starts, ends, heartbeats and dimensions of one user in one session count; the latest of each",
    ),
  content_types: z.array(z.string()),
  content_encodings: z.array(z.string()),
  questions: z.object({
    max_figures: z.int().describe("In one answer: nodes × meters × groups × windows"),
    max_windows: z.int(),
    max_meters: z.int(),
    max_seconds: z.int().describe("How long one may take until its answer starts"),
    max_at_once: z.int().describe("For one key or user; others wait"),
    max_at_once_of_tenant: z.int().describe("For everything below one node directly below the root"),
    max_waiting: z.int().describe("For one key or user; any more get 429"),
  }),
  live: z.object({
    max_sockets: z.int().describe("For one key or user"),
    max_sockets_of_tenant: z.int(),
    max_watches_per_second: z.int().describe("On one socket"),
  }),
  definitions: definitionLimitsSchema,
  rebuilds: z.object({ max_waiting_of_tenant: z.int(), max_waiting: z.int() }),
  corrections: z
    .object({
      max_of_tenant_per_minute: z.int().describe("Any more get 429, with `Retry-After`"),
      max_waiting_of_tenant: z.int().describe("Recorded and not applied yet; any more get 429"),
    })
    .describe("Events that are voided or amended, below one node directly below the root"),
  created_nodes: z.object({
    of_emitter: creationRateSchema.describe("Organizations created by the events of one key"),
    of_tenant: creationRateSchema.describe("Nodes created below one node directly below the root"),
    of_operator: creationRateSchema.describe("Nodes created directly below the root"),
  }),
});

/**
 * Whether `value` has at most `maxStringLength` characters: code points, as zod and JSON Schema count them, so that a text of
 * emojis may be as long as one of letters.
 */
export function isBoundedText(value: string): boolean {
  if (value.length <= limits.maxStringLength) return true;
  return value.length <= 2 * limits.maxStringLength && [...value].length <= limits.maxStringLength;
}

const text = textSchema(limits.maxStringLength);
const id = idSchema(limits.maxStringLength);

export const instantSchema = z.string().regex(instantPattern, "must be an RFC 3339 date-time with an offset");

/** The form only; how many digits fit is checked where the number is read. */
export const decimalPattern = /^[+-]?\d+(?:\.\d+)?$/;
export const decimalSchema = z
  .union([z.string().max(limits.maxStringLength).regex(decimalPattern, "must be a decimal"), z.number()])
  .describe(
    `A decimal with up to ${limits.maxIntegerDigits} digits before the point, kept exactly as written; decimals after the ninth are rounded half to even, with the warning \`rounded\`. Sums are exact, and may have more digits`,
  );

export const propertyValueSchema = z.union([
  storable(z.string().max(limits.maxStringLength)),
  z
    .number()
    .describe(
      `Kept exactly as written, with up to ${limits.maxIntegerDigits} digits before the point; decimals after the ninth are rounded half to even`,
    ),
  z.boolean(),
]);

export const usageEventSchema = z.strictObject({
  id,
  type: text,
  organization: id,
  time: instantSchema.optional(),
  agent: id.optional(),
  user: id.optional(),
  session: id.optional(),
  room: id.optional(),
  interval: id
    .optional()
    .describe(
      "Pairs a start with its signs of life and its end. An interval is one of its organization and level, also if its events name several sessions: it counts in the session that it starts in. A name that more than 100 sessions use is a separate interval in each of them",
    ),
  job: id.optional(),
  started_at: instantSchema.optional(),
  value: decimalSchema.optional(),
  seconds: decimalSchema
    .optional()
    .describe("Instead of `value`, for types whose value is in minutes; divided by 60 once, when a value is returned"),
  properties: z
    .record(text, propertyValueSchema)
    .refine(
      (value) => Object.keys(value).length <= limits.maxProperties,
      `has more than ${limits.maxProperties} entries`,
    )
    .optional(),
});
export type UsageEvent = z.infer<typeof usageEventSchema>;

/** Why one event of a request was not taken. A closed set: each code has one meaning for ever. */
export const rejectionCodes = [
  "not_json",
  "not_an_object",
  "missing_field",
  "unknown_field",
  "invalid_field",
  "time_too_old",
  "time_too_far_ahead",
  "invalid_cloudevent",
  "unknown_organization",
  "outside_subtree",
  "id_conflict",
  "too_complex",
  "refused_by_storage",
  "aborted",
] as const;
export type RejectionCode = (typeof rejectionCodes)[number];

export const rejectionSchema = z.object({
  index: z.int().describe("Position of the event in the request, from 0"),
  id: z.string().nullable(),
  code: z.enum(rejectionCodes),
  field: z.string().nullable(),
  message: z.string(),
});
export type Rejection = z.infer<typeof rejectionSchema>;

export const warningCodes = [
  "clock_skew",
  "unmatched_type",
  "suspended_organization",
  "rounded",
  "missing_value",
  "unknown_value",
  "not_a_number",
  "completed_twice",
  "ambiguous_pairing",
  "interval_mismatch",
] as const;
export type WarningCode = (typeof warningCodes)[number];
export const warningSchema = z.object({
  index: z.int(),
  id: z.string(),
  code: z.enum(warningCodes),
  field: z.string().nullable(),
  message: z.string(),
});
export type Warning = z.infer<typeof warningSchema>;

export const verdictSchema = z.object({
  accepted: z.int(),
  duplicates: z.int().describe("Events already accepted before with the same body; counted once"),
  rejected: z.array(rejectionSchema),
  warnings: z.array(warningSchema),
  watermark: z.string().describe("Every event accepted up to this instant is visible in queries"),
  dry_run: z.literal(true).optional().describe("With `dry_run=true`: what the verdict would be; nothing was accepted"),
});
export type Verdict = z.infer<typeof verdictSchema>;
