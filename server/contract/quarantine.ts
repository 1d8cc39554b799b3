/** /v1/quarantine: events that were not taken, with the reason, and what came of sending them again. */
import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { rejectionCodes } from "./events.ts";
import { queryWithFilters } from "./filters.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { pageQuery } from "./pages.ts";
import { recordByWords } from "./words.ts";

/** `qtn_`, then where storage finds it: when it was received (ms since 1970), its batch, its row in that. */
export const quarantineIdPattern = /^qtn_(\d{1,15})_(\d{1,16})_(\d{1,10})$/;
const quarantineIdSchema = z.string().regex(quarantineIdPattern, "must be the ID of an event in quarantine");

export const quarantineQuerySchema = queryWithFilters({
  ...pageQuery,
  from: pageQuery.from.describe(
    "Bounds for when the event was received; same forms as in /v1/usage. Default: unbounded",
  ),
  status: z
    .enum(["waiting", "replayed", "all"])
    .default("waiting")
    .describe("`waiting`: not accepted yet. `replayed`: sent again and accepted, or already accepted before"),
});

export const replayOutcomes = ["accepted", "duplicate", "rejected"] as const;

const replayResultSchema = z.object({
  outcome: z.enum(replayOutcomes).describe("`duplicate`: already accepted before; nothing counts twice"),
  code: z.enum(rejectionCodes).nullable(),
  field: z.string().nullable(),
  message: z.string().nullable(),
});
export type ReplayResult = z.infer<typeof replayResultSchema>;

export const quarantinedEventSchema = z.object({
  id: quarantineIdSchema,
  received_at: z.string(),
  organization: z.string().nullable().describe("null if the event named none that its key can see"),
  event_id: z.string().nullable(),
  code: z.enum(rejectionCodes),
  field: z.string().nullable(),
  message: z.string(),
  key: z.string().describe("ID of the API key that sent it"),
  raw: z.string().describe("The event as it was sent, up to 64 KiB"),
  status: z.enum(["waiting", "replayed"]),
  replay: replayResultSchema.extend({ at: z.string() }).nullable().describe("The result of the last replay"),
});
export type QuarantinedEvent = z.infer<typeof quarantinedEventSchema>;

export const quarantineListSchema = z.object({
  node: nodeAddressSchema,
  watermark: z.string(),
  events: z.array(quarantinedEventSchema),
  next_cursor: nextCursorSchema,
});
export type QuarantineList = z.infer<typeof quarantineListSchema>;

const replayedAtOnce = 1_000;

const replayChoice = {
  node: nodeAddressSchema.optional(),
  from: pageQuery.from,
  to: pageQuery.to,
  codes: z.array(z.enum(rejectionCodes)).min(1).optional(),
  keys: z.array(z.string().max(256)).min(1).max(replayedAtOnce).optional(),
  organizations: z.array(z.string().max(256)).min(1).max(replayedAtOnce).optional(),
  cursor: pageQuery.cursor,
};

export const replayRequestSchema = z
  .strictObject({
    ids: z
      .array(quarantineIdSchema)
      .min(1)
      .max(replayedAtOnce)
      .optional()
      .describe("These events. Without it, all waiting events that match the other fields"),
    ...replayChoice,
    tz: pageQuery.tz,
    limit: z.int().min(1).max(replayedAtOnce).default(replayedAtOnce),
  })
  .superRefine((body, context) => {
    const besides = (Object.keys(replayChoice) as (keyof typeof replayChoice)[]).find(
      (name) => body.ids !== undefined && body[name] !== undefined,
    );
    if (besides)
      context.addIssue({
        code: "custom",
        path: [besides],
        message: "cannot be combined with `ids`, which already says which events",
      });
  });

export const replayedEventSchema = replayResultSchema.extend({ id: quarantineIdSchema });
export type ReplayedEvent = z.infer<typeof replayedEventSchema>;

export const replayAnswerSchema = z.object({
  accepted: z.int(),
  duplicates: z.int(),
  rejected: z.int(),
  events: z.array(replayedEventSchema).describe("In the order in which they were received"),
  next_cursor: nextCursorSchema,
});
export type ReplayAnswer = z.infer<typeof replayAnswerSchema>;

export const replayOneRequestSchema = z.strictObject({
  event: recordByWords(z.string(), z.unknown())
    .optional()
    .describe("What to send instead. Default: the event as it is"),
});
export const quarantineParamsSchema = z.object({ id: quarantineIdSchema });
