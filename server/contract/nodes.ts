/** Nodes of the account tree as they cross a wire. */

import { z } from "zod";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { usageTimeSchema } from "./date-times.ts";
import { addressOf, nodeKinds, parseNode } from "./node-address.ts";
import { idSchema, isAddressable, isStorableText, textSchema } from "./text.ts";
import { recordByWords } from "./words.ts";

export const nodeAddressSchema = z
  .string()
  .max(1_600)
  .refine(isAddress, "must be `all` or `kind:id`, with `/` and `%` in an ID percent-encoded")
  .overwrite((address) => (isAddress(address) ? addressOf(parseNode(address)) : address));
export type NodeAddress = z.infer<typeof nodeAddressSchema>;

function isAddress(address: string): boolean {
  if (address === "all") return true;
  try {
    const node = parseNode(address);
    return (node.kind === "agent" ? [node.organization, node.agent] : [node.id]).every(isId);
  } catch {
    return false;
  }
}

const isId = (id: string) => isStorableText(id) && isAddressable(id) && [...id].length <= 256;

export const nodeStatuses = ["trial", "active", "suspended", "cancelled"] as const;
export type NodeStatus = (typeof nodeStatuses)[number];

const nameSchema = textSchema(256);

const nodeFieldsSchema = recordByWords(textSchema(64), z.union([textSchema(1024, 0), z.number(), z.boolean()]))
  .refine((fields) => Object.keys(fields).length <= 50, "must have at most 50 fields")
  .describe("Custom fields");
export type NodeFields = z.infer<typeof nodeFieldsSchema>;

export const maxLogoBytes = 200_000;
export const brandingSchema = z.strictObject({
  name: textSchema(100).optional().describe("Shown instead of Tidemark in the header of reports and emails"),
  color: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/, "must be a colour such as #0f766e")
    .optional(),
  logo: z
    .string()
    .max(280_000, "must be at most 200 kB")
    .regex(/^data:image\/(?:png|jpeg);base64,[A-Za-z0-9+/]+={0,2}$/, "must be a PNG or JPEG as a data: URL")
    .optional()
    .describe("A `data:` URL of a PNG or JPEG of at most 200 kB, and 2,000 pixels wide and high"),
});
export type Branding = z.infer<typeof brandingSchema>;

export const nodeSchema = z.object({
  node: nodeAddressSchema,
  kind: z.enum([...nodeKinds, "all"]),
  id: z.string(),
  name: z.string(),
  parent: nodeAddressSchema.nullable(),
  external_id: z.string().nullable(),
  status: z.enum(nodeStatuses),
  fields: nodeFieldsSchema,
  created_at: z.string(),
});
export type Node = z.infer<typeof nodeSchema>;

export const nodeDetailSchema = nodeSchema.extend({
  branding: brandingSchema.nullable().describe("The node's own branding; null: inherited from above"),
  report_days: z
    .int()
    .nullable()
    .describe("How many days its reports are kept; null: inherited from above, 90 if no node sets it"),
});
export type NodeDetail = z.infer<typeof nodeDetailSchema>;

export const nodeQuerySchema = z.strictObject({
  parent: nodeAddressSchema
    .optional()
    .describe(
      "Only the nodes directly below this one: below an organization its agents. Default: the caller's node and everything below it but agents",
    ),
  kind: z
    .enum(nodeKinds)
    .optional()
    .describe("`agent` needs an organization as `parent`, or a caller of an organization"),
  status: z.enum(nodeStatuses).optional(),
  search: z.string().min(1).max(256).optional().describe("Part of a name, ID or external ID; case does not matter"),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: cursorSchema,
});

export const nodeListSchema = z.object({
  nodes: z.array(nodeSchema),
  next_cursor: nextCursorSchema,
});
export type NodeList = z.infer<typeof nodeListSchema>;

const statusSchema = z
  .enum(nodeStatuses)
  .describe(
    [
      "Applies to everything below too. `suspended`: entitlements are denied, and its people and keys can read and send usage but",
      "change nothing. `cancelled`: they cannot read either. Usage that arrives is always metered, with a warning.",
    ].join(" "),
  );

export const createNodeSchema = z.strictObject({
  kind: z.enum(["partner", "reseller", "organization"]),
  id: idSchema(256),
  name: nameSchema.optional(),
  parent: nodeAddressSchema.optional().describe("Defaults to the caller's node"),
  external_id: nameSchema.optional(),
  status: statusSchema.optional(),
  fields: nodeFieldsSchema.optional(),
});
export type CreateNode = z.infer<typeof createNodeSchema>;

export const changeNodeSchema = z.strictObject({
  name: nameSchema.optional(),
  external_id: nameSchema.nullable().optional(),
  status: statusSchema.optional(),
  fields: nodeFieldsSchema.optional().describe("Replaces all of them"),
  branding: brandingSchema
    .nullable()
    .optional()
    .describe(
      "How reports and their emails look, for the node and everything below without branding of its own; replaces all of it",
    ),
  report_days: z
    .int()
    .min(1)
    .max(3_650)
    .nullable()
    .optional()
    .describe(
      "How many days reports created from now on are kept, for the node and everything below without its own setting",
    ),
  parent: nodeAddressSchema
    .optional()
    .describe("Moves the node and everything below it; usage before the move stays with the previous parent"),
  effective_from: usageTimeSchema
    .optional()
    .describe(
      "When the move takes effect, from 2000 on. If it is in the past, stored usage since then moves too. Default: now",
    ),
});
export type ChangeNode = z.infer<typeof changeNodeSchema>;

export const importAnswerSchema = z.object({
  dry_run: z.boolean(),
  created: z.int().describe("Nodes that were created, or would be with `dry_run`"),
  unchanged: z.int().describe("Nodes that already existed with the same name and parent"),
  errors: z
    .array(z.object({ line: z.int(), field: z.string(), message: z.string() }))
    .describe("The first hundred; if there are any, nothing was imported"),
});
export type ImportAnswer = z.infer<typeof importAnswerSchema>;
