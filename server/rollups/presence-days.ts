/** Where the table `presences` keeps a session's intervals. */
import { dayMs } from "../contract/durations.ts";
import type { Span } from "./resolve-session.ts";

/** Longer intervals are kept in one row: an interval of decades would otherwise have a row for each of its days. */
const maxDays = 31;
/** 1970-01-01 stands for no day: a question about any range looks there too. */
const anyDay = 0;

/**
 * The UTC days, in days since 1970 and ascending, whose rows hold the intervals. An open interval is in every day until it times
 * out.
 */
export function presenceDays(spans: readonly Pick<Span, "startMs" | "endMs" | "deadlineMs">[]): number[] {
  const days = new Set<number>();
  for (const { startMs, endMs, deadlineMs } of spans) {
    const untilMs = endMs ?? deadlineMs ?? startMs;
    if (untilMs <= startMs && endMs !== undefined) continue;
    const first = Math.floor(startMs / dayMs);
    const last = Math.max(first, Math.ceil(untilMs / dayMs) - 1);
    if (last - first >= maxDays) days.add(anyDay);
    else for (let day = first; day <= last; day++) days.add(day);
  }
  return ascending(days);
}

/** Days of one list or of several, ascending: also those of an earlier derivation, whose rows are to be emptied. */
export function unionOfDays(lists: Iterable<Iterable<number>>): number[] {
  const union = new Set<number>();
  for (const days of lists) for (const day of days) union.add(day);
  return ascending(union);
}

const ascending = (days: ReadonlySet<number>) => (days.size < 2 ? [...days] : [...days].sort((a, b) => a - b));
