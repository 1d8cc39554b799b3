/**
 * Ranges of time as the dashboard speaks of them, pure. A named range stays relative: its address says `30d`, and each
 * load asks the server for the days that are now. Dates are those of a zone's calendar, written YYYY-MM-DD.
 */
import { dayMs } from "@contract/durations.ts";
import type { UsagePoint, WindowKind } from "@contract/usage.ts";
import { dateFormat, formatTime } from "../words/format.ts";

export const presets = [
  { id: "today", label: "Today", key: "D" },
  { id: "yesterday", label: "Yesterday", key: "E" },
  { id: "24h", label: "Last 24 hours", key: "H" },
  { id: "7d", label: "Last 7 days", key: "W" },
  { id: "28d", label: "Last 28 days", key: "F" },
  { id: "30d", label: "Last 30 days", key: "T" },
  { id: "90d", label: "Last 90 days", key: undefined },
  { id: "month", label: "This month", key: "M" },
  { id: "last-month", label: "Last month", key: "P" },
  { id: "year", label: "This year", key: "Y" },
  { id: "12m", label: "Last 12 months", key: "L" },
] as const;
export type PresetId = (typeof presets)[number]["id"];

type NamedRange = { preset: PresetId };

/**
 * `through` is the last day that is part of the range, as a person would say it. The ends of an exact range are RFC 3339
 * instants, `now`, or such as `now-6h`, which stays relative.
 */
export type Range =
  | NamedRange
  | { preset: "custom"; from: string; through: string }
  | { preset: "exact"; from: string; to: string };

export interface Span {
  /** What the server is asked: a date or an instant, exclusive `to`, or `now` while the range is running. */
  from: string;
  to: string;
  /** The first and the last day, inclusive. */
  firstDay: string;
  lastDay: string;
  /** Counts the part of a day of an exact range too. */
  days: number;
}

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

const unitMs = { m: 60_000, h: 60 * 60_000, d: dayMs, w: 7 * dayMs } as const;
const relative = /^now(?:-(\d{1,5})([mhdw]))?$/;
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;
const firstInstant = Date.parse("2000-01-01T00:00:00Z");
const lastInstant = Date.parse("2200-01-01T00:00:00Z");

/** Ms since 1970 of an end of an exact range; undefined where it is none, or none that the server takes. */
export function instantOf(text: string, nowMs: number): number | undefined {
  const [isRelative, count, unit] = relative.exec(text) ?? [];
  const ms = isRelative
    ? nowMs - Number(count ?? 0) * unitMs[(unit ?? "m") as keyof typeof unitMs]
    : instant.test(text)
      ? Date.parse(text)
      : Number.NaN;
  return ms >= firstInstant && ms < lastInstant ? ms : undefined;
}

/** The days of `range` as of `nowMs` in `tz`. */
export function spanOf(range: Range, tz: string, nowMs: number): Span {
  if (range.preset === "exact") return exactSpan(range.from, range.to, tz, nowMs);
  const today = dateIn(tz, nowMs);
  const days = daysOf(range, today);
  if (!days) return exactSpan("now-24h", "now", tz, nowMs);
  const [firstDay, lastDay] = days;
  return {
    from: firstDay,
    to: lastDay >= today ? "now" : addDays(lastDay, 1),
    firstDay,
    lastDay,
    days: Math.round((Date.parse(lastDay) - Date.parse(firstDay)) / dayMs) + 1,
  };
}

function exactSpan(from: string, to: string, tz: string, nowMs: number): Span {
  const fromMs = instantOf(from, nowMs) ?? nowMs - dayMs;
  const toMs = Math.max(fromMs + 60_000, instantOf(to, nowMs) ?? nowMs);
  return {
    from: new Date(fromMs).toISOString(),
    to: to === "now" ? "now" : new Date(toMs).toISOString(),
    firstDay: dateIn(tz, fromMs),
    lastDay: dateIn(tz, toMs - 1),
    days: (toMs - fromMs) / dayMs,
  };
}

/** `1 – 30 Nov 2026`; of an exact range with its times: `21 Nov 2026, 10:00 – 16:00`. */
export function describeSpan({ from, to, firstDay, lastDay }: Span, tz: string, nowMs: number): string {
  if (!from.includes("T")) return describeDays(firstDay, lastDay);
  const clock = (ms: number) => formatTime(ms, tz, { hour: "2-digit", minute: "2-digit" });
  const [fromMs, toMs] = [Date.parse(from), to === "now" ? nowMs : Date.parse(to)];
  const day = (date: string) => describeDays(date, date);
  const end = clock(toMs);
  if (firstDay === lastDay) return `${day(firstDay)}, ${clock(fromMs)} – ${end === "00:00" ? "24:00" : end}`;
  const last = end === "00:00" ? `${day(lastDay)}, 24:00` : `${day(dateIn(tz, toMs))}, ${end}`;
  return `${day(firstDay)}, ${clock(fromMs)} – ${last}`;
}

