/** Ranges of time as the dashboard speaks of them, and the next ones from one; pure. What they mean is in the contract. */
import { dayMs } from "@contract/durations.ts";
import { addDays, dateIn, monthAfter, type PresetId, type Range, type Span, usualPreset } from "@contract/ranges.ts";
import type { UsagePoint } from "@contract/usage.ts";
import { rangesTexts as t } from "../texts/en/ranges.ts";
import { dateFormat, formatTime } from "../words/format.ts";

export const presets = [
  { id: "today", key: "D" },
  { id: "yesterday", key: "E" },
  { id: "24h", key: "H" },
  { id: "7d", key: "W" },
  { id: "28d", key: "F" },
  { id: "30d", key: "T" },
  { id: "90d", key: undefined },
  { id: "month", key: "M" },
  { id: "last-month", key: "P" },
  { id: "year", key: "Y" },
  { id: "12m", key: "L" },
] as const satisfies readonly { id: PresetId; key: string | undefined }[];

export const presetName = (id: PresetId): string => t.presets[id];

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

/** The point's window has not ended yet: it was cut because the range ends now, not because a person cut it. */
export function isRunning(point: UsagePoint, range: { to: string }, nowMs: number): boolean {
  if (!point.partial) return false;
  const [startMs, endMs] = [Date.parse(point.start), Date.parse(point.end)];
  const isNow = endMs > nowMs && startMs <= nowMs;
  return isNow || (endMs === Date.parse(range.to) && endMs > nowMs - freshMs);
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

/** What the address says of a range; undefined values are left out of it. */
export function formatRange(range: Range): Record<"range" | "from" | "through" | "to", string | undefined> {
  const none = { range: undefined, from: undefined, through: undefined, to: undefined };
  if (range.preset === "custom") return { ...none, range: "custom", from: range.from, through: range.through };
  if (range.preset === "exact") return { ...none, from: range.from, to: range.to };
  return { ...none, range: range.preset === usualPreset ? undefined : range.preset };
}
