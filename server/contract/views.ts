/** /v1/views: questions of the usage page that people of a node keep under a name, one alone or several as a dashboard. */
import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";
import { textSchema } from "./text.ts";

const nameSchema = textSchema(100).describe("Unique among the node's views");
const querySchema = textSchema(2_000, 0).describe(
  "The part after `?` in the address of the usage page; for a dashboard, the range, time zone and comparison of all its panels",
);

/** More would ask for as many charts at once, of which nobody sees the last ones. */
const maxPanels = 24;

export const panelSchema = z.strictObject({
  title: textSchema(100),
  query: textSchema(2_000, 0).describe("The part after `?` in the address of the usage page"),
  width: z.enum(["half", "full"]).describe("Width on the page, if there is room for two"),
});
export type Panel = z.infer<typeof panelSchema>;

const panelsSchema = z
  .array(panelSchema)
  .max(maxPanels)
  .nullable()
  .describe("The panels of a dashboard, in order; null for a single query");

export const createViewSchema = z.strictObject({
  name: nameSchema,
  node: nodeAddressSchema
    .optional()
    .describe("The node whose people can see it, together with those of the nodes above. Default: the caller's node"),
  query: querySchema,
  panels: panelsSchema.optional(),
});
export type CreateView = z.input<typeof createViewSchema>;

export const changeViewSchema = z.strictObject({
  name: nameSchema.optional(),
  query: querySchema.optional(),
  panels: panelsSchema.optional(),
});
export type ChangeView = z.infer<typeof changeViewSchema>;

export const viewSchema = z.object({
  id: z.string(),
  name: z.string(),
  node: nodeAddressSchema,
  query: z.string(),
  panels: panelsSchema,
  created_at: z.string(),
});
export type View = z.infer<typeof viewSchema>;

export const viewListSchema = z.object({ views: z.array(viewSchema).describe("By name") });
export const viewQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("Views of this node. Default: the caller's node"),
});
