/** Passkeys (WebAuthn). Bytes are base64url; options and responses are what browsers read and write as JSON. */
import { z } from "zod";

const bytesSchema = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .regex(/^[\w-]+$/, "must be base64url without padding");
/** Up to 1023 bytes, as WebAuthn has it. */
const credentialIdSchema = bytesSchema(1364);
const clientDataSchema = bytesSchema(4096).describe("`clientDataJSON`");
const passkeyNameSchema = z.string().trim().min(1, "needs a name").max(64);

export const passkeySchema = z.object({
  id: z.string(),
  name: z.string(),
  created_at: z.string(),
  last_used_at: z.string().nullable(),
});
export type Passkey = z.infer<typeof passkeySchema>;

export const passkeyListSchema = z.object({ passkeys: z.array(passkeySchema) });
export type PasskeyList = z.infer<typeof passkeyListSchema>;

const passwordSchema = z
  .string()
  .min(1)
  .max(1024)
  .optional()
  .describe(
    "Required if the account has one; without a password, the session must have started within the last ten minutes",
  );

export const beginPasskeySchema = z.strictObject({ password: passwordSchema });
export const renamePasskeySchema = z.strictObject({ name: passkeyNameSchema });
export const removePasskeySchema = z.strictObject({
  password: passwordSchema,
  even_if_last: z
    .boolean()
    .optional()
    .describe("Delete it even if only the identity provider would be left to sign in with; refused if there is none"),
});

export const passkeyCreationOptionsSchema = z
  .object({
    challenge: z.string(),
    rp: z.object({ id: z.string(), name: z.string() }),
    user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
    pubKeyCredParams: z.array(z.object({ type: z.literal("public-key"), alg: z.int() })),
    timeout: z.int().describe("ms"),
    attestation: z.literal("none"),
    authenticatorSelection: z.object({
      residentKey: z.literal("required"),
      requireResidentKey: z.literal(true),
      userVerification: z.literal("required"),
    }),
    excludeCredentials: z.array(
      z.object({ type: z.literal("public-key"), id: z.string(), transports: z.array(z.string()) }),
    ),
  })
  .describe("For `PublicKeyCredential.parseCreationOptionsFromJSON`");
export type PasskeyCreationOptions = z.infer<typeof passkeyCreationOptionsSchema>;

export const passkeyRequestOptionsSchema = z
  .object({
    challenge: z.string(),
    rpId: z.string(),
    timeout: z.int().describe("ms"),
    userVerification: z.literal("required"),
  })
  .describe("For `PublicKeyCredential.parseRequestOptionsFromJSON`");
export type PasskeyRequestOptions = z.infer<typeof passkeyRequestOptionsSchema>;

/** What is read of a credential's `toJSON`; the rest may be sent along. */
const credentialSchema = z.object({
  id: credentialIdSchema,
  rawId: credentialIdSchema,
  type: z.literal("public-key"),
});

export const newPasskeySchema = z.strictObject({
  name: passkeyNameSchema.default("Passkey"),
  credential: credentialSchema.extend({
    response: z.object({
      clientDataJSON: clientDataSchema,
      attestationObject: bytesSchema(65_536),
      transports: z.array(z.string().max(32)).max(16).default([]),
    }),
  }),
});
export type NewPasskey = z.infer<typeof newPasskeySchema>;

export const signInWithPasskeySchema = z.strictObject({
  credential: credentialSchema.extend({
    response: z.object({
      clientDataJSON: clientDataSchema,
      authenticatorData: bytesSchema(65_536),
      signature: bytesSchema(4096),
      userHandle: bytesSchema(128).describe("The account of the passkey; only discoverable passkeys can sign in"),
    }),
  }),
});
export type SignInWithPasskey = z.infer<typeof signInWithPasskeySchema>;
