/** Ranges as people type them: `now-6h`, `2026-03`, `2026-03-01 10:00 to 2026-03-01 16:00`, `last month`; pure. */

import { addDays, instantOf, isDate, type Range } from "@contract/ranges.ts";
import { parseDateTime } from "@internationalized/date";
import { presetName, presets } from "./range.ts";

/** Whole days, the last one included. */
type Days = [from: string, through: string];

/** Undefined where it says no range, or one that ends before it begins. */
export function readTyped(text: string, tz: string, nowMs: number): Range | undefined {
  const typed = text.trim().toLowerCase().replaceAll(/\s+/g, " ");
  const preset = presets.find(({ id }) => id === typed || presetName(id).toLowerCase() === typed);
  if (preset) return { preset: preset.id };
  const length = /^(?:last )?(\d{1,5}) ?(m|min|minutes?|h|hours?|d|days?|w|weeks?)$/.exec(typed);
  if (length) return exact(`now-${length[1]}${length[2]?.charAt(0)}`, "now", nowMs);
  const ends = typed.split(/ (?:to|until|–|—|-) |\.\./);
  if (ends.length > 2) return undefined;
  const [first = "", last = ends.length === 1 && /^now-/.test(first) ? "now" : first] = ends;
  const [firstDays, lastDays] = [daysOf(first), daysOf(last)];
  if (firstDays && lastDays)
    return firstDays[0] <= lastDays[1] ? { preset: "custom", from: firstDays[0], through: lastDays[1] } : undefined;
  const from = firstDays ? startOf(firstDays[0], tz) : endOf(first, tz);
  const to = lastDays ? startOf(addDays(lastDays[1], 1), tz) : endOf(last, tz);
  return from && to ? exact(from, to, nowMs) : undefined;
}

function exact(from: string, to: string, nowMs: number): Range | undefined {
  const [fromMs, toMs] = [instantOf(from, nowMs), instantOf(to, nowMs)];
  return fromMs !== undefined && toMs !== undefined && fromMs < toMs ? { preset: "exact", from, to } : undefined;
}

const startOf = (date: string, tz: string) => parseDateTime(`${date}T00:00`).toDate(tz).toISOString();

/** An end that is no day: relative to now, or a time on a day. */
function endOf(text: string, tz: string): string | undefined {
  if (/^now(?:-\d+[mhdw])?$/.test(text)) return text;
  const [, date = "", hours = "", minutes = ""] = /^(\d{4}-\d\d-\d\d)[ t](\d\d):(\d\d)$/.exec(text) ?? [];
  if (!isDate(date) || Number(hours) > 23 || Number(minutes) > 59) return undefined;
  return parseDateTime(`${date}T${hours}:${minutes}`).toDate(tz).toISOString();
}

/** The days of `2026`, `2026-q1`, `2026-03` and `2026-03-01`. */
function daysOf(text: string): Days | undefined {
  const [, year = "", quarter, month, day] = /^(\d{4})(?:-q([1-4])|-(\d\d)(?:-(\d\d))?)?$/.exec(text) ?? [];
  if (year === "") return undefined;
  if (day !== undefined) return isDate(text) ? [text, text] : undefined;
  const [firstMonth, months] = quarter ? [Number(quarter) * 3 - 2, 3] : month ? [Number(month), 1] : [1, 12];
  if (firstMonth < 1 || firstMonth > 12) return undefined;
  const first = (count: number) => new Date(Date.UTC(Number(year), count - 1, 1)).toISOString().slice(0, 10);
  const days: Days = [first(firstMonth), addDays(first(firstMonth + months), -1)];
  return days.every(isDate) ? days : undefined;
}
