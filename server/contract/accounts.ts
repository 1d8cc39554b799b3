/** Signing in, the signed-in user, and API keys. */

import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { dateTimeSchema } from "./date-times.ts";
import { nodeAddressSchema } from "./nodes.ts";

export const signInSchema = z.strictObject({
  email: z.string().min(3).max(256),
  password: z.string().min(1).max(1024),
  code: z
    .string()
    .min(6)
    .max(32)
    .optional()
    .describe("From the authenticator app, or a recovery code; asked for by `second_factor_required`"),
});
export type SignIn = z.infer<typeof signInSchema>;

export const signInWaysSchema = z.object({
  password: z.boolean(),
  oidc: z
    .object({
      name: z.string().describe("What people know the provider as"),
      path: z.string().describe("Where the browser goes to sign in there"),
    })
    .nullable()
    .describe("Null without an identity provider"),
  passkeys: z
    .object({ origin: z.string().describe("The only one whose pages may use them") })
    .nullable()
    .describe("Null where the public URL can have none"),
});
export type SignInWays = z.infer<typeof signInWaysSchema>;

/** Each holds at a node and everywhere below it. Only `owner` and `finance` see prices and revenue. */
export const roles = ["owner", "admin", "manager", "finance", "viewer"] as const;
export type Role = (typeof roles)[number];

/** What can be allowed; `admin` is every configuration that has no action of its own. */
export const actions = [
  "ingest",
  "read",
  "nodes:write",
  "events:correct",
  "rules:write",
  "reports:write",
  "views:share",
  "meters:write",
  "keys:write",
  "users:write",
  "audit:read",
  "prices:read",
  "plans:write",
  "payments:write",
  "admin",
] as const;
export type Action = (typeof actions)[number];

export const roleGrantSchema = z.strictObject({ node: nodeAddressSchema, role: z.enum(roles) });
export type RoleAt = z.infer<typeof roleGrantSchema>;

export const meSchema = z.object({
  kind: z.enum(["user", "key"]),
  name: z.string().describe("A user's e-mail address, or a key's name"),
  node: nodeAddressSchema.describe("What is meant where a request names no node"),
  roles: z.array(roleGrantSchema).describe("A user's; keys have none"),
  actions: z.array(z.enum(actions)).describe("What the caller may do, at one node at least"),
  has_second_factor: z.boolean().describe("A user's; keys have none"),
  has_password: z.boolean().describe("A user's; keys have none, nor who signs in elsewhere or with passkeys only"),
});
export type Me = z.infer<typeof meSchema>;

export const mySessionListSchema = z.object({
  sessions: z.array(
    z.object({
      id: z.string(),
      is_current: z.boolean(),
      address: z.string().nullable().describe("That signed in"),
      user_agent: z.string().nullable(),
      created_at: z.string(),
      expires_at: z.string(),
    }),
  ),
});
export type MySessionList = z.infer<typeof mySessionListSchema>;

const newPasswordSchema = z.string().min(10, "must have at least 10 characters").max(1024);

export const requestResetSchema = z.strictObject({ email: z.string().min(3).max(256) });
export const setPasswordSchema = z.strictObject({
  token: z.string().min(1).max(256).describe("From the mail of an invitation or a reset"),
  password: newPasswordSchema,
});
export const changePasswordSchema = z.strictObject({
  current_password: z.string().min(1).max(1024),
  new_password: newPasswordSchema,
});
export const confirmPasswordSchema = z.strictObject({ password: z.string().min(1).max(1024) });
export const totpCodeSchema = z.strictObject({ code: z.string().regex(/^\d{6}$/, "must be six digits") });

export const totpSecretSchema = z.object({
  secret: z.string().describe("Base32, for an authenticator app"),
  address: z.string().describe("The same as `otpauth://`"),
});
export const recoveryCodesSchema = z.object({
  recovery_codes: z.array(z.string()).describe("Each signs in once when the app is lost; shown this once"),
});

export const keyScopes = ["ingest", "read", "admin"] as const;
export type KeyScope = (typeof keyScopes)[number];

export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  node: nodeAddressSchema,
  scopes: z.array(z.enum(keyScopes)),
  create_organizations: z.boolean(),
  see_prices: z.boolean(),
  prefix: z.string().describe("The first characters, to recognise the key by"),
  created_at: z.string(),
  last_used_at: z.string().nullable(),
  last_used_address: z.string().nullable().describe("From where; null where it was never used, or that is not known"),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export type Key = z.infer<typeof keySchema>;

export const createKeySchema = z.strictObject({
  name: z.string().min(1).max(256),
  node: nodeAddressSchema.optional(),
  scopes: z.array(z.enum(keyScopes)).min(1),
  create_organizations: z.boolean().optional().describe("Default: what the caller itself may"),
  see_prices: z
    .boolean()
    .optional()
    .describe(
      "May the key see prices and revenue? Default: with the scope `admin` what the caller itself may, else no",
    ),
  expires_at: dateTimeSchema.optional(),
});
export type CreateKey = z.infer<typeof createKeySchema>;

export const rotateKeySchema = z.strictObject({
  overlap_seconds: z
    .int()
    .min(0)
    .max(30 * 24 * 60 * 60)
    .default(24 * 60 * 60)
    .describe("How long the old key is good beside the new one"),
  expires_at: dateTimeSchema
    .optional()
    .describe("When the new key ends; default: as long from now as the old one was given, or never"),
});

export const keyListSchema = z.object({ keys: z.array(keySchema), next_cursor: nextCursorSchema });
export type KeyList = z.infer<typeof keyListSchema>;

export const createdKeySchema = keySchema.extend({
  key: z.string().describe("Shown this once; only its hash is kept"),
});
export type CreatedKey = z.infer<typeof createdKeySchema>;
