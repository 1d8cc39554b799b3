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
  .refine(isAddress, "must be `all` or `kind:id`, in which `/` and `%` of an id are percent-encoded")
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
  .refine((fields) => Object.keys(fields).length <= 50, "must be at most 50 fields")
  .describe("Custom fields");
export type NodeFields = z.infer<typeof nodeFieldsSchema>;

export const maxLogoBytes = 200_000;
export const brandingSchema = z.strictObject({
  name: textSchema(100).optional().describe("In place of Tidemark's, at the head of reports and mails"),
  color: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/, "must be a colour such as #0f766e")
    .optional(),
  logo: z
    .string()
    .max(280_000, "must be 200 kB at most")
    .regex(/^data:image\/(?:png|jpeg);base64,[A-Za-z0-9+/]+={0,2}$/, "must be a PNG or a JPEG as a data: URL")
    .optional()
    .describe("A `data:` URL of a PNG or JPEG, at most 200 kB and 2,000 pixels wide and high"),
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
  branding: brandingSchema.nullable().describe("The node's own; null: as above it"),
  report_days: z.int().nullable().describe("For how many days its reports are kept; null: as above it, 90 in the end"),
});
export type NodeDetail = z.infer<typeof nodeDetailSchema>;

export const nodeQuerySchema = z.strictObject({
  parent: nodeAddressSchema
    .optional()
    .describe("Only the nodes right below this one; default: the caller's node and all below it"),
  kind: z.enum(nodeKinds).optional(),
  status: z.enum(nodeStatuses).optional(),
  search: z.string().min(1).max(256).optional().describe("Part of a name, id or external id, in any case"),
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
      "Holds for everything below too. `suspended`: entitlements are denied, its own people and keys read and send usage but",
      "change nothing. `cancelled`: they do not read either. Usage that arrives is metered in any case, with a warning.",
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
    .describe("How reports and their mails look, of the node and of all below without their own; replaces all of it"),
  report_days: z
    .int()
    .min(1)
    .max(3_650)
    .nullable()
    .optional()
    .describe("For how many days reports made from now on are kept, of the node and of all below without their own"),
  parent: nodeAddressSchema
    .optional()
    .describe("Moves the node and all below it; usage until then stays with the parent it had"),
  effective_from: usageTimeSchema
    .optional()
    .describe("When the move takes effect, from 2000 on; in the past, stored usage since then follows. Default: now"),
});
export type ChangeNode = z.infer<typeof changeNodeSchema>;

export const importAnswerSchema = z.object({
  dry_run: z.boolean(),
  created: z.int().describe("Nodes that were made, or with `dry_run` would be"),
  unchanged: z.int().describe("Nodes that were there already, with the same name and parent"),
  errors: z
    .array(z.object({ line: z.int(), field: z.string(), message: z.string() }))
    .describe("The first hundred; with any nothing was imported"),
});
export type ImportAnswer = z.infer<typeof importAnswerSchema>;
