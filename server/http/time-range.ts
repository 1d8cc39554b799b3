/** The parameters `from`, `to` and `tz` of a list. */
import { InvalidTimeError, resolveInstant } from "../metrics/windows.ts";
import { ProblemError } from "../problem.ts";

export interface TimeRange {
  /** ms since 1970, UTC; undefined: no bound. */
  fromMs: number | undefined;
  /** Exclusive. */
  toMs: number | undefined;
}

/** Throws `invalid_request` naming the parameter that is no time, and where nothing can lie in the range. */
export function readTimeRange(
  { from, to, tz }: { from?: string | undefined; to?: string | undefined; tz: string },
  nowMs: number,
): TimeRange {
  const instant = (field: "from" | "to", text: string | undefined) =>
    text === undefined ? undefined : readInstant(field, text, tz, nowMs);
  const range = { fromMs: instant("from", from), toMs: instant("to", to) };
  if (range.fromMs !== undefined && range.toMs !== undefined) checkOrder({ from, to }, range.fromMs, range.toMs);
  return range;
}

/** Throws `invalid_request` unless `from` lies before `to`; two dates may begin at once, where a zone skipped the day between. */
export function checkOrder(
  { from = "", to = "" }: { from?: string | undefined; to?: string | undefined },
  fromMs: number,
  toMs: number,
): void {
  const isDate = (text: string) => /^\d{4}-\d\d-\d\d$/.test(text);
  const isSkippedDay = fromMs === toMs && isDate(from) && isDate(to) && from < to;
  if (fromMs >= toMs && !isSkippedDay)
    throw new ProblemError("invalid_request", "from must be before to", { field: "from" });
}

/** ms since 1970, UTC, of an instant, date or `now` in the parameter `field`. Throws `invalid_request` naming it. */
export function readInstant(field: string, text: string, tz: string, nowMs: number): number {
  try {
    return resolveInstant(text, tz, nowMs);
  } catch (error) {
    if (error instanceof InvalidTimeError) throw new ProblemError("invalid_request", error.message, { field });
    throw error;
  }
}
