/** Voiding and amending events: what is asked, and what is on record of it. */
import { z } from "zod";
import { instantSchema } from "./events.ts";
import { recordSchema } from "./records.ts";
import { storable } from "./text.ts";

const source = storable(z.string().max(256))
  .optional()
  .describe("A CloudEvent's source: with the id its identity. It may be left out where only one event has the id");
const correctedEvent = {
  organization: z.string().min(1).max(256).describe("The event's organization: an id is unique within one"),
  source,
  time: instantSchema.optional().describe("The event's time, where it is known: an old event is found faster"),
  reason: z.string().min(1).max(1_000),
};
export const voidEventSchema = z.strictObject(correctedEvent);

export const amendEventSchema = z.strictObject({
  ...correctedEvent,
  changes: z
    .record(z.string(), z.unknown())
    .refine((changes) => Object.keys(changes).length > 0, "names no field")
    .describe("The fields of the event that change, as an emitter would send them; null takes one away"),
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
  applied_at: z.string().nullable().describe("When queries showed it; null: not yet"),
  before: correctedRecordSchema.nullable().describe("null: it was an event of what the caller does not see"),
  after: correctedRecordSchema
    .nullable()
    .describe("null: the event was voided, or is one of what the caller does not see"),
});
export type CorrectionAnswer = z.infer<typeof correctionSchema>;

export const eventQuerySchema = z.strictObject({
  organization: z.string().min(1).max(256),
  source,
  time: instantSchema.optional().describe("The event's time, where it is known: an old event is found faster"),
});

export const eventHistorySchema = z.object({
  event: correctedRecordSchema.nullable().describe("As it counts now; null: it was voided, or moved elsewhere"),
  corrections: z.array(correctionSchema).describe("The oldest first"),
});
