/** /v1/schedules: when a report is sent, to whom, and what became of each time. */
import { z } from "zod";
import { mailAddressSchema } from "./channels.ts";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { defaultPageSize } from "./pages.ts";
import { reportFormats } from "./reports.ts";
import { weekdays } from "./rules.ts";
import { changesOrWhole } from "./sent-back.ts";
import { textSchema } from "./text.ts";
import { timeZoneSchema } from "./time-zones.ts";

export const scheduleEvery = ["day", "week", "month", "quarter", "cycle"] as const;
export type ScheduleEvery = (typeof scheduleEvery)[number];

export type Weekday = (typeof weekdays)[number];
const weekdayNames = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;

/** Three letters, the English name, or its number: of ISO 8601 (1 is Monday, 7 Sunday), 0 for Sunday as cron has it. */
const weekdaySchema = z
  .union([z.enum(weekdays), z.enum(weekdayNames), z.int().min(0).max(7)])
  .describe("`week`: the day it is sent: `mon` to `sun`, a name, or 1 (Monday) to 7. Default: `mon`");
export type GivenWeekday = z.infer<typeof weekdaySchema>;

export function weekdayOfGiven(given: GivenWeekday): Weekday {
  const place = typeof given === "number" ? (given + 6) % 7 : weekdays.indexOf(given.slice(0, 3) as Weekday);
  return weekdays[place] ?? "mon";
}

const timeOfDaySchema = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time of day such as 08:00")
  .describe("Time of day in `tz`; a time that a clock change skips is the first instant after it");

const unique = (list: readonly string[]) => new Set(list.map((one) => one.toLowerCase())).size === list.length;

const fields = {
  every: z.enum(scheduleEvery).describe("Each report covers the whole period of this kind before it"),
  at: timeOfDaySchema,
  tz: timeZoneSchema,
  weekday: weekdaySchema.nullable(),
  day: z
    .int()
    .min(1)
    .max(31)
    .nullable()
    .describe(
      "`month`, `quarter`: the day of the following month it is sent; shorter months use their last day. Default: 1",
    ),
  fiscal_start_month: z
    .int()
    .min(1)
    .max(12)
    .nullable()
    .describe("`quarter`: the month in which the first quarter starts. Default: 1"),
  formats: z
    .array(z.enum(reportFormats))
    .min(1)
    .max(reportFormats.length)
    .refine(unique, "must name each format only once"),
  recipients: z.array(mailAddressSchema).max(100).refine(unique, "must name each address only once"),
  channels: z.array(z.string().min(1).max(100)).max(20).refine(unique, "must name each channel only once"),
  subject: textSchema(200).nullable().describe("Subject of the email. Default: what the report is about"),
  when_missed: z
    .enum(["catch_up", "skip"])
    .describe("A report that was due while the service was down: sent once it runs again, or skipped"),
  when_empty: z.enum(["send", "skip"]).describe("A period without any data: sent, saying so, or skipped"),
};

const timingFields = {
  every: fields.every,
  at: fields.at.default("08:00"),
  tz: fields.tz.default("UTC"),
  weekday: fields.weekday.optional(),
  day: fields.day.optional(),
  fiscal_start_month: fields.fiscal_start_month.optional(),
};

export const maxPastPeriods = 12;

export const createScheduleSchema = z.strictObject({
  report: z.string().min(1).max(100).describe("An ID, or the kind of a standard report"),
  node: nodeAddressSchema.optional().describe("Default: the report's node, otherwise the caller's node"),
  ...fields,
  ...timingFields,
  formats: fields.formats.default(["pdf"]),
  recipients: fields.recipients.default([]),
  channels: fields.channels.default([]),
  subject: fields.subject.optional(),
  when_missed: fields.when_missed.default("catch_up"),
  when_empty: fields.when_empty.default("send"),
  past_periods: z
    .int()
    .min(0)
    .max(maxPastPeriods)
    .default(0)
    .describe("How many past periods to send right away as well; needs `when_missed` `catch_up`"),
});

export type CreateSchedule = z.input<typeof createScheduleSchema>;

