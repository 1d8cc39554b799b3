/** GET /v1/ingest-health: what became of the events that keys sent. */
import { z } from "zod";
import { minuteMs } from "./durations.ts";
import { rejectionCodes, warningCodes } from "./events.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { timeZoneSchema } from "./time-zones.ts";

/** An event is late when it is received a minute or more after its time; ascending. */
export const latenessBounds = [
  { reason: "over_1m", fromMs: minuteMs },
  { reason: "over_15m", fromMs: 15 * minuteMs },
  { reason: "over_1h", fromMs: 60 * minuteMs },
  { reason: "over_1d", fromMs: 24 * 60 * minuteMs },
  { reason: "over_7d", fromMs: 7 * 24 * 60 * minuteMs },
] as const;
export const latenessReasons = latenessBounds.map(({ reason }) => reason);
export type LatenessReason = (typeof latenessBounds)[number]["reason"];

export const ingestWindows = ["minute", "hour", "day"] as const;
export type IngestWindow = (typeof ingestWindows)[number];
export const ingestGroupings = ["key", "organization"] as const;

export const ingestHealthQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("Default: the caller's node"),
  from: z
    .string()
    .optional()
    .describe(
      "RFC 3339 instant, date (its first instant in `tz`), or `now`; default: 60 minutes, 24 hours or 30 days before `to`",
    ),
  to: z.string().optional().describe("Exclusive; the same forms; default `now`"),
  window: z.enum(ingestWindows).default("minute"),
  tz: timeZoneSchema.default("UTC").describe("IANA time zone"),
  group_by: z.enum(ingestGroupings).optional(),
});

const counts = {
  accepted: z.int(),
  duplicates: z.int().describe("Repeats of events already accepted; counted in usage once"),
  rejected: z.int(),
  late: z.int().describe("Accepted at least a minute after their time"),
  unmatched: z.int().describe("Accepted with a type that no meter used at the time"),
  warned: z.int().describe("Warnings about accepted events that might not count as intended"),
};
const detailed = {
  ...counts,
  rejected_by: z
    .partialRecord(z.enum(rejectionCodes), z.int())
    .describe("By reason; reasons without events are left out"),
  late_by: z
    .partialRecord(z.enum(latenessReasons as [LatenessReason, ...LatenessReason[]]), z.int())
    .describe("By the largest bound their lateness reached"),
  warned_by: z.partialRecord(z.enum(warningCodes), z.int()).describe("By code"),
};
const detailedSchema = z.object(detailed);
export type IngestCounts = z.infer<typeof detailedSchema>;

export const windowCountsSchema = z.object({ start: z.string(), end: z.string(), partial: z.boolean(), ...counts });

export const ingestHealthSchema = z.object({
  node: nodeAddressSchema,
  from: z.string().describe("The first minute counted"),
  to: z.string().describe("Exclusive: the end of the last minute counted"),
  tz: z.string(),
  window: z.enum(ingestWindows),
  watermark: z.string().describe("Every event accepted up to this instant is counted"),
  total: detailedSchema,
  series: z.array(windowCountsSchema),
  groups: z
    .array(
      z.object({
        key: z
          .string()
          .describe("A key's ID, or an organization; empty for events that named no existing organization"),
        ...detailed,
      }),
    )
    .optional()
    .describe("The 100 with the most events, largest first"),
  freshness: z
    .object({
      p50_ms: z.number(),
      p99_ms: z.number(),
      events: z.int().describe("Accepted for the node"),
    })
    .nullable()
    .describe(
      "Time from receipt until queries showed it, for the whole service in this range; up to five seconds for a few events nobody was watching. Null if no event arrived for the node",
    ),
});
export type IngestHealth = z.infer<typeof ingestHealthSchema>;
