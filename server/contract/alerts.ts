/** Alerts: what rules found, for how long it held, and who has seen to it. */

import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { dateTimeSchema } from "./date-times.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { pageQuery } from "./pages.ts";
import { ruleKinds, severities } from "./rules.ts";

export const alertStates = ["pending", "firing", "resolved", "no_data"] as const;
export type AlertState = (typeof alertStates)[number];

export const alertSchema = z.object({
  id: z.string(),
  rule: z
    .string()
    .describe("Empty where the alert began while its node was not the reader's: then it has no name either"),
  rule_name: z.string(),
  kind: z.enum(ruleKinds),
  node: nodeAddressSchema,
  severity: z.enum(severities),
  state: z
    .enum(alertStates)
    .describe("`pending`: it holds, but not for long enough yet; `no_data`: what it was evaluated by is missing"),
  feature: z.string().nullable(),
  meter: z.string().nullable(),
  threshold: z
    .union([z.number(), z.string()])
    .nullable()
    .describe("A quota's percent of the limit, else the rule's bound as a decimal"),
  value: z.string().nullable().describe("When it was last evaluated"),
  limit: z.string().nullable(),
  percent: z.string().nullable().describe("Percent of the limit, rounded down to 2 decimals"),
  period: z.object({ start: z.string(), end: z.string() }).nullable().describe("The cycle that it is about"),
  at: z.string().describe("When it began to hold, by the watermark"),
  fired_at: z.string().nullable(),
  resolved_at: z.string().nullable(),
  acknowledged: z
    .object({
      by: z.string().describe("`somebody else` where the node was not the reader's then"),
      at: z.string(),
    })
    .nullable(),
  snoozed_until: z.string().nullable(),
  explanation: z.string(),
  watermark: z.string().describe("Up to where everything was known when it was last evaluated"),
  url: z.string().describe("Where the dashboard shows it"),
  is_own: z
    .boolean()
    .optional()
    .describe(
      "Whether its rule is of a node of the reader's: only then they may acknowledge and snooze it. In answers of /v1/alerts alone",
    ),
});
export type Alert = z.infer<typeof alertSchema>;

export const alertQuerySchema = z.strictObject({
  ...pageQuery,
  state: z.enum(alertStates).optional(),
  rule: z.string().max(100).optional(),
  kind: z.enum(ruleKinds).optional(),
});
export const alertListSchema = z.object({ alerts: z.array(alertSchema), next_cursor: nextCursorSchema });
export type AlertList = z.infer<typeof alertListSchema>;

export const snoozeAlertSchema = z.strictObject({
  until: dateTimeSchema.describe("No message is sent about it until then; at most a year ahead"),
});
