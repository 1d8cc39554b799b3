/** /v1/shared: a dashboard as whoever has the token of a link or of an embedding sees it. */
import { z } from "zod";
import { nodeAddressSchema } from "./nodes.ts";
import { usageAnswerSchema } from "./usage.ts";
import { embedThemeSchema } from "./view-links.ts";
import { panelSchema } from "./views.ts";

/** Tokens are sent in bodies, which no log and no `Referer` has. */
const tokenSchema = z.string().min(1).max(4_096);

export const openSharedViewSchema = z.strictObject({ token: tokenSchema });
export const askSharedPanelSchema = z.strictObject({
  token: tokenSchema,
  panel: z.int().min(0).max(1_000).describe("The same as in the dashboard's `panels`"),
});

const sharedMeterSchema = z.object({
  meter: z.string(),
  title: z.string(),
  adds_up: z.boolean(),
  is_built_in: z.boolean(),
});
export type SharedMeter = z.infer<typeof sharedMeterSchema>;

const sharedPanelSchema = panelSchema.omit({ query: true }).extend({
  panel: z.int().describe("The query for its data"),
  node: nodeAddressSchema,
  node_name: z.string(),
});
export type SharedPanel = z.infer<typeof sharedPanelSchema>;

export const sharedViewSchema = z.object({
  name: z.string(),
  node: nodeAddressSchema,
  node_name: z.string(),
  range: z
    .object({
      from: z.string(),
      to: z.string(),
      first_day: z.string(),
      last_day: z.string(),
      days: z.number(),
      tz: z.string(),
    })
    .describe("The range of all panels; `to` is `now` while it is still in progress"),
  panels: z.array(sharedPanelSchema).describe("Without panels of nodes that are not shown"),
  meters: z.array(sharedMeterSchema).describe("All built-in meters in order, then those of the panels"),
  theme: embedThemeSchema.nullable().describe("As set by the embedding page; null for a link"),
  expires_at: z.string(),
  refresh_seconds: z.int().describe("How often data can be requested again"),
});
export type SharedView = z.infer<typeof sharedViewSchema>;

export const sharedPanelAnswerSchema = z.object({
  answer: usageAnswerSchema,
  only: z.string().nullable().describe("The one meter to show; null: all"),
  group_by: z.string().nullable(),
  names: z.record(z.string(), z.string()).describe("Names of the nodes that groups stand for, by address"),
});
export type SharedPanelAnswer = z.infer<typeof sharedPanelAnswerSchema>;
