/** /v1/models: the registry of speech models, shared by a node with all below it or an organization's own. */
import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";
import { textSchema } from "./text.ts";

export const modelTiers = ["standard", "enhanced", "custom"] as const;
export type ModelTier = (typeof modelTiers)[number];

const nameSchema = textSchema(256);
const descriptionSchema = textSchema(1_000, 0);

export const createModelSchema = z.strictObject({
  model: nameSchema.describe("The `model` that events carry"),
  name: nameSchema.describe("What people call it"),
  node: nodeAddressSchema
    .optional()
    .describe("Whose it is; a node shares it with all below it. Default: the caller's node"),
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
  is_own: z.boolean().describe("Within the caller's nodes; else it is shared by one above"),
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
      "Those that are known at this node: its own, those below it and those shared from above; default: the caller's",
    ),
});
