/** /v1/annotations: what people note at an instant of a node, beside its figures. */
import { z } from "zod";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { usageTimeSchema } from "./date-times.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { textSchema } from "./text.ts";
import { timeZoneSchema } from "./time-zones.ts";

const maxLength = 500;

const noteSchema = textSchema(maxLength)
  .refine((text) => text.trim() !== "", "must not be blank")
  .describe("Plain text; markup is not interpreted");
const atSchema = usageTimeSchema.describe("The instant it marks in the node's usage");

export const createAnnotationSchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("The node whose usage it is shown with. Default: the caller's node"),
  at: atSchema,
  text: noteSchema,
});

export const changeAnnotationSchema = z.strictObject({ at: atSchema.optional(), text: noteSchema.optional() });
export type ChangeAnnotation = z.infer<typeof changeAnnotationSchema>;

export const annotationSchema = z.object({
  id: z.string(),
  node: nodeAddressSchema,
  at: z.string(),
  text: z.string(),
  author: z.string().describe("A user's email address, or a key's name"),
  created_at: z.string(),
});
export type Annotation = z.infer<typeof annotationSchema>;

export const annotationQuerySchema = z.strictObject({
  node: nodeAddressSchema
    .optional()
    .describe("Only annotations of this node, not of nodes above or below it. Default: the caller's node"),
  from: z.string().optional().describe("RFC 3339 instant, date (its first instant in `tz`), or `now`"),
  to: z.string().optional().describe("Exclusive; the same forms"),
  tz: timeZoneSchema.default("UTC").describe("IANA time zone of dates"),
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  cursor: cursorSchema,
});

export const annotationListSchema = z.object({
  annotations: z.array(annotationSchema).describe("Latest instant first"),
  next_cursor: nextCursorSchema,
});
export type AnnotationList = z.infer<typeof annotationListSchema>;
