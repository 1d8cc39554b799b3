/** Meters: those that are built in, and those that users make over their own event types or as formulas. */

import { z } from "zod";
import { dateTimeSchema } from "./date-times.ts";
import { nodeAddressSchema } from "./nodes.ts";

export const aggregations = ["count", "sum", "average", "unique", "max", "latest", "level"] as const;

const name = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]{0,63}$/,
    "must be a lower-case letter followed by letters, digits or _, with at most 64 characters",
  );
const dimension = z.string().min(1).max(256);

const eventsMeterSchema = z.strictObject({
  types: z
    .array(z.string().min(1).max(256))
    .min(1)
    .max(50)
    .describe("The event types that count; for `level`, those that raise it"),
  aggregation: z.enum(aggregations),
  value: z
    .string()
    .min(1)
    .max(256)
    .default("value")
    .describe("What is summed or compared: `value`, or the name of a numeric property"),
  unique_of: dimension.optional().describe("For `unique`: the property or field whose values are counted"),
  lowered_by: z
    .array(z.string().min(1).max(256))
    .max(50)
    .default([])
    .describe("For `level`: the event types that lower it"),
  each: z.boolean().default(false).describe("For `level`: every event counts as one, whatever its value"),
  dimensions: z.array(dimension).max(50).default([]).describe("Properties it can be grouped and filtered by"),
  filters: z
    .array(
      z.strictObject({
        dimension,
        operator: z.enum(["in", "not", "prefix"]),
        values: z.array(z.string().max(256)).min(1).max(1_000),
      }),
    )
    .max(20)
    .default([])
    .describe("Only events that match all of these count"),
});

const definition = {
  title: z.string().min(1).max(100),
  unit: z.string().min(1).max(30).default("count"),
  description: z.string().max(1_000).default(""),
  events: eventsMeterSchema.optional(),
  formula: z
    .string()
    .min(1)
    .max(1_000)
    .optional()
    .describe("Meters, numbers, + - * / and parentheses: `participation_minutes / sessions`"),
  effective_from: dateTimeSchema.optional().describe("Ranges that end later use this version. Default: all ranges"),
};
const isOneOf = ({ events, formula }: { events?: unknown; formula?: unknown }) =>
  (events === undefined) !== (formula === undefined);
const oneOf = { message: "needs either `events` or `formula`", path: ["events"] };

export const createMeterSchema = z
  .strictObject({
    meter: name,
    node: nodeAddressSchema.optional().describe("Defaults to the caller's node"),
    ...definition,
  })
  .refine(isOneOf, oneOf);
export const changeMeterSchema = z.strictObject(definition).refine(isOneOf, oneOf);
export type MeterDefinition = z.output<typeof changeMeterSchema>;

export const meterSchema = z.object({
  meter: z.string(),
  title: z.string(),
  unit: z.string(),
  description: z.string(),
  dimensions: z.array(z.string()).describe("What it can be grouped and filtered by"),
  adds_up: z
    .boolean()
    .describe(
      "Whether the value of a range is the sum of its parts; false for peaks, levels, averages, distinct counts and formulas",
    ),
  rule: z.string().describe("How events become the value"),
  types: z.array(z.string()).describe("The event types behind it"),
  freshness: z.string(),
  version: z.int().nullable().describe("Increases for meters created by users; null: built in"),
  node: nodeAddressSchema
    .nullable()
    .describe("The node it belongs to: available for queries about this node and those below it"),
});
export type MeterSummary = z.infer<typeof meterSchema>;

export const meterListSchema = z.object({ meters: z.array(meterSchema) });

export const customMeterSchema = z.object({
  meter: z.string(),
  node: nodeAddressSchema,
  versions: z
    .array(
      z.object({
        version: z.int(),
        effective_from: z.string().nullable(),
        created_at: z.string(),
        created_by: z.string(),
        title: z.string(),
        unit: z.string(),
        description: z.string(),
        events: eventsMeterSchema.optional(),
        formula: z.string().optional(),
      }),
    )
    .describe("Newest first"),
  retired_at: z.string().nullable(),
});
export type CustomMeterAnswer = z.infer<typeof customMeterSchema>;
