/** /v1/schedules: when a report is sent, to whom, and what became of each time. */
import { z } from "zod";
import { mailAddressSchema } from "./channels.ts";
import { cursorSchema, nextCursorSchema } from "./cursors.ts";
import { nodeAddressSchema } from "./nodes.ts";
import { defaultPageSize } from "./pages.ts";
import { reportFormats } from "./reports.ts";
import { weekdays } from "./rules.ts";
import { textSchema } from "./text.ts";
import { timeZoneSchema } from "./time-zones.ts";

export const scheduleEvery = ["day", "week", "month", "quarter", "cycle"] as const;
export type ScheduleEvery = (typeof scheduleEvery)[number];

export type Weekday = (typeof weekdays)[number];
const weekdayNames = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;

/** Three letters, the English name, or its number: of ISO 8601 (1 is Monday, 7 Sunday), 0 for Sunday as cron has it. */
const weekdaySchema = z
  .union([z.enum(weekdays), z.enum(weekdayNames), z.int().min(0).max(7)])
  .describe("`week`: on which day it is sent: `mon` to `sun`, a name, or 1 (Monday) to 7; default: `mon`");
export type GivenWeekday = z.infer<typeof weekdaySchema>;

export function weekdayOfGiven(given: GivenWeekday): Weekday {
  const place = typeof given === "number" ? (given + 6) % 7 : weekdays.indexOf(given.slice(0, 3) as Weekday);
  return weekdays[place] ?? "mon";
}

const timeOfDaySchema = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time of day such as 08:00")
  .describe("What the clock of `tz` shows; a time that a clock change skips is the first instant after it");

const unique = (list: readonly string[]) => new Set(list.map((one) => one.toLowerCase())).size === list.length;

const fields = {
  every: z.enum(scheduleEvery).describe("Each time covers the whole period of this kind before it"),
  at: timeOfDaySchema,
  tz: timeZoneSchema,
  weekday: weekdaySchema.nullable(),
  day: z
    .int()
    .min(1)
    .max(31)
    .nullable()
    .describe("`month`, `quarter`: on which day of the month after it; a shorter month has its last; default: 1"),
  fiscal_start_month: z
    .int()
    .min(1)
    .max(12)
    .nullable()
    .describe("`quarter`: with which month the first quarter begins; default: 1"),
  formats: z.array(z.enum(reportFormats)).min(1).max(reportFormats.length).refine(unique, "must name each format once"),
  recipients: z.array(mailAddressSchema).max(100).refine(unique, "must name each address once"),
  channels: z.array(z.string().min(1).max(100)).max(20).refine(unique, "must name each channel once"),
  subject: textSchema(200).nullable().describe("The mail's subject; default: what the report is about"),
  when_missed: z
    .enum(["catch_up", "skip"])
    .describe("A time at which the service did not run: sent once it runs again, or left out"),
  when_empty: z.enum(["send", "skip"]).describe("A period without anything in it: sent and said so, or left out"),
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
  report: z.string().min(1).max(100).describe("An id, or the kind of a standard one"),
  node: nodeAddressSchema.optional().describe("Default: that of the report, else the caller's node"),
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
    .describe("How many of the periods that were due by now are sent as well, at once; with `when_missed` `catch_up`"),
});

export type CreateSchedule = z.input<typeof createScheduleSchema>;

export const previewScheduleSchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("Whose billing cycles; default: the caller's node"),
  ...timingFields,
});
export type PreviewSchedule = z.input<typeof previewScheduleSchema>;

export const schedulePreviewSchema = z.object({
  in_words: z.string(),
  next: z
    .array(z.object({ at: z.string(), from: z.string(), to: z.string().describe("Exclusive") }))
    .describe("The next three instants and the period that each is about, with the offset of `tz`"),
  is_kept: z
    .boolean()
    .describe("What is sent is put where the operator keeps it, too: a schedule needs no recipient and no channel"),
});
export type SchedulePreview = z.infer<typeof schedulePreviewSchema>;

export const changeScheduleSchema = z.strictObject({ ...fields }).partial();
export type ChangeSchedule = z.infer<typeof changeScheduleSchema>;

/** `waiting`: due, until everything of its period can be queried; `running`: the report is made. The others are final. */
export const slotStates = ["waiting", "running", "sent", "skipped", "failed"] as const;
export type SlotState = (typeof slotStates)[number];

export const slotReasons = ["missed", "empty", "nobody", "report_removed", "run_failed"] as const;
export type SlotReason = (typeof slotReasons)[number];

export const slotSchema = z.object({
  id: z.string(),
  schedule: z.string(),
  from: z.string().describe("The start of the period, with the offset of its zone"),
  to: z.string().describe("Exclusive"),
  at: z.string().describe("When it was due"),
  state: z.enum(slotStates),
  reason: z
    .enum(slotReasons)
    .nullable()
    .describe("Why it was skipped or failed; `nobody`: of those it is for nobody may see it, or all have unsubscribed"),
  run: z.string().nullable().describe("GET /v1/report-runs/{id}"),
  deliveries: z.array(z.string()).describe("GET /v1/deliveries/{id}: one for each address or channel"),
  withheld: z
    .array(z.string())
    .describe("Addresses and channels that got nothing, since they may not see it (any more) or want no more of it"),
  sent_at: z.string().nullable(),
  late: z.boolean().describe("It waited for what was not known yet for more than an hour"),
  test: z.boolean().describe("Sent to one person alone"),
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
  last: lastSlotSchema.nullable().describe("What became of its newest slot, tests included; null before the first"),
  created_at: z.string(),
  author: z.string().describe("Who saved it last: addresses outside get what they may see"),
});
export type Schedule = z.infer<typeof scheduleSchema>;

export const scheduleQuerySchema = z.strictObject({
  node: nodeAddressSchema.optional().describe("This node and all below it; default: the caller's node"),
  report: z.string().min(1).max(100).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(defaultPageSize),
  cursor: cursorSchema,
});
export const scheduleListSchema = z.object({ schedules: z.array(scheduleSchema), next_cursor: nextCursorSchema });
export type ScheduleList = z.infer<typeof scheduleListSchema>;

export const slotQuerySchema = z.strictObject({
  state: z.enum(slotStates).optional(),
  tests: z.enum(["true", "false"]).default("false").describe("`true`: with what was sent by `/test`"),
  limit: z.coerce.number().int().min(1).max(1000).default(defaultPageSize),
  cursor: cursorSchema,
});
export const slotListSchema = z.object({
  slots: z.array(slotSchema).describe("The newest first"),
  next_cursor: nextCursorSchema,
});
export type SlotList = z.infer<typeof slotListSchema>;
