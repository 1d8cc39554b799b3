/** GET /v1/jobs: what transcription jobs came to. */
import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { queryWithFilters } from "./filters.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { pageQuery } from "./pages.ts";

/** What an event says about its job, the least final first: of two at one instant the later one here is its state. */
export const jobSteps = ["requested", "started", "failed", "completed"] as const;
export type JobStep = (typeof jobSteps)[number];

export const jobsQuerySchema = queryWithFilters({
  ...pageQuery,
  from: pageQuery.from.describe("Bounds for the latest change; same forms as in /v1/usage. Default: unbounded"),
});

export const jobSchema = z.object({
  organization: z.string(),
  job: z.string(),
  status: z.enum(jobSteps).describe("According to its latest event"),
  changed_at: z.string().describe("Time of its latest event"),
  requested_at: z.string().nullable().describe("Time of the first request"),
  started_at: z.string().nullable().describe("Time of the latest start"),
  completed_at: z.string().nullable(),
  failed_at: z.string().nullable(),
  duration_ms: z
    .int()
    .nullable()
    .describe(
      "How long a completed or failed job took from its start, or from its request if no start is known; otherwise null",
    ),
  minutes: z.string().nullable().describe("The value in its latest completion, an exact decimal"),
  model: z.string().nullable(),
  language: z.string().nullable(),
  kind: z.string().nullable(),
  format: z.string().nullable(),
  mode: z.string().nullable(),
  user: z.string().nullable(),
  agent: z.string().nullable(),
  session: z.string().nullable(),
  room: z.string().nullable(),
  partner: z.string().nullable(),
  reseller: z.string().nullable(),
});
export type Job = z.infer<typeof jobSchema>;

export const jobListSchema = z.object({
  node: nodeAddressSchema,
  watermark: z.string(),
  jobs: z.array(jobSchema),
  next_cursor: nextCursorSchema,
});
export type JobList = z.infer<typeof jobListSchema>;
