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
    .describe("Empty if the alert started before its node belonged to the reader; then it has no name either"),
  rule_name: z.string(),
  kind: z.enum(ruleKinds),
  node: nodeAddressSchema,
  severity: z.enum(severities),
  state: z
    .enum(alertStates)
    .describe(
      "`pending`: the condition holds, but not yet for long enough. `no_data`: the data it is evaluated on is missing",
    ),
  feature: z.string().nullable(),
  meter: z.string().nullable(),
  threshold: z
    .union([z.number(), z.string()])
    .nullable()
    .describe("The percent of the limit for a quota; otherwise the rule's threshold as a decimal"),
  passed: z
    .array(z.number())
    .describe("The lower thresholds passed in the same step, in ascending order: this alert stands for them too"),
  value: z.string().nullable().describe("The value when it was last evaluated"),
  limit: z.string().nullable(),
  percent: z.string().nullable().describe("Percent of the limit, rounded down to 2 decimals"),
  period: z.object({ start: z.string(), end: z.string() }).nullable().describe("The cycle it is about"),
  at: z.string().describe("When the condition started to hold, by the watermark"),
  fired_at: z.string().nullable(),
  resolved_at: z.string().nullable(),
  acknowledged: z
    .object({
      by: z.string().describe("`somebody else` if the node did not belong to the reader at the time"),
      at: z.string(),
    })
    .nullable(),
  snoozed_until: z.string().nullable(),
  explanation: z.string(),
  watermark: z.string().describe("The watermark at the last evaluation"),
  url: z.string().describe("Its page in the dashboard"),
  is_own: z
    .boolean()
    .optional()
    .describe(
      "Whether its rule belongs to one of the reader's nodes: only then can they acknowledge and snooze it. Only in answers of /v1/alerts",
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
  until: dateTimeSchema.describe("No message about it is sent until then; at most a year ahead"),
});
