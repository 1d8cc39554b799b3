/** Whether what was made of the events is what the events say: differences found, and rebuilds asked for. */
import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { pageQuery } from "./pages.ts";

/** In the order in which each is made of one before it: `counters` and `intervals` of the events. */
export const stages = ["counters", "node_counters", "intervals", "sessions", "presences", "edges", "slots"] as const;
export type Stage = (typeof stages)[number];

export const rebuildStages = [...stages, "all"] as const;
export type RebuildStage = (typeof rebuildStages)[number];

export const reconciliationsQuerySchema = z.strictObject({
  ...pageQuery,
  node: pageQuery.node.describe("Only differences at this node or below it. Default: the caller's node"),
  stage: z.enum(stages).optional(),
});

export const reconciliationSchema = z.object({
  id: z.string(),
  at: z.string(),
  node: nodeAddressSchema,
  day: z.string().describe("UTC"),
  stage: z.enum(stages),
  differences: z.int().describe("How many rows differed, at least; the details are about the first of them"),
  subject: z.string(),
  expected: z.string().describe("According to the stage before; empty for nothing"),
  found: z.string(),
  repaired_at: z.string().nullable().describe("null: the repair did not finish and will be repeated"),
});
export type ReconciliationAnswer = z.infer<typeof reconciliationSchema>;

export const reconciliationListSchema = z.object({
  node: nodeAddressSchema,
  reconciliations: z.array(reconciliationSchema).describe("Newest first"),
  next_cursor: nextCursorSchema,
});

const utcDay = z.iso
  .date()
  .refine((day) => day >= "2000-01-01" && day < "2100-01-01", "must be a day in the years 2000 to 2099");

export const rebuildRequestSchema = z.strictObject({
  stage: z.enum(rebuildStages).describe("`all`: every stage from the one before, starting with the events"),
  organization: z.string().min(1).max(256).optional().describe("Default: all organizations, and every node above them"),
  from: utcDay.optional().describe("The first UTC day. Default: unbounded"),
  to: utcDay.optional().describe("The UTC day before which it ends. Default: unbounded"),
});

export const rebuildSchema = z.object({
  id: z.string(),
  stage: z.enum(rebuildStages),
  organization: z.string().nullable(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  requested_at: z.string(),
  requested_by: z.string(),
  pieces: z
    .int()
    .nullable()
    .describe("Days of organizations to compare with the stage before; null until they are counted"),
  pieces_done: z.int(),
  repaired: z.int().describe("Differences found and repaired; /v1/reconciliations lists them"),
  finished_at: z.string().nullable(),
});
export type RebuildAnswer = z.infer<typeof rebuildSchema>;

export const rebuildListSchema = z.object({ rebuilds: z.array(rebuildSchema).describe("Newest first") });
