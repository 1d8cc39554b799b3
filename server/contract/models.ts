/** /v1/models: the registry of speech models, shared by a node with all below it or an organization's own. */
import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";
import { textSchema } from "./text.ts";

export const modelTiers = ["standard", "enhanced", "custom"] as const;
export type ModelTier = (typeof modelTiers)[number];

const nameSchema = textSchema(256);
const descriptionSchema = textSchema(1_000, 0);

export const createModelSchema = z.strictObject({
  model: nameSchema.describe("The `model` value in events"),
  name: nameSchema.describe("The display name"),
  node: nodeAddressSchema
    .optional()
    .describe("The node it belongs to; a node shares it with everything below. Default: the caller's node"),
  tier: z.enum(modelTiers).default("custom"),
  description: descriptionSchema.default(""),
});

export const changeModelSchema = z.strictObject({
  name: nameSchema.optional(),
  tier: z.enum(modelTiers).optional(),
  description: descriptionSchema.optional(),
});
export type ChangeModel = z.infer<typeof changeModelSchema>;

export const modelSchema = z.object({
  id: z.string(),
  model: z.string(),
  name: z.string(),
  node: nodeAddressSchema,
  is_own: z
    .boolean()
    .describe("Whether it belongs to one of the caller's nodes; otherwise it is shared by a node above"),
  tier: z.enum(modelTiers),
  description: z.string(),
  created_at: z.string(),
});
export type Model = z.infer<typeof modelSchema>;

export const modelListSchema = z.object({ models: z.array(modelSchema) });
export const modelQuerySchema = z.strictObject({
  node: nodeAddressSchema
    .optional()
    .describe(
      "Models available at this node: its own, those below it, and those shared from above. Default: the caller's node",
    ),
});
