/** The parameters `from`, `to` and `tz` of a list. */
import { InvalidTimeError, isTimeZone, parseInstant } from "../metrics/windows.ts";
import { ProblemError } from "./problem-error.ts";

export interface TimeRange {
  /** ms since 1970, UTC; undefined: no bound. */
  fromMs: number | undefined;
  /** Exclusive. */
  toMs: number | undefined;
}

/** Throws `invalid_request` naming the parameter that is no zone or no time, and where nothing can lie in the range. */
export function readTimeRange(
  { from, to, tz }: { from?: string | undefined; to?: string | undefined; tz: string },
  nowMs: number,
): TimeRange {
  if (!isTimeZone(tz)) throw new ProblemError("invalid_request", `${tz} is not an IANA time zone`, { field: "tz" });
  const instant = (field: "from" | "to", text: string | undefined) => {
    try {
      return text === undefined ? undefined : parseInstant(text, tz, nowMs);
    } catch (error) {
      if (error instanceof InvalidTimeError) throw new ProblemError("invalid_request", error.message, { field });
      throw error;
    }
  };
  const range = { fromMs: instant("from", from), toMs: instant("to", to) };
  if (range.fromMs !== undefined && range.toMs !== undefined && range.fromMs >= range.toMs)
    throw new ProblemError("invalid_request", "from must lie before to", { field: "from" });
  return range;
}
