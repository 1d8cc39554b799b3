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
  panel: z.int().min(0).max(1_000).describe("As the dashboard's `panels` have it"),
});

const sharedMeterSchema = z.object({
  meter: z.string(),
  title: z.string(),
  adds_up: z.boolean(),
  is_built_in: z.boolean(),
});
export type SharedMeter = z.infer<typeof sharedMeterSchema>;

const sharedPanelSchema = panelSchema.omit({ query: true }).extend({
  panel: z.int().describe("What its figures are asked by"),
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
    .describe("What all panels show; `to` is `now` while it runs"),
  panels: z.array(sharedPanelSchema).describe("Without those of nodes that are not shown"),
  meters: z.array(sharedMeterSchema).describe("All that are built in, in their order, then those of the panels"),
  theme: embedThemeSchema.nullable().describe("As the embedding page wants it; null of a link"),
  expires_at: z.string(),
  refresh_seconds: z.int().describe("How often figures may be asked for anew"),
});
export type SharedView = z.infer<typeof sharedViewSchema>;

export const sharedPanelAnswerSchema = z.object({
  answer: usageAnswerSchema,
  only: z.string().nullable().describe("The one meter that is shown; null: all"),
  group_by: z.string().nullable(),
  names: z.record(z.string(), z.string()).describe("What the nodes are called that groups stand for, by address"),
});
export type SharedPanelAnswer = z.infer<typeof sharedPanelAnswerSchema>;
