/**
 * Ranges of time as the dashboard speaks of them, pure. A named range stays relative: its address says `30d`, and each
 * load asks the server for the days that are now. Dates are those of a zone's calendar, written YYYY-MM-DD.
 */
import type { UsagePoint, WindowKind } from "@contract/usage.ts";
import { dateFormat } from "../words/format.ts";

export const presets = [
  { id: "today", label: "Today", key: "D" },
  { id: "yesterday", label: "Yesterday", key: "E" },
  { id: "7d", label: "Last 7 days", key: "W" },
  { id: "28d", label: "Last 28 days", key: "F" },
  { id: "30d", label: "Last 30 days", key: "T" },
  { id: "90d", label: "Last 90 days", key: undefined },
  { id: "month", label: "This month", key: "M" },
  { id: "last-month", label: "Last month", key: "P" },
  { id: "year", label: "This year", key: "Y" },
] as const;
export type PresetId = (typeof presets)[number]["id"];

/** `through` is the last day that is part of the range, as a person would say it. */
export type Range = { preset: PresetId } | { preset: "custom"; from: string; through: string };

export interface Span {
  /** What the server is asked: a date, exclusive `to`, or `now` while the last day is running. */
  from: string;
  to: string;
  /** The first and the last day, inclusive. */
  firstDay: string;
  lastDay: string;
  days: number;
}

const dayMs = 24 * 60 * 60 * 1000;
const datePattern = /^\d{4}-\d{2}-\d{2}$/;

/** The date that the calendar of `tz` shows at `nowMs`. */
export function dateIn(tz: string, nowMs: number): string {
  const parts = dateFormat(tz, { year: "numeric", month: "2-digit", day: "2-digit" }).formatToParts(nowMs);
  const part = (type: string) => parts.find((candidate) => candidate.type === type)?.value ?? "";
  return `${part("year")}-${part("month")}-${part("day")}`;
}

export function addDays(date: string, days: number): string {
  return new Date(Date.parse(date) + days * dayMs).toISOString().slice(0, 10);
}

/** A date that the calendar has, and that the server takes. */
export function isDate(text: string): boolean {
  if (!datePattern.test(text) || text < "2000-01-01" || text > "2199-12-31") return false;
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 10) === text;
}

/** The days of `range` as of `nowMs` in `tz`. */
export function spanOf(range: Range, tz: string, nowMs: number): Span {
  const today = dateIn(tz, nowMs);
  const [firstDay, lastDay] = daysOf(range, today);
  return {
    from: firstDay,
    to: lastDay >= today ? "now" : addDays(lastDay, 1),
    firstDay,
    lastDay,
    days: Math.round((Date.parse(lastDay) - Date.parse(firstDay)) / dayMs) + 1,
  };
}

function daysOf(range: Range, today: string): [string, string] {
  switch (range.preset) {
    case "today":
      return [today, today];
    case "yesterday":
      return [addDays(today, -1), addDays(today, -1)];
    case "7d":
      return [addDays(today, -6), today];
    case "28d":
      return [addDays(today, -27), today];
    case "30d":
      return [addDays(today, -29), today];
    case "90d":
      return [addDays(today, -89), today];
    case "month":
      return [`${today.slice(0, 7)}-01`, today];
    case "last-month": {
      const lastDay = addDays(`${today.slice(0, 7)}-01`, -1);
      return [`${lastDay.slice(0, 7)}-01`, lastDay];
    }
    case "year":
      return [`${today.slice(0, 4)}-01-01`, today];
    case "custom":
      return [range.from, range.through];
  }
}

/** Steps that make a readable chart of so many days, with the one to start from. */
export function windowsFor(days: number): { choices: WindowKind[]; usual: WindowKind } {
  const choices: WindowKind[] = [];
  if (days <= 14) choices.push("hour");
  choices.push("day");
  if (days >= 14) choices.push("week");
  if (days >= 45) choices.push("month");
  return { choices: days > 1100 ? choices.filter((kind) => kind !== "day") : choices, usual: usualWindow(days) };
}

function usualWindow(days: number): WindowKind {
  if (days <= 2) return "hour";
  if (days <= 92) return "day";
  return days <= 400 ? "week" : "month";
}

/** The point's window has not ended yet: it was cut because the range ends now, not because a person cut it. */
export function isRunning(point: UsagePoint, range: { to: string }, nowMs: number): boolean {
  return point.partial && Date.parse(point.end) === Date.parse(range.to) && Date.parse(point.end) > nowMs - freshMs;
}

/** Longer than any answer stays on screen without being read again. */
const freshMs = 15 * 60_000;

/** `1 – 30 Nov 2026`, as short as it stays clear. */
export function describeDays(firstDay: string, lastDay: string): string {
  const format = (date: string, options: Intl.DateTimeFormatOptions) =>
    dateFormat("UTC", options).format(Date.parse(date));
  const full: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", year: "numeric" };
  if (firstDay === lastDay) return format(firstDay, full);
  if (firstDay.slice(0, 4) !== lastDay.slice(0, 4)) return `${format(firstDay, full)} – ${format(lastDay, full)}`;
  if (firstDay.slice(0, 7) === lastDay.slice(0, 7))
    return `${format(firstDay, { day: "numeric" })} – ${format(lastDay, full)}`;
  return `${format(firstDay, { day: "numeric", month: "short" })} – ${format(lastDay, full)}`;
}

/** From the address: `range=30d`, or `range=custom&from=…&through=…`. What makes no sense is the last 30 days. */
export function parseRange(name: string | undefined, from: string | undefined, through: string | undefined): Range {
  if (name === "custom" && from && through && isDate(from) && isDate(through) && from <= through)
    return { preset: "custom", from, through };
  const preset = presets.find(({ id }) => id === name);
  return { preset: preset?.id ?? usualPreset };
}

const usualPreset: PresetId = "30d";

/** What the address says of a range; undefined values are left out of it. */
export function formatRange(range: Range): Record<"range" | "from" | "through", string | undefined> {
  if (range.preset === "custom") return { range: "custom", from: range.from, through: range.through };
  return { range: range.preset === usualPreset ? undefined : range.preset, from: undefined, through: undefined };
}
