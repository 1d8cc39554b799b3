/** Signing in, the signed-in user, and API keys. */
import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";

export const signInSchema = z.strictObject({
  email: z.string().min(3).max(256),
  password: z.string().min(1).max(1024),
});
export type SignIn = z.infer<typeof signInSchema>;

export const meSchema = z.object({
  kind: z.enum(["user", "key"]),
  name: z.string().describe("A user's e-mail address, or a key's name"),
  node: nodeAddressSchema,
  scopes: z.array(z.enum(["ingest", "read", "admin"])),
});
export type Me = z.infer<typeof meSchema>;

export const keyScopes = ["ingest", "read", "admin"] as const;
export type KeyScope = (typeof keyScopes)[number];

export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  node: nodeAddressSchema,
  scopes: z.array(z.enum(keyScopes)),
  create_organizations: z.boolean(),
  prefix: z.string().describe("The first characters, to recognise the key by"),
  created_at: z.string(),
  last_used_at: z.string().nullable(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export type Key = z.infer<typeof keySchema>;

export const createKeySchema = z.strictObject({
  name: z.string().min(1).max(256),
  node: nodeAddressSchema.optional(),
  scopes: z.array(z.enum(keyScopes)).min(1),
  create_organizations: z.boolean().optional().describe("Default: what the caller itself may"),
  expires_at: z.iso.datetime({ offset: true }).optional(),
});
export type CreateKey = z.infer<typeof createKeySchema>;

export const keyListSchema = z.object({ keys: z.array(keySchema) });

export const createdKeySchema = keySchema.extend({
  key: z.string().describe("Shown this once; only its hash is kept"),
});
export type CreatedKey = z.infer<typeof createdKeySchema>;
