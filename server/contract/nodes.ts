/** A node's address in the account tree: `all`, or `kind:id`; an agent's id is `organization/agent`. */
import { z } from "zod";
import { recordByWords } from "./words.ts";

/** From the top of the tree down; a parent's kind stands before its child's, any depth may be skipped. */
export const nodeKinds = ["partner", "reseller", "organization", "agent"] as const;
export type NodeKind = (typeof nodeKinds)[number];

export const nodeAddressSchema = z
  .string()
  .max(600)
  .regex(
    /^(?:all|(?:partner|reseller|organization):.{1,256}|agent:.{1,256}\/.{1,256})$/su,
    "must be `all` or `kind:id`",
  );
export type NodeAddress = z.infer<typeof nodeAddressSchema>;

export type ParsedNode =
  | { kind: "all"; id: "" }
  | { kind: "partner" | "reseller" | "organization"; id: string }
  | { kind: "agent"; id: string; organization: string; agent: string };

/** Splits an address that `nodeAddressSchema` accepts; throws on any other. */
export function parseNode(address: string): ParsedNode {
  if (address === "all") return { kind: "all", id: "" };
  const colon = address.indexOf(":");
  const kind = address.slice(0, colon) as NodeKind;
  const id = address.slice(colon + 1);
  if (colon < 0 || !nodeKinds.includes(kind) || id === "") throw new Error(`not a node address: ${address}`);
  if (kind !== "agent") return { kind, id };
  const slash = id.indexOf("/");
  if (slash < 1) throw new Error(`an agent's address is agent:organization/agent, not ${address}`);
  return { kind, id, organization: id.slice(0, slash), agent: id.slice(slash + 1) };
}

export const nodeStatuses = ["trial", "active", "suspended", "cancelled"] as const;
export type NodeStatus = (typeof nodeStatuses)[number];

const wellFormed = (text: z.ZodString) => text.refine((value) => value.isWellFormed(), "must be well-formed Unicode");
const nameSchema = wellFormed(z.string().min(1).max(256));

const nodeFieldsSchema = recordByWords(
  z.string().min(1).max(64),
  z.union([wellFormed(z.string().max(1024)), z.number(), z.boolean()]),
)
  .refine((fields) => Object.keys(fields).length <= 50, "must be at most 50 fields")
  .describe("Custom fields");
export type NodeFields = z.infer<typeof nodeFieldsSchema>;

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

export const nodeQuerySchema = z.strictObject({
  parent: nodeAddressSchema
    .optional()
    .describe("Only the nodes right below this one; default: the caller's node and all below it"),
  kind: z.enum(nodeKinds).optional(),
  status: z.enum(nodeStatuses).optional(),
  search: z.string().min(1).max(256).optional().describe("Part of a name, id or external id, in any case"),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().max(600).optional().describe("`next_cursor` of the page before"),
});

export const nodeListSchema = z.object({
  nodes: z.array(nodeSchema),
  next_cursor: z.string().nullable().describe("Ask with `cursor` set to this for the next page; null on the last"),
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
  id: nameSchema,
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
  parent: nodeAddressSchema
    .optional()
    .describe("Moves the node and all below it; usage until then stays with the parent it had"),
  effective_from: z.iso
    .datetime({ offset: true })
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
