/** GET /v1/records: the usage events behind the figures, as they were sent. */
import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { propertyValueSchema } from "./events.ts";
import { queryWithFilters } from "./filters.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { pageQuery } from "./pages.ts";

export const recordsQuerySchema = queryWithFilters({
  ...pageQuery,
  include: z.literal("voided").optional().describe("`voided`: also lists events that no longer count, marked as such"),
});

/** Fields that were not sent are left out; `time` is there always, for it is given where it was not sent. */
export const recordSchema = z.object({
  id: z.string(),
  source: z.string().optional().describe("The source of a CloudEvent, which identifies the event together with its ID"),
  type: z.string(),
  time: z.string(),
  organization: z.string(),
  agent: z.string().optional(),
  user: z.string().optional(),
  session: z.string().optional(),
  room: z.string().optional(),
  interval: z.string().optional(),
  job: z.string().optional(),
  started_at: z.string().optional(),
  value: z.string().optional().describe("Exact decimal"),
  seconds: z.string().optional().describe("Exact decimal; for an amount in minutes that was sent in seconds"),
  properties: z.record(z.string(), propertyValueSchema),
  received_at: z.string(),
  partner: z.string().nullable().describe("The node above the organization at `time`"),
  reseller: z.string().nullable().describe("The node above the organization at `time`"),
  key: z.string().describe("ID of the API key that sent it; '' if the key belonged to a former owner"),
  voided: z.literal(true).optional().describe("It no longer counts; only with `include=voided`"),
});
export type UsageRecord = z.infer<typeof recordSchema>;

export const recordListSchema = z.object({
  node: nodeAddressSchema,
  watermark: z.string().describe("Every event accepted up to this instant is visible in queries"),
  records: z.array(recordSchema),
  next_cursor: nextCursorSchema,
});
