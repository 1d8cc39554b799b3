/** Reports, runs and schedules in words. */

import { addDays } from "@contract/ranges.ts";
import { reportNames } from "@contract/report-names.ts";
import { actionsOfReports } from "@contract/report-rights.ts";
import type { ReportFormat, ReportKind, ReportOptions, RunState } from "@contract/reports.ts";
import type { ScheduleEvery, ScheduleSlot, SlotReason, SlotState } from "@contract/schedules.ts";
import type { WindowKind } from "@contract/usage.ts";
import { describeDays } from "../state/range.ts";
import { reportsTexts as t } from "../texts/en/reports.ts";
import type { MeterLookup } from "./features.ts";
import { formatFigure, formatList } from "./format.ts";

type Tone = "neutral" | "accent" | "good" | "warn" | "bad";

/** Those that exist without being saved. */
export const standardReports = (Object.keys(reportNames) as ReportKind[]).filter((kind) => kind !== "custom");

/** What each shows, in a sentence. */
export const reportLeads: Record<ReportKind, string> = t.leads;

/** Why somebody may not see it, and whom to ask; undefined of what whoever reads may see. */
export function whyNot(kind: ReportKind): string | undefined {
  const action = actionsOfReports[kind];
  if (action === undefined) return undefined;
  return action === "audit:read" ? t.forOwnersAndAdmins : t.hasPrices;
}

export const formatNames: Record<ReportFormat, string> = t.formatNames;
export const formatHints: Record<ReportFormat, string> = t.formatHints;
export const formats = Object.keys(formatNames) as ReportFormat[];

export const runStateNames: Record<RunState, string> = t.runStates;
export const runStateTones: Record<RunState, Tone> = {
  queued: "neutral",
  running: "accent",
  done: "good",
  failed: "bad",
  cancelled: "neutral",
};
export const isUnfinished = (state: RunState) => state === "queued" || state === "running";

export const slotStateNames: Record<SlotState, string> = t.slotStates;
export const slotStateTones: Record<SlotState, Tone> = {
  waiting: "accent",
  running: "accent",
  sent: "good",
  skipped: "neutral",
  failed: "bad",
};

const reasonTexts: Record<SlotReason, string> = t.slotReasons;

/** Why it was not sent, where it was not. */
export function reasonText({ reason }: Pick<ScheduleSlot, "reason">): string | undefined {
  return reason === null ? undefined : reasonTexts[reason];
}

export const everyNames: Record<ScheduleEvery, string> = t.periods;
export const periods = Object.keys(everyNames) as ScheduleEvery[];

/** `12 kB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1_000) return t.bytes(bytes);
  if (bytes < 999_500) return t.kilobytes(Math.round(bytes / 1_000));
  return t.megabytes(formatFigure((bytes / 1_000_000).toFixed(1)));
}

export const windowNames: Record<WindowKind, string> = t.windows;
export const windows = Object.keys(windowNames) as WindowKind[];

const compareTexts: Record<string, string> = t.comparisons;

/** Such as `Transcribed minutes and Documents by language, each week, beside the period before`. */
export function optionsText({ meters = [], group_by, window, compare, filter }: ReportOptions, meterOf: MeterLookup) {
  const titles = meters.map((meter) => meterOf(meter)?.title ?? meter);
  const few = titles.length > 3 ? [...titles.slice(0, 2), t.moreMeters(titles.length - 2)] : titles;
  const filters = Object.keys(filter ?? {}).length;
  const listed = formatList(few);
  return [
    group_by === undefined ? listed : t.metersBy(listed, group_by),
    window === undefined || window === "total" ? "" : t.eachWindow(windowNames[window].toLowerCase()),
    filters === 0 ? "" : t.filterCount(filters),
    compare === undefined ? "" : t.comparedWithRange(compareTexts[compare] ?? compare.replace("/", " – ")),
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** `1 – 31 Jan 2026`, `to` exclusive; with times where the range is not one of whole days. */
export function periodText({ from, to }: { from: string; to: string }): string {
  const isWhole = from.slice(11, 19) === "00:00:00" && to.slice(11, 19) === "00:00:00";
  if (!isWhole) return t.fromTo(from.slice(0, 16).replace("T", " "), to.slice(0, 16).replace("T", " "));
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
  const people = first === undefined ? [] : [others.length === 0 ? first : t.andOthers(first, others.length)];
  return [...people, ...(channels.length === 0 ? [] : [t.channels(channels.length)])].join(", ");
}
