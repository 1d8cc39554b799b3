/** The audit: every change of configuration, newest first. */

import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";
import { timeZoneSchema } from "./time-zones.ts";

export const auditQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("Only what concerned this node or one below it, as the tree was then"),
  action: z.string().max(100).optional().describe("`key.revoked`, or `key` for all that happened to keys"),
  subject: z.string().max(600).optional().describe("A node's address or an id: the history of this one thing"),
  actor: z.string().max(256).optional().describe("An id, an e-mail address or a key's name"),
  from: z.string().optional().describe("RFC 3339 instant, date (its first instant in `tz`), or `now`"),
  to: z.string().optional().describe("Exclusive; the same forms"),
  tz: timeZoneSchema.default("UTC").describe("IANA zone of dates"),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.coerce.number().int().min(1).optional().describe("`next_cursor` of the page before"),
});

const snapshotSchema = z.unknown().describe("Without secrets; null where there was nothing");

export const auditEntrySchema = z.object({
  sequence: z.int(),
  at: z.string(),
  actor: z.object({ kind: z.enum(["user", "key", "system"]), id: z.string(), name: z.string() }),
  address: z.string().nullable().describe("The address that sent the request"),
  node: nodeAddressSchema,
  action: z.string(),
  subject: z.string(),
  before: snapshotSchema,
  after: snapshotSchema,
  hash: z
    .string()
    .nullable()
    .describe("sha256 of the whole entry and of the hash before it; null for who does not see all of the audit whole"),
});
export type AuditEntryAnswer = z.infer<typeof auditEntrySchema>;

export const auditListSchema = z.object({
  entries: z.array(auditEntrySchema),
  next_cursor: z.int().nullable().describe("Ask with `cursor` set to this for the next page; null on the last"),
});
export type AuditList = z.infer<typeof auditListSchema>;