/** As long a range right before (`by` -1) or after (1): whole months stay whole months; none that begins after now. */
export function shiftSpan(span: Span, by: -1 | 1, tz: string, nowMs: number): Range | undefined {
  const today = dateIn(tz, nowMs);
  if (span.from.includes("T")) {
    const lengthMs = Math.round(span.days * dayMs);
    const fromMs = Date.parse(span.from) + by * lengthMs;
    if (fromMs >= nowMs) return undefined;
    const at = (ms: number) => new Date(ms).toISOString();
    return { preset: "exact", from: at(fromMs), to: at(fromMs + lengthMs) };
  }
  const isMonth = span.firstDay.endsWith("-01") && span.firstDay.slice(0, 7) === span.lastDay.slice(0, 7);
  if (isMonth && (span.days > 27 || span.to === "now")) {
    const from = by < 0 ? `${addDays(span.firstDay, -1).slice(0, 7)}-01` : monthAfter(span.firstDay);
    return from > today ? undefined : { preset: "custom", from, through: addDays(monthAfter(from), -1) };
  }
  const from = addDays(span.firstDay, by * span.days);
  return from > today ? undefined : { preset: "custom", from, through: addDays(from, span.days - 1) };
}

/** The range of days that begins and ends at these instants; undefined where a day is cut, unless it is still running. */
export function wholeDays(fromMs: number, toMs: number, tz: string, isRunning = false): Range | undefined {
  const isMidnight = (ms: number) =>
    formatTime(ms, tz, { hour: "2-digit", minute: "2-digit", second: "2-digit" }) === "00:00:00";
  if (!isMidnight(fromMs) || !(isRunning || isMidnight(toMs))) return undefined;
  return { preset: "custom", from: dateIn(tz, fromMs), through: dateIn(tz, toMs - 1) };
}

/** From instant to instant as a range: whole days of the zone as such, else the very instants. */
export function zoomedRange(fromMs: number, toMs: number, tz: string, isRunning: boolean): Range {
  const at = (ms: number) => new Date(ms).toISOString();
  const exact = { preset: "exact", from: at(fromMs), to: isRunning ? "now" : at(toMs) } as const;
  return wholeDays(fromMs, toMs, tz, isRunning) ?? exact;
}

const monthAfter = (firstOfMonth: string) => `${addDays(firstOfMonth, 31).slice(0, 7)}-01`;

/** Undefined of the one that is no matter of days. */
function daysOf(range: Exclude<Range, { preset: "exact" }>, today: string): [string, string] | undefined {
  switch (range.preset) {
    case "24h":
      return undefined;
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
    case "12m": {
      const next = monthAfter(`${today.slice(0, 7)}-01`);
      return [`${Number(next.slice(0, 4)) - 1}${next.slice(4)}`, today];
    }
    case "custom":
      return [range.from, range.through];
  }
}

/** Steps that make a readable chart of so many days, with the one to start from. */
export function windowsFor(days: number): { choices: WindowKind[]; usual: WindowKind } {
  const choices: WindowKind[] = [];
  if (days <= 0.5) choices.push("minute");
  if (days <= 14 && days > 1 / 24) choices.push("hour");
  if (days >= 1) choices.push("day");
  if (days >= 14) choices.push("week");
  if (days >= 45) choices.push("month");
  return { choices: days > 1100 ? choices.filter((kind) => kind !== "day") : choices, usual: usualWindow(days) };
}

function usualWindow(days: number): WindowKind {
  if (days <= 0.25) return "minute";
  if (days <= 2) return "hour";
  if (days <= 92) return "day";
  return days <= 400 ? "week" : "month";
}

/** The point's window has not ended yet: it was cut because the range ends now, not because a person cut it. */
export function isRunning(point: UsagePoint, range: { to: string }, nowMs: number): boolean {
  const [startMs, endMs] = [Date.parse(point.start), Date.parse(point.end)];
  const isNow = endMs > nowMs && startMs <= nowMs;
  return point.partial && (isNow || (endMs === Date.parse(range.to) && endMs > nowMs - freshMs));
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

/**
 * From the address: `range=30d`, `range=custom&from=…&through=…`, or `from=now-6h&to=now`. What makes no sense is the last 30
 * days.
 */
export function parseRange(
  name: string | undefined,
  from: string | undefined,
  through: string | undefined,
  to?: string | undefined,
): Range {
  if (name === undefined && from && to) {
    const now = Date.now();
    const [fromMs, toMs] = [instantOf(from, now), instantOf(to, now)];
    if (fromMs !== undefined && toMs !== undefined && fromMs < toMs) return { preset: "exact", from, to };
  }
  if (name === "custom" && from && through && isDate(from) && isDate(through) && from <= through)
    return { preset: "custom", from, through };
  const preset = presets.find(({ id }) => id === name);
  return { preset: preset?.id ?? usualPreset };
}

const usualPreset: PresetId = "30d";

/** What the address says of a range; undefined values are left out of it. */
export function formatRange(range: Range): Record<"range" | "from" | "through" | "to", string | undefined> {
  const none = { range: undefined, from: undefined, through: undefined, to: undefined };
  if (range.preset === "custom") return { ...none, range: "custom", from: range.from, through: range.through };
  if (range.preset === "exact") return { ...none, from: range.from, to: range.to };
  return { ...none, range: range.preset === usualPreset ? undefined : range.preset };
}
