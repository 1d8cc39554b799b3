/** Voiding and amending events: what is asked, and what is on record of it. */
import { z } from "zod";
import { instantSchema } from "./events.ts";
import { recordSchema } from "./records.ts";
import { storable } from "./text.ts";

/** Each has its moment in which nobody can store. A wrong hour of an emitter is corrected within minutes; a loop without end is slowed down. */
export const correctionLimits = {
  /** At once after a pause, and then at this rate. */
  ofTenantPerMinute: 600,
  waitingOfTenant: 100,
} as const;

const source = storable(z.string().max(256))
  .optional()
  .describe(
    "The source of a CloudEvent, which identifies the event together with its ID. Optional if only one event has this ID",
  );
const correctedEvent = {
  organization: z
    .string()
    .min(1)
    .max(256)
    .describe("The event's organization; an ID is unique within one organization"),
  source,
  time: instantSchema.optional().describe("The event's time, if known; makes finding an old event faster"),
  reason: z.string().min(1).max(1_000),
};
export const voidEventSchema = z.strictObject(correctedEvent);

export const amendEventSchema = z.strictObject({
  ...correctedEvent,
  changes: z
    .record(z.string(), z.unknown())
    .refine((changes) => Object.keys(changes).length > 0, "must name at least one field")
    .describe("The fields to change, as an emitter would send them; null removes a field"),
});

/** The event as it was sent, or as it was amended. */
export const correctedRecordSchema = recordSchema
  .omit({ received_at: true, partner: true, reseller: true, key: true, voided: true })
  .extend({ properties: recordSchema.shape.properties.optional() });

export const correctionSchema = z.object({
  correction: z.string(),
  action: z.enum(["void", "amend"]),
  reason: z.string(),
  actor: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
  at: z.string(),
  applied_at: z.string().nullable().describe("When queries reflected it; null: not yet"),
  state: z
    .enum(["applied", "waiting", "set_aside"])
    .describe("`set_aside`: it could not be applied, and will be tried again; others are not held up"),
  before: correctedRecordSchema.nullable().describe("null: the event belonged to a node the caller cannot see"),
  after: correctedRecordSchema
    .nullable()
    .describe("null: the event was voided, or belongs to a node the caller cannot see"),
});
export type CorrectionAnswer = z.infer<typeof correctionSchema>;

export const eventQuerySchema = z.strictObject({
  organization: z.string().min(1).max(256),
  source,
  time: instantSchema.optional().describe("The event's time, if known; makes finding an old event faster"),
});

export const eventHistorySchema = z.object({
  event: correctedRecordSchema
    .nullable()
    .describe("The event as it counts now; null if it was voided or moved to another node"),
  corrections: z.array(correctionSchema).describe("Oldest first"),
});
