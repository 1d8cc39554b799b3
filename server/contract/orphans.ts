/** GET /v1/orphans: intervals that count nowhere, or not as they were sent. */
import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { queryWithFilters } from "./filters.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { pageQuery } from "./pages.ts";

export const orphanKinds = ["orphan", "inverted", "timed_out"] as const;
export const orphanReasons = ["no_start", "ends_before_start", "no_sign_of_life", "fell_silent"] as const;

export const orphansQuerySchema = queryWithFilters({
  ...pageQuery,
  from: pageQuery.from.describe("Bounds for the last sign of life; same forms as in /v1/usage. Default: unbounded"),
  kind: z
    .string()
    .default("orphan,inverted,timed_out")
    .describe(
      "One or more of `orphan` (ends and signs of life that wait for their start), `inverted` (ends before their starts, counted as zero), `timed_out` (silent for too long, ended at their last sign of life)",
    ),
});

export const orphanSchema = z.object({
  kind: z.enum(orphanKinds),
  reason: z
    .enum(orphanReasons)
    .describe(
      "`no_start`: an end or sign of life without a start yet. `ends_before_start`: counted as zero. `no_sign_of_life`: timed out after a start alone, so it counts no minutes. `fell_silent`: counts up to its last sign of life",
    ),
  organization: z.string(),
  session: z.string().nullable().describe("null if no event of the interval named one"),
  room: z.string().nullable(),
  level: z.string(),
  interval: z
    .string()
    .nullable()
    .describe("null if the emitter named none; then it stands for everything `user` did in the session"),
  user: z.string().nullable(),
  agent: z.string().nullable(),
  started_at: z.string().nullable().describe("null while the start is missing"),
  ended_at: z.string().nullable(),
  seen_at: z.string().describe("The last sign of life; without `interval`, the last of those that wait for a start"),
});
export type Orphan = z.infer<typeof orphanSchema>;

export const orphanListSchema = z.object({
  node: nodeAddressSchema,
  watermark: z.string(),
  orphans: z.array(orphanSchema),
  next_cursor: nextCursorSchema,
});