export const previewScheduleSchema = z.strictObject({
  report: z
    .string()
    .min(1)
    .max(100)
    .default("usage")
    .describe("What it would send: an ID, or the kind of a standard report"),
  node: nodeAddressSchema.optional().describe("The node whose billing cycles apply. Default: the caller's node"),
  ...timingFields,
});
export type PreviewSchedule = z.input<typeof previewScheduleSchema>;

export const schedulePreviewSchema = z.object({
  in_words: z.string(),
  next: z
    .array(z.object({ at: z.string(), from: z.string(), to: z.string().describe("Exclusive") }))
    .describe("The next three instants and the period each one covers, with the offset of `tz`"),
  is_kept: z
    .boolean()
    .describe(
      "Every report sent is also stored in the operator's bucket, so nothing is lost without a recipient and a channel",
    ),
});
export type SchedulePreview = z.infer<typeof schedulePreviewSchema>;

export const changeScheduleSchema = z.strictObject({ report: createScheduleSchema.shape.report, ...fields }).partial();
export type ChangeSchedule = z.infer<typeof changeScheduleSchema>;

/** `waiting`: due, until everything of its period can be queried; `running`: the report is made. The others are final. */
export const slotStates = ["waiting", "running", "sent", "skipped", "failed"] as const;
export type SlotState = (typeof slotStates)[number];

export const slotReasons = ["missed", "empty", "nobody", "report_removed", "run_failed"] as const;
export type SlotReason = (typeof slotReasons)[number];

export const slotSchema = z.object({
  id: z.string(),
  schedule: z.string(),
  from: z.string().describe("Start of the period, with the offset of its time zone"),
  to: z.string().describe("Exclusive"),
  at: z.string().describe("When it was due"),
  state: z.enum(slotStates),
  reason: z
    .enum(slotReasons)
    .nullable()
    .describe(
      "Why it was skipped or failed; `nobody`: there is no recipient, none can see it, or all have unsubscribed",
    ),
  run: z.string().nullable().describe("GET /v1/report-runs/{id}"),
  deliveries: z.array(z.string()).describe("GET /v1/deliveries/{id}: one for each address or channel"),
  withheld: z
    .array(z.string())
    .describe("Addresses and channels it was not sent to, because they cannot see it (any more) or have unsubscribed"),
  sent_at: z.string().nullable(),
  late: z.boolean().describe("It waited more than an hour for its data to be complete"),
  test: z.boolean().describe("Sent to only one person"),
});
export type ScheduleSlot = z.infer<typeof slotSchema>;

const lastSlotSchema = slotSchema.pick({ state: true, reason: true, at: true, sent_at: true });

export const scheduleSchema = z.object({
  id: z.string(),
  report: z.string(),
  report_name: z.string(),
  node: nodeAddressSchema,
  ...fields,
  weekday: z.enum(weekdays).nullable(),
  paused: z.boolean(),
  in_words: z.string(),
  next: z.array(z.string()).describe("The next three instants, with the offset of `tz`; none while it is paused"),
  last: lastSlotSchema.nullable().describe("The outcome of its newest slot, tests included; null before the first"),
  created_at: z.string(),
  author: z.string().describe("Who last saved it: recipients without an account receive what that person can see"),
});
export type Schedule = z.infer<typeof scheduleSchema>;

export const updateScheduleSchema = changesOrWhole(changeScheduleSchema, scheduleSchema);

export const scheduleQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("This node and everything below it. Default: the caller's node"),
  report: z.string().min(1).max(100).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(defaultPageSize),
  cursor: cursorSchema,
});
export const scheduleListSchema = z.object({ schedules: z.array(scheduleSchema), next_cursor: nextCursorSchema });
export type ScheduleList = z.infer<typeof scheduleListSchema>;

export const slotQuerySchema = z.strictObject({
  state: z.enum(slotStates).optional(),
  tests: z.enum(["true", "false"]).default("true").describe("`false`: leaves out what was sent by `/test`"),
  limit: z.coerce.number().int().min(1).max(1000).default(defaultPageSize),
  cursor: cursorSchema,
});
export const slotListSchema = z.object({
  slots: z.array(slotSchema).describe("Newest first"),
  next_cursor: nextCursorSchema,
});
export type SlotList = z.infer<typeof slotListSchema>;
