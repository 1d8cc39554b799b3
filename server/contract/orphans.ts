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
  from: pageQuery.from.describe("Bounds the last sign of life; forms as in /v1/usage; default: no bound"),
  kind: z
    .string()
    .default("orphan,inverted,timed_out")
    .describe(
      "One or several of `orphan` (ends and signs of life that wait for their start), `inverted` (ends before their starts, counted as zero), `timed_out` (silent for too long, ended at their last sign of life)",
    ),
});

export const orphanSchema = z.object({
  kind: z.enum(orphanKinds),
  reason: z
    .enum(orphanReasons)
    .describe(
      "`no_start`: an end or sign of life waits for its start; `ends_before_start`: counted as zero; `no_sign_of_life`: a start alone, so when it timed out nothing was known of it after that and it counts no minutes; `fell_silent`: it counts up to its last sign of life",
    ),
  organization: z.string(),
  session: z.string().nullable().describe("null where no event of the interval named one"),
  room: z.string().nullable(),
  level: z.string(),
  interval: z
    .string()
    .nullable()
    .describe("null where the emitter named none: then all that `user` did in the session"),
  user: z.string().nullable(),
  agent: z.string().nullable(),
  started_at: z.string().nullable().describe("null while the start is missing"),
  ended_at: z.string().nullable(),
  seen_at: z.string().describe("The last sign of life"),
});
export type Orphan = z.infer<typeof orphanSchema>;

export const orphanListSchema = z.object({
  node: nodeAddressSchema,
  watermark: z.string(),
  orphans: z.array(orphanSchema),
  next_cursor: nextCursorSchema,
});
