/** Instants in questions and settings. */
import { z } from "zod";
import { limits } from "./events.ts";
import { instantPattern, parseInstant } from "./instant.ts";

const firstMs = Date.parse("1900-01-01T00:00:00Z");
const lastMs = Date.parse("2199-12-31T23:59:59.999Z");

/**
 * Whether an instant (ms since 1970, UTC) may be asked for or kept. Every store and calendar knows these, and has room beyond
 * them for the windows, cycles and compared ranges around the first and the last: ClickHouse's instants end with 2299, calendars with 9999.
 */
export const isAskable = (ms: number): boolean => ms >= firstMs && ms <= lastMs;

export const askableMessage = "must be an instant in the years 1900 to 2199";

/** The ms since 1970 UTC of an RFC 3339 instant, its seconds may be left out; NaN where no calendar has it. */
export function readDateTime(text: string): number {
  const whole = text.replace(/^(.{10}[Tt ]\d{2}:\d{2})(?=[Zz+-])/, "$1:00");
  return instantPattern.test(whole) ? parseInstant(whole) : Number.NaN;
}

function inUtc(text: string): string {
  const ms = readDateTime(text);
  return Number.isNaN(ms) ? text : new Date(ms).toISOString();
}

/** RFC 3339 with an offset; what it parses to is in UTC and has no leap second, so that `Date` reads it. */
export const dateTimeSchema = z
  .string()
  .refine((text) => !Number.isNaN(readDateTime(text)), {
    error: "must be an RFC 3339 instant with an offset, on a date that exists",
    abort: true,
  })
  .refine((text) => isAskable(readDateTime(text)), askableMessage)
  .overwrite(inUtc)
  .meta({ format: "date-time" });

/** Since when something holds that usage is counted by: not before the first instant that an event may have. */
export const usageTimeSchema = dateTimeSchema.refine(
  (text) => Date.parse(text) >= Date.parse(limits.oldestTime),
  `must not be before ${limits.oldestTime.slice(0, 4)}, because there is no earlier usage`,
);
