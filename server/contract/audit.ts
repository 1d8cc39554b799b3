/** The audit: every change of configuration, newest first. */

import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { timeZoneSchema } from "./time-zones.ts";

export const auditQuerySchema = z.strictObject({
  node: nodeAddressSchema
    .optional()
    .describe("Only changes that concerned this node or one below it, as the tree was at the time"),
  action: z.string().max(100).optional().describe("`key.revoked`, or `key` for everything that happened to keys"),
  subject: z.string().max(600).optional().describe("A node's address or an ID: the history of that one thing"),
  actor: z.string().max(256).optional().describe("An ID, an email address, or a key's name"),
  from: z.string().optional().describe("RFC 3339 instant, date (its first instant in `tz`), or `now`"),
  to: z.string().optional().describe("Exclusive; the same forms"),
  tz: timeZoneSchema.default("UTC").describe("IANA time zone of dates"),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, "is not a cursor of this list")
    .optional()
    .describe("`next_cursor` of the previous page"),
});

const snapshotSchema = z.unknown().describe("Without secrets; null if there was no value");

export const auditEntrySchema = z.object({
  sequence: z.int(),
  at: z.string(),
  actor: z.object({ kind: z.enum(["user", "key", "system"]), id: z.string(), name: z.string() }),
  address: z.string().nullable().describe("The network address that sent the request"),
  node: nodeAddressSchema,
  action: z.string(),
  subject: z.string(),
  before: snapshotSchema,
  after: snapshotSchema,
  hash: z
    .string()
    .nullable()
    .describe("sha256 of the whole entry and the previous hash; null for readers who cannot see the whole audit log"),
});
export type AuditEntryAnswer = z.infer<typeof auditEntrySchema>;

export const auditListSchema = z.object({
  entries: z.array(auditEntrySchema),
  next_cursor: nextCursorSchema,
});
export type AuditList = z.infer<typeof auditListSchema>;
