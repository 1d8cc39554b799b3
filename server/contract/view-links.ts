/** /v1/views/{id}/links and …/embed-tokens: a dashboard shown read-only to whoever has a token, without an account. */
import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";

export const linkDays = { usual: 7, most: 90 } as const;
export const embedMinutes = { usual: 15, most: 60 } as const;
const maxOrigins = 10;

const shownNodeSchema = nodeAddressSchema
  .optional()
  .describe(
    "Whose data is shown: the dashboard's node (the default) or one below it. Panels of a node below it stay as they are, panels of one above it are queried for it, and others are left out",
  );

export const createViewLinkSchema = z.strictObject({
  node: shownNodeSchema,
  expires_in_days: z.int().min(1).max(linkDays.most).default(linkDays.usual),
});

export const linkStates = ["active", "held", "expired", "revoked"] as const;

export const viewLinkSchema = z.object({
  id: z.string(),
  view: z.string().describe("ID of the dashboard"),
  node: nodeAddressSchema.describe("The node whose data it shows"),
  state: z
    .enum(linkStates)
    .describe(
      "`held`: neither expired nor revoked, but it opens nothing because the person who created it cannot share the dashboard now",
    ),
  created_by: z.string().describe("An email address, or a key's name"),
  created_at: z.string(),
  expires_at: z.string(),
  last_used_at: z.string().nullable().describe("To the nearest minute"),
  revoked_at: z.string().nullable(),
});
export type ViewLink = z.infer<typeof viewLinkSchema>;

export const createdViewLinkSchema = viewLinkSchema.extend({
  url: z.string().describe("The dashboard's address. It contains the only copy of the token, after `#`"),
});

export type CreatedViewLink = z.infer<typeof createdViewLinkSchema>;

export const viewLinkListSchema = z.object({
  links: z.array(viewLinkSchema).describe("Newest first; of ended ones, the newest 100"),
});

export const embedThemeSchema = z.strictObject({
  mode: z.enum(["light", "dark", "system"]).default("system"),
  accent: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/, "must be a colour such as #0f766e")
    .optional()
    .describe(
      "Replaces the accent colour of this service, for series and focus; made darker or lighter until it is visible",
    ),
});
export type EmbedTheme = z.infer<typeof embedThemeSchema>;

/** As a browser writes it, so that it can stand in a header as it is: in one, `*` would be any host and a space another origin. */
const webOrigin = /^https?:\/\/(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;
const originSchema = z
  .string()
  .max(300)
  .refine(
    (text) => webOrigin.test(text) && URL.canParse(text) && new URL(text).origin === text,
    "must be an origin such as https://app.example.com, without a path",
  );

export const createEmbedTokenSchema = z.strictObject({
  node: shownNodeSchema,
  expires_in_minutes: z.int().min(1).max(embedMinutes.most).default(embedMinutes.usual),
  theme: embedThemeSchema.optional(),
  origins: z
    .array(originSchema)
    .max(maxOrigins)
    .default([])
    .describe(
      "Origins whose pages can frame the dashboard and pass it the next token; empty: none. `http:` only if this service is reached over http, or for the page's own machine",
    ),
});

export const embedTokenSchema = z.object({
  token: z.string().describe("For `postMessage` to an open frame"),
  url: z.string().describe("The `src` of the frame, with the token after `#`"),
  expires_at: z.string(),
});
