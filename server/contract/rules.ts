/** Rules: what is watched, where, and who is notified. What they make is in alerts.ts. */
import { z } from "zod";
import { nextCursorSchema } from "./cursors.ts";
import { amountDigits, billionthsOf } from "./decimals.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { pageQuery } from "./pages.ts";
import { maxReadings } from "./rolling-windows.ts";
import { changesOrWhole } from "./sent-back.ts";
import { textSchema } from "./text.ts";
import { timeZoneSchema } from "./time-zones.ts";
import { recordByWords } from "./words.ts";

export const ruleKinds = [
  "quota",
  "threshold",
  "unusual",
  "low_usage",
  "no_data",
  "system",
  "customers",
  "billing",
] as const;
export type RuleKind = (typeof ruleKinds)[number];

export const severities = ["info", "warning", "critical"] as const;
export type Severity = (typeof severities)[number];

export const ruleScopes = ["node", "organizations"] as const;
export type RuleScope = (typeof ruleScopes)[number];

export const thresholdWindows = ["1m", "5m", "15m", "1h", "day", "cycle"] as const;
export type ThresholdWindow = (typeof thresholdWindows)[number];

export const systemConditions = [
  "ingest_lag",
  "backlog",
  "quarantine",
  "drift",
  "store_down",
  "job_failed",
  "delivery_failed",
] as const;
export type SystemCondition = (typeof systemConditions)[number];

export const customerConditions = [
  "organization_created",
  "status_changed",
  "subscription_changed",
  "trial_ending",
] as const;
export type CustomerCondition = (typeof customerConditions)[number];

export const billingConditions = ["payment_overdue", "payment_failed", "subscription_expiring"] as const;
export type BillingCondition = (typeof billingConditions)[number];

const decimalForm = new RegExp(`^-?\\d{1,${amountDigits.wholes}}(\\.\\d{1,${amountDigits.decimals}})?$`);

/** A decimal that may be negative, kept as it was written; a number is taken as String() writes it. */
const decimalSchema = z
  .union([z.string(), z.number()])
  .transform(String)
  // What compares thresholds is not asked about a text that is none.
  .refine((text) => decimalForm.test(text), {
    message: `must be a decimal with up to ${amountDigits.decimals} decimals`,
    abort: true,
  });
const amountSchema = decimalSchema.refine((text) => !text.startsWith("-"), "must be 0 or more");

const featureKeySchema = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, "must be lower-case letters, digits, - and _");
const meterNameSchema = textSchema(64);
const percentSchema = z.number().positive().max(1_000);
const daysBeforeSchema = z
  .int()
  .min(1)
  .max(365)
  .default(7)
  .describe("How many days before it happens a message is sent");

const filterTextSchema = textSchema(1_000, 0);
const filterValuesSchema = z.union([filterTextSchema, z.array(filterTextSchema).min(1).max(100)]);
/** As the parameters `filter[dimension]=a,b` of a query, or with a list of values, in which a comma is only a comma. */
const ruleFilterSchema = recordByWords(
  textSchema(64),
  z.union([
    filterValuesSchema,
    z.strictObject({
      eq: filterValuesSchema.optional(),
      in: filterValuesSchema.optional(),
      not: filterValuesSchema.optional(),
      prefix: filterValuesSchema.optional(),
    }),
  ]),
).refine((filter) => Object.keys(filter).length <= 20, "must have at most 20 dimensions");
export type RuleFilter = z.infer<typeof ruleFilterSchema>;

const different = (values: readonly unknown[]) => new Set(values).size === values.length;
const someOf = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.array(z.enum(values)).min(1).refine(different, "must not repeat a value");

const quotaConditionSchema = z.strictObject({
  kind: z.literal("quota"),
  feature: featureKeySchema.nullable().default(null).describe("Null: every feature with a limit"),
  thresholds: z
    .array(percentSchema)
    .min(1)
    .max(20)
    .refine(different, "must not repeat a value")
    .transform((percents) => [...percents].sort((a, b) => a - b))
    .nullable()
    .default(null)
    .describe("Percent of the limit; null: the thresholds that each node's plan sets for the feature"),
  on: z
    .enum(["used", "projected"])
    .default("used")
    .describe("What has been used so far, or the projection for the end of the cycle"),
});

