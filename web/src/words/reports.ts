/** Reports, runs and schedules in words. */

import { addDays } from "@contract/ranges.ts";
import { reportNames } from "@contract/report-names.ts";
import { actionsOfReports } from "@contract/report-rights.ts";
import type { ReportFormat, ReportKind, ReportOptions, RunState } from "@contract/reports.ts";
import type { ScheduleEvery, ScheduleSlot, SlotReason, SlotState, Weekday } from "@contract/schedules.ts";
import type { WindowKind } from "@contract/usage.ts";
import { describeDays } from "../state/range.ts";
import type { MeterLookup } from "./plans.ts";

type Tone = "neutral" | "accent" | "good" | "warn" | "bad";

/** Those that exist without being saved. */
export const standardReports = (Object.keys(reportNames) as ReportKind[]).filter((kind) => kind !== "custom");

/** What each shows, in a sentence. */
export const reportLeads: Record<ReportKind, string> = {
  usage: "Total usage beside the period and the year before, growth, the peak day, and who used most.",
  billing: "Subscription revenue, overage charges, total revenue, and what has been paid.",
  activity: "New transcriptions, sign-ups, which features are used, and calls of the API.",
  organizations: "Every organization with its plan, users, usage and quota.",
  financial: "Cost, price and margin by reseller and partner, with each adjustment.",
  audit: "Who changed what, when and from where.",
  custom: "Meters of your choice, grouped, filtered and compared.",
};

/** Why somebody may not see it, and whom to ask; undefined of what whoever reads may see. */
export function whyNot(kind: ReportKind): string | undefined {
  const action = actionsOfReports[kind];
  if (action === undefined) return undefined;
  return action === "audit:read" ? "For owners and admins." : "Has prices, which owners and finance see.";
}

export const formatNames: Record<ReportFormat, string> = {
  csv: "CSV",
  xlsx: "Excel",
  pdf: "PDF",
  json: "JSON",
  parquet: "Parquet",
};
export const formatHints: Record<ReportFormat, string> = {
  csv: "A file for each table, for any spreadsheet",
  xlsx: "A sheet for each table, with totals as formulas",
  pdf: "To read, print and send on",
  json: "For programs, with a published schema",
  parquet: "A file for each table, for a warehouse",
};
export const formats = Object.keys(formatNames) as ReportFormat[];

export const runStateNames: Record<RunState, string> = {
  queued: "waiting",
  running: "in progress",
  done: "ready",
  failed: "failed",
  cancelled: "cancelled",
};
export const runStateTones: Record<RunState, Tone> = {
  queued: "neutral",
  running: "accent",
  done: "good",
  failed: "bad",
  cancelled: "neutral",
};
export const isUnfinished = (state: RunState) => state === "queued" || state === "running";

export const slotStateNames: Record<SlotState, string> = {
  waiting: "waiting for data",
  running: "in progress",
  sent: "sent",
  skipped: "not sent",
  failed: "failed",
};
export const slotStateTones: Record<SlotState, Tone> = {
  waiting: "accent",
  running: "accent",
  sent: "good",
  skipped: "neutral",
  failed: "bad",
};

const reasonTexts: Record<SlotReason, string> = {
  missed: "The service was down when it was due.",
  empty: "The report was empty.",
  nobody: "No recipient may see it, or all have unsubscribed.",
  report_removed: "Its report was deleted.",
  run_failed: "The report could not be created.",
};

/** Why it was not sent, where it was not. */
export function reasonText({ reason }: Pick<ScheduleSlot, "reason">): string | undefined {
  return reason === null ? undefined : reasonTexts[reason];
}

export const everyNames: Record<ScheduleEvery, string> = {
  day: "Day",
  week: "Week",
  month: "Month",
  quarter: "Quarter",
  cycle: "Billing cycle",
};
export const periods = Object.keys(everyNames) as ScheduleEvery[];

export const weekdayNames: Record<Weekday, string> = {
  ...{ mon: "Monday", tue: "Tuesday", wed: "Wednesday", thu: "Thursday", fri: "Friday", sat: "Saturday" },
  sun: "Sunday",
};

export const monthNames = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"],
] as const;

/** `12 kB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1_000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export const windowNames: Record<WindowKind, string> = {
  minute: "Minute",
  hour: "Hour",
  day: "Day",
  week: "Week",
  month: "Month",
  quarter: "Quarter",
  year: "Year",
  cycle: "Billing cycle",
  total: "The whole range",
};
export const windows = Object.keys(windowNames) as WindowKind[];

const compareTexts: Record<string, string> = { previous: "the period before", year: "a year before" };

/** Such as `Transcribed minutes and Documents by language, each week, beside the period before`. */
export function optionsText({ meters = [], group_by, window, compare, filter }: ReportOptions, meterOf: MeterLookup) {
  const titles = meters.map((meter) => meterOf(meter)?.title ?? meter);
  const few = titles.length > 3 ? [...titles.slice(0, 2), `${titles.length - 2} more`] : titles;
  const filters = Object.keys(filter ?? {}).length;
  return [
    few.join(", ").replace(/, ([^,]*)$/, " and $1") + (group_by === undefined ? "" : ` by ${group_by}`),
    window === undefined || window === "total" ? "" : `each ${windowNames[window].toLowerCase()}`,
    filters === 0 ? "" : filters === 1 ? "one filter" : `${filters} filters`,
    compare === undefined ? "" : `beside ${compareTexts[compare] ?? compare.replace("/", " to ")}`,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** `1 – 31 Jan 2026`, `to` exclusive; with times where the range is not one of whole days. */
export function periodText({ from, to }: { from: string; to: string }): string {
  const isWhole = from.slice(11, 19) === "00:00:00" && to.slice(11, 19) === "00:00:00";
  if (!isWhole) return `${from.slice(0, 16).replace("T", " ")} to ${to.slice(0, 16).replace("T", " ")}`;
  return describeDays(from.slice(0, 10), addDays(to.slice(0, 10), -1));
}

/** `ann@example.com and 2 more`, with its channels. */
export function receiversText({
  recipients,
  channels,
}: {
  recipients: readonly string[];
  channels: readonly string[];
}) {
  const [first, ...others] = recipients;
  const people = first === undefined ? [] : [others.length === 0 ? first : `${first} and ${others.length} more`];
  const count = channels.length;
  return [...people, ...(count === 0 ? [] : [`${count} ${count === 1 ? "channel" : "channels"}`])].join(", ");
}
