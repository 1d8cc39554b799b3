/** The parameters `from`, `to` and `tz` of a list. */
import { InvalidTimeError, parseInstant } from "../metrics/windows.ts";
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
  if (range.fromMs !== undefined && range.toMs !== undefined && range.fromMs >= range.toMs)
    throw new ProblemError("invalid_request", "from must lie before to", { field: "from" });
  return range;
}

/** ms since 1970, UTC, of an instant, date or `now` in the parameter `field`. Throws `invalid_request` naming it. */
export function readInstant(field: string, text: string, tz: string, nowMs: number): number {
  try {
    return parseInstant(text, tz, nowMs);
  } catch (error) {
    if (error instanceof InvalidTimeError) throw new ProblemError("invalid_request", error.message, { field });
    throw error;
  }
}