const thresholdConditionSchema = z
  .strictObject({
    kind: z.literal("threshold"),
    meter: meterNameSchema,
    filter: ruleFilterSchema.optional(),
    window: z
      .enum(thresholdWindows)
      .default("1h")
      .describe("The last minutes up to the watermark, the current day, or the current billing cycle"),
    above: decimalSchema.optional().describe("Fires if the value is greater than this"),
    below: decimalSchema.optional().describe("Fires if the value is less than this"),
    for_minutes: z
      .number()
      .min(0)
      .max(10_080)
      .default(0)
      .describe("How many minutes the condition has to hold before a message is sent"),
    resolve_at: decimalSchema
      .optional()
      .describe("It resolves only when the value is back at this. Default: as soon as the condition no longer holds"),
  })
  .refine(({ above, below }) => (above === undefined) !== (below === undefined), {
    path: ["above"],
    message: "needs either `above` or `below`, and not both",
  })
  .refine(
    ({ above, below, resolve_at }) =>
      resolve_at === undefined ||
      (above !== undefined
        ? billionthsOf(resolve_at) <= billionthsOf(above)
        : billionthsOf(resolve_at) >= billionthsOf(below ?? "0")),
    { path: ["resolve_at"], message: "must be on the quiet side of the threshold" },
  );

const unusualConditionSchema = z.strictObject({
  kind: z.literal("unusual"),
  meter: meterNameSchema,
  direction: z.enum(["up", "down", "both"]).default("up"),
  sensitivity: z.enum(["low", "medium", "high"]).default("medium"),
  at_least: amountSchema
    .default("0")
    .describe("Evaluated only if the hour's value, or for a drop the usual value, is at least this"),
});

const lowUsageConditionSchema = z
  .strictObject({
    kind: z.literal("low_usage"),
    feature: featureKeySchema.optional(),
    meter: meterNameSchema.optional(),
    below_percent: percentSchema,
    of: z
      .enum(["plan", "past"])
      .default("plan")
      .describe("Percent of the feature's limit, or of the same part of earlier cycles"),
    after_days: z.int().min(0).max(366).default(7).describe("Evaluated this many days after the cycle starts"),
  })
  .refine(({ feature, meter }) => (feature === undefined) !== (meter === undefined), {
    path: ["feature"],
    message: "needs either `feature` or `meter`, and not both",
  });

const noDataConditionSchema = z.strictObject({
  kind: z.literal("no_data"),
  silent_minutes: z.int().min(1).max(525_600),
});

const systemConditionSchema = z.strictObject({
  kind: z.literal("system"),
  on: someOf(systemConditions).default([...systemConditions]),
});
const customersConditionSchema = z.strictObject({
  kind: z.literal("customers"),
  on: someOf(customerConditions).default([...customerConditions]),
  days_before: daysBeforeSchema,
});
const billingConditionSchema = z.strictObject({
  kind: z.literal("billing"),
  on: someOf(billingConditions).default([...billingConditions]),
  days_before: daysBeforeSchema,
});

export const conditionSchema = z.discriminatedUnion("kind", [
  quotaConditionSchema,
  thresholdConditionSchema,
  unusualConditionSchema,
  lowUsageConditionSchema,
  noDataConditionSchema,
  systemConditionSchema,
  customersConditionSchema,
  billingConditionSchema,
]);
export type Condition = z.infer<typeof conditionSchema>;
export type ConditionInput = z.input<typeof conditionSchema>;
export type ConditionOf<Kind extends RuleKind> = Extract<Condition, { kind: Kind }>;

export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const clockSchema = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "must be HH:MM");
export const muteWindowSchema = z
  .strictObject({
    from: clockSchema,
    to: clockSchema.describe("Exclusive; at or before `from` means on the next day"),
    days: z
      .array(z.enum(weekdays))
      .min(1)
      .refine(different, "must not repeat a value")
      .optional()
      .describe("Days on which it starts. Default: every day"),
    tz: timeZoneSchema.default("UTC"),
  })
  .describe("No messages are sent during it; alerts that still fire when it ends are sent then");
export type MuteWindow = z.infer<typeof muteWindowSchema>;

const channelIdSchema = z.string().min(1).max(100);

