/** The numbers of an event as exact decimals: one text for each number, so that 12.5, "12.50", 1.25e1 and "+12.5" are the same. */
import { ExactNumber } from "../../json/exact-json.ts";
import { parseJson } from "../../json/parse-json.ts";
import { type Decimal, readDecimal } from "../../numbers/decimal.ts";
import type { GivenProperty } from "./event-gate.ts";
import { isMadeUp, type NamedRow } from "./span-name.ts";

/** An amount or a number among the properties as an exact decimal; undefined when it has more digits before the point than are kept. */
export function readNumber(value: string | number | ExactNumber): Decimal | undefined {
  if (typeof value === "number" && Number.isSafeInteger(value)) return { text: String(value), isRounded: false };
  return readDecimal(value instanceof ExactNumber ? value.text : String(value));
}

/**
 * A decimal as a JSON value that every reader keeps whole, the store's too: a number where a double holds it to the last
 * digit, else an object with its text, which no property of an emitter can be.
 */
export function storedNumber(decimal: string): string {
  const double = Number(decimal);
  const isKept = String(double) === decimal && (!Number.isInteger(double) || Number.isSafeInteger(double));
  return isKept ? decimal : `{"decimal":"${decimal}"}`;
}

/** The properties of a stored event as they were sent, their numbers with all digits. */
export function propertiesOf(stored: string): Record<string, GivenProperty> {
  const properties = parseJson(stored) as Record<string, string | number | boolean | { decimal: string }>;
  const exact = Object.entries(properties).map(([name, value]): [string, GivenProperty] => [
    name,
    typeof value === "object" ? new ExactNumber(value.decimal) : value,
  ]);
  return Object.fromEntries(exact);
}

type Named = "agent" | "user" | "session" | "room" | "interval" | "job";

/** The columns that are empty where an event names no such thing, as the fields of the event: those that its emitter sent. */
export function namedThings(row: Readonly<Record<Named, string> & NamedRow>): Partial<Record<Named, string>> {
  const { agent, user, session, room, job } = row;
  const interval = isMadeUp(row) ? "" : row.interval;
  return {
    ...(agent && { agent }),
    ...(user && { user }),
    ...(session && { session }),
    ...(room && { room }),
    ...(interval && { interval }),
    ...(job && { job }),
  };
}
