/**
 * The check every event passes: a hand-written boolean test of exactly what `usageEventSchema` allows (a property test
 * holds the two together), 10 times as fast. Only what it refuses goes through zod, for the field and the message.
 */
import {
  decimalPattern,
  isBoundedText,
  limits,
  type RejectionCode,
  type UsageEvent,
  usageEventSchema,
} from "../../contract/events.ts";
import { instantPattern } from "../../contract/instant.ts";
import { isAddressable, isStorableText, storableTextMessage } from "../../contract/text.ts";
import { ExactNumber } from "../../json/exact-json.ts";

export interface Fault {
  code: RejectionCode;
  /** Path of the field at fault, `properties.language` for a property; null when the event as a whole is at fault. */
  field: string | null;
  message: string;
}

/** A usage event as its JSON has it: numbers that a double could not hold exactly are kept as text. */
export type GivenEvent = Omit<UsageEvent, "value" | "seconds" | "properties"> & {
  value?: string | number | ExactNumber | undefined;
  seconds?: string | number | ExactNumber | undefined;
  properties?: Record<string, GivenProperty> | undefined;
};
export type GivenProperty = string | number | boolean | ExactNumber;

/**
 * Whether `event` has the form of a usage event. What its times and numbers mean is checked by `readEvent`. `isPlain`: no text
 * of the request was escaped, so that all of it is well-formed and without U+0000.
 */
export function hasEventForm(event: unknown, isPlain = false): event is GivenEvent {
  if (typeof event !== "object" || event === null || Array.isArray(event)) return false;
  let required = 0;
  for (const name in event) {
    const value: unknown = (event as Record<string, unknown>)[name];
    switch (name) {
      case "id":
      case "organization":
        if (!isText(value, isPlain) || !isAddressable(value)) return false;
        required++;
        break;
      case "type":
        if (!isText(value, isPlain)) return false;
        required++;
        break;
      case "agent":
      case "user":
      case "session":
      case "room":
      case "interval":
      case "job":
        if (!isText(value, isPlain) || !isAddressable(value)) return false;
        break;
      case "time":
      case "started_at":
        if (typeof value !== "string" || !instantPattern.test(value)) return false;
        break;
      case "value":
      case "seconds":
        if (typeof value === "string" ? !isBoundedText(value) || !decimalPattern.test(value) : !isGivenNumber(value))
          return false;
        break;
      case "properties":
        if (!areProperties(value, isPlain)) return false;
        break;
      default:
        return false;
    }
  }
  return required === 3;
}

function isText(value: unknown, isPlain: boolean): value is string {
  return typeof value === "string" && value.length > 0 && isBoundedText(value) && (isPlain || isStorableText(value));
}

function isGivenNumber(value: unknown): boolean {
  return typeof value === "number" ? Number.isFinite(value) : value instanceof ExactNumber;
}

function areProperties(value: unknown, isPlain: boolean): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  let count = 0;
  for (const name in value) {
    if (++count > limits.maxProperties || !isText(name, isPlain) || name === "__proto__") return false;
    const property: unknown = (value as Record<string, unknown>)[name];
    switch (typeof property) {
      case "string":
        if (!isBoundedText(property) || !(isPlain || isStorableText(property))) return false;
        break;
      case "boolean":
        break;
      default:
        if (!isGivenNumber(property)) return false;
    }
  }
  return true;
}

export const isEventField = (name: string): boolean => fields.has(name);

const fields: ReadonlySet<string> = new Set(Object.keys(usageEventSchema.shape));

/** Why `hasEventForm` refused: the first fault, a missing field before an unknown one before an invalid one. */
export function explainForm(event: unknown): Fault {
  if (typeof event !== "object" || event === null || Array.isArray(event)) {
    return { code: "not_an_object", field: null, message: "an event must be a JSON object" };
  }
  const given = event as Record<string, unknown>;
  for (const field of ["id", "type", "organization"]) {
    if (!Object.hasOwn(given, field)) return { code: "missing_field", field, message: `${field} is required` };
  }
  for (const field in given) {
    if (fields.has(field)) continue;
    return {
      code: "unknown_field",
      field: cut(field),
      message: `${quoted(field)} is not a field of an event; put values of your own in properties`,
    };
  }
  const { properties } = given;
  if (typeof properties === "object" && properties !== null) {
    if (Object.hasOwn(properties, "__proto__")) {
      return {
        code: "invalid_field",
        field: "properties.__proto__",
        message: "__proto__ cannot be the name of a property",
      };
    }
    // Counted before zod sees them: it would make an issue of each of a million bad ones.
    if (Object.keys(properties).length > limits.maxProperties) {
      return {
        code: "invalid_field",
        field: "properties",
        message: `\`properties\` has more than ${limits.maxProperties} entries`,
      };
    }
  }
  const issue = usageEventSchema.safeParse(withDoubles(given)).error?.issues[0];
  if (!issue) throw new Error("the event gate and usageEventSchema disagree");
  const path = issue.path.map(String);
  return { code: "invalid_field", field: cut(path.join(".")), message: invalidMessage(issue, path, given) };
}

/** The event as the schema takes it: exact numbers become plain ones, since the schema only asks whether they are numbers. */
function withDoubles(given: Record<string, unknown>): Record<string, unknown> {
  const plain = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, withDouble(value)]));
  const { properties } = given;
  if (typeof properties !== "object" || properties === null || Array.isArray(properties)) return plain;
  if (properties instanceof ExactNumber) return plain;
  plain.properties = Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, withDouble(value)]));
  return plain;
}

function withDouble(value: unknown): unknown {
  return value instanceof ExactNumber ? 0 : value;
}

type Issue = NonNullable<ReturnType<typeof usageEventSchema.safeParse>["error"]>["issues"][number];

function invalidMessage(issue: Issue, path: readonly string[], given: Record<string, unknown>): string {
  const [top = "", name] = path;
  const field = quoted(path.join("."));
  if (issue.code === "custom") return `${field} ${issue.message}`;
  if (top === "time" || top === "started_at") return `${field} must be an RFC 3339 date-time with an offset`;
  if (top === "value" || top === "seconds") {
    return `${field} must be a decimal of up to ${limits.maxIntegerDigits} digits before the point`;
  }
  if (top === "properties" && name === undefined) return `${field} must be an object`;
  if (issue.code === "invalid_key") {
    const form = name === undefined || isStorableText(name) ? "" : " of well-formed Unicode without U+0000";
    return `the name of a property must be a string${form} of 1 to ${limits.maxStringLength} characters`;
  }
  const value = name === undefined ? given[top] : (given[top] as Record<string, unknown>)[name];
  if (typeof value === "string" && !isStorableText(value)) return `${field} ${storableTextMessage}`;
  if (top === "properties") {
    return typeof value === "string"
      ? `${field} must have at most ${limits.maxStringLength} characters`
      : `${field} must be a string, a boolean or a number of up to ${limits.maxIntegerDigits} digits before the point`;
  }
  return `${field} must be a string of 1 to ${limits.maxStringLength} characters`;
}

function quoted(text: string): string {
  return `\`${cut(text)}\``;
}

/** Bounds what an answer repeats of the request: a name may be as long as the whole request. */
function cut(text: string): string {
  const bounded = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return bounded.toWellFormed().replaceAll("\0", "\ufffd");
}