const ruleFields = {
  name: textSchema(256),
  severity: z.enum(severities),
  enabled: z.boolean(),
  channels: z
    .array(channelIdSchema)
    .max(20)
    .refine(different, "must not repeat a value")
    .describe("Channel IDs; the dashboard's bell is always included"),
  repeat_hours: z
    .number()
    .positive()
    .max(8_784)
    .nullable()
    .describe(
      "How often the message is repeated while the alert fires and nobody has acknowledged it; a quota sends one message per cycle",
    ),
  mute: z.array(muteWindowSchema).max(20).describe("When no messages are sent"),
};

export const createRuleSchema = z.strictObject({
  name: ruleFields.name,
  node: nodeAddressSchema.optional().describe("Default: the caller's node"),
  scope: z
    .enum(ruleScopes)
    .default("node")
    .describe("`organizations`: a template that applies to each organization below the node, now and later"),
  severity: ruleFields.severity.default("warning"),
  enabled: ruleFields.enabled.default(true),
  channels: ruleFields.channels.default([]),
  repeat_hours: ruleFields.repeat_hours.default(null),
  mute: ruleFields.mute.default([]),
  replaces: z
    .string()
    .min(1)
    .max(100)
    .nullable()
    .default(null)
    .describe("A rule of the same kind from further up, which this one replaces where it applies"),
  condition: conditionSchema,
});
export type CreateRule = z.input<typeof createRuleSchema>;

export const changeRuleSchema = z.strictObject({
  name: ruleFields.name.optional(),
  scope: z.enum(ruleScopes).optional(),
  severity: ruleFields.severity.optional(),
  enabled: ruleFields.enabled.optional(),
  channels: ruleFields.channels.optional(),
  repeat_hours: ruleFields.repeat_hours.optional(),
  mute: ruleFields.mute.optional(),
  replaces: createRuleSchema.shape.replaces.removeDefault().optional(),
  condition: conditionSchema.optional().describe("must have a condition of the same kind"),
});
export type ChangeRule = z.input<typeof changeRuleSchema>;

export const ruleSchema = z.object({
  id: z.string(),
  name: z.string(),
  node: nodeAddressSchema,
  scope: z.enum(ruleScopes),
  severity: ruleFields.severity,
  enabled: z.boolean(),
  channels: z.array(z.string()),
  repeat_hours: z.number().nullable(),
  mute: z.array(muteWindowSchema),
  replaces: z.string().nullable(),
  condition: conditionSchema,
  is_default: z.boolean().describe("Created by the service at its first start: notifies at each plan's own thresholds"),
  created_at: z.string(),
});
export type Rule = z.infer<typeof ruleSchema>;

export const updateRuleSchema = changesOrWhole(changeRuleSchema, ruleSchema);

export const ruleQuerySchema = z.strictObject({
  node: pageQuery.node,
  kind: z.enum(ruleKinds).optional(),
  enabled: z.enum(["true", "false"]).optional(),
  limit: pageQuery.limit,
  cursor: pageQuery.cursor,
});
export const ruleListSchema = z.object({ rules: z.array(ruleSchema), next_cursor: nextCursorSchema });
export type RuleList = z.infer<typeof ruleListSchema>;

/** What a preview looks at, at most. */
/** `enoughMs`: after so long no further node is looked at. */
export const previewLimits = { maxDays: 400, maxNodes: 20, maxReadings, enoughMs: 10_000 } as const;

export const previewRuleSchema = z.strictObject({
  rule: createRuleSchema.partial({ name: true }),
  from: z.string().max(64).describe("RFC 3339 instant, date (in UTC), or `now`"),
  to: z.string().max(64).describe(`Exclusive; the same forms; at most ${previewLimits.maxDays} days after \`from\``),
});

export const previewAnswerSchema = z.object({
  would: z.array(
    z.object({
      node: nodeAddressSchema,
      at: z.string(),
      value: z.string().nullable(),
      limit: z.string().nullable(),
      threshold: z.union([z.number(), z.string()]).nullable(),
      feature: z.string().nullable(),
      meter: z.string().nullable(),
      explanation: z.string(),
    }),
  ),
  nodes: z.int().describe("How many nodes were examined"),
  is_complete: z
    .boolean()
    .describe(
      "False if the rule applies to more nodes than a preview has time to examine, or to something without stored history",
    ),
  watermark: z.string(),
});
export type PreviewAnswer = z.infer<typeof previewAnswerSchema>;
