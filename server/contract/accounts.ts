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
    .describe("From the authenticator app, or a recovery code. Required when the answer is `second_factor_required`"),
});
export type SignIn = z.infer<typeof signInSchema>;

export const signInWaysSchema = z.object({
  password: z.boolean(),
  oidc: z
    .object({
      name: z.string().describe("The provider's display name"),
      path: z.string().describe("Where to send the browser to sign in"),
    })
    .nullable()
    .describe("Null if no identity provider is set up"),
  passkeys: z
    .object({ origin: z.string().describe("The only origin whose pages can use passkeys") })
    .nullable()
    .describe("Null if the public URL cannot have passkeys"),
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
  name: z.string().describe("A user's email address, or a key's name"),
  node: nodeAddressSchema.describe("The node used when a request names none"),
  roles: z.array(roleGrantSchema).describe("For a user; a key has none"),
  actions: z.array(z.enum(actions)).describe("What the caller can do at one or more nodes"),
  has_second_factor: z.boolean().describe("For a user; a key has none"),
  has_password: z
    .boolean()
    .describe("Null for keys, and for users who sign in only through an identity provider or with passkeys"),
});
export type Me = z.infer<typeof meSchema>;

export const mySessionListSchema = z.object({
  sessions: z.array(
    z.object({
      id: z.string(),
      is_current: z.boolean(),
      address: z.string().nullable().describe("The session of this request"),
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
  token: z.string().min(1).max(256).describe("From the email of an invitation or a password reset"),
  password: newPasswordSchema,
});
export const changePasswordSchema = z.strictObject({
  current_password: z.string().min(1).max(1024),
  new_password: newPasswordSchema,
});
export const confirmPasswordSchema = z.strictObject({ password: z.string().min(1).max(1024) });
export const totpCodeSchema = z.strictObject({ code: z.string().regex(/^\d{6}$/, "must be six digits") });

export const totpSecretSchema = z.object({
  secret: z.string().describe("Base32, to enter in an authenticator app"),
  address: z.string().describe("The same secret as an `otpauth://` URI"),
});
export const recoveryCodesSchema = z.object({
  recovery_codes: z.array(z.string()).describe("Each signs in once if the app is lost; shown only once"),
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
  prefix: z.string().describe("The first characters, to recognize the key by"),
  created_at: z.string(),
  last_used_at: z.string().nullable(),
  last_used_address: z
    .string()
    .nullable()
    .describe("The address it was last used from; null if it was never used or the address is unknown"),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
});
export type Key = z.infer<typeof keySchema>;

export const createKeySchema = z.strictObject({
  name: z.string().min(1).max(256),
  node: nodeAddressSchema.optional(),
  scopes: z.array(z.enum(keyScopes)).min(1),
  create_organizations: z.boolean().optional().describe("Default: the scopes that the caller has"),
  see_prices: z
    .boolean()
    .optional()
    .describe(
      "Whether the key can see prices and revenue. Default: for the scope `admin`, the same as the caller; otherwise no",
    ),
  expires_at: dateTimeSchema.optional(),
});
export type CreateKey = z.infer<typeof createKeySchema>;

/** What a key may do stays as it was made: another one is made in its place. */
export const changeKeySchema = z.strictObject({ name: createKeySchema.shape.name });

export const rotateKeySchema = z.strictObject({
  overlap_seconds: z
    .int()
    .min(0)
    .max(30 * 24 * 60 * 60)
    .default(24 * 60 * 60)
    .describe("How long the old key keeps working alongside the new one"),
  expires_at: dateTimeSchema
    .optional()
    .describe("When the new key expires. Default: after the same lifetime as the old key, or never"),
});

export const keyListSchema = z.object({ keys: z.array(keySchema), next_cursor: nextCursorSchema });
export type KeyList = z.infer<typeof keyListSchema>;

export const createdKeySchema = keySchema.extend({
  key: z.string().describe("Shown only once; only its hash is stored"),
});
export type CreatedKey = z.infer<typeof createdKeySchema>;
