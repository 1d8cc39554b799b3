/**
 * Ranges of time as the addresses of pages speak of them: a named one stays relative (`30d`), and each load asks for the days
 * that are now. Dates are those of a zone's calendar, written YYYY-MM-DD. Pure, and without a schema, so that the dashboard
 * asks here without loading what reads schemas.
 */
import { dayMs } from "./durations.ts";
import type { WindowKind } from "./usage.ts";

export const presetIds = [
  "today",
  "yesterday",
  "24h",
  "7d",
  "28d",
  "30d",
  "90d",
  "month",
  "last-month",
  "year",
  "12m",
] as const;
export type PresetId = (typeof presetIds)[number];

/** What stands where an address names none. */
export const usualPreset: PresetId = "30d";

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

const calendars = new Map<string, Intl.DateTimeFormat>();

/** The date that the calendar of `tz` shows at `nowMs`. */
export function dateIn(tz: string, nowMs: number): string {
  const calendar =
    calendars.get(tz) ??
    new Intl.DateTimeFormat("en-GB", { timeZone: tz, year: "numeric", month: "2-digit", day: "2-digit" });
  calendars.set(tz, calendar);
  const parts = calendar.formatToParts(nowMs);
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

/** The first of the month after the one that begins on the date. */
export const monthAfter = (firstOfMonth: string): string => `${addDays(firstOfMonth, 31).slice(0, 7)}-01`;

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

/** Steps that make a readable chart of this many days, with the one to start from. */
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
  const preset = presetIds.find((id) => id === name);
  return { preset: preset ?? usualPreset };
}
