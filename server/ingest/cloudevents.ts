/**
 * CloudEvents 1.0 as usage events: `id`, `type` and `time` as they stand; the organization is `data.organization`, else
 * `subject`; the other fields come from `data`. Every other attribute with a flat value is kept as a property, `source`
 * too, unless `data.properties` has one of that name.
 */
import type { Fault } from "./event-gate.ts";

type Mapped = { event: Record<string, unknown> } | { fault: Fault };

/** Attributes that say how the event is carried, or become fields; all others become properties. */
const notProperties = new Set([
  "specversion",
  "id",
  "type",
  "time",
  "subject",
  "data",
  "data_base64",
  "datacontenttype",
]);

/** The usage event that a CloudEvent in JSON form stands for; it is then checked as any other. */
export function cloudEventToUsageEvent(cloudEvent: unknown): Mapped {
  if (typeof cloudEvent !== "object" || cloudEvent === null || Array.isArray(cloudEvent)) {
    return { fault: { code: "not_an_object", field: null, message: "a CloudEvent is a JSON object" } };
  }
  const attributes = cloudEvent as Record<string, unknown>;
  if (attributes.specversion !== "1.0") return invalid("specversion", "must be 1.0");
  for (const name of ["id", "source", "type"]) {
    const value = attributes[name];
    if (typeof value !== "string" || value === "") return invalid(name, "is required and must be a string");
  }
  const { data, subject } = attributes;
  if (attributes.data_base64 !== undefined) return invalid("data_base64", "is not supported; send `data` as JSON");
  if (isSet(data) && (typeof data !== "object" || Array.isArray(data))) {
    return invalid("data", "must be a JSON object with the fields of an event");
  }
  const event: Record<string, unknown> = {
    ...(data as object | null | undefined),
    id: attributes.id,
    type: attributes.type,
  };
  if (isSet(attributes.time)) event.time = attributes.time;
  const properties: Record<string, unknown> = {};
  if (!Object.hasOwn(event, "organization")) {
    if (isSet(subject)) event.organization = subject;
  } else if (typeof subject === "string" && subject !== event.organization) properties.subject = subject;
  for (const [name, value] of Object.entries(attributes)) {
    if (!notProperties.has(name) && isFlat(value)) properties[name] = value;
  }
  const given = event.properties;
  // A `properties` of another form is left for the gate to refuse.
  if (given === undefined) event.properties = properties;
  else if (typeof given === "object" && given !== null && !Array.isArray(given))
    event.properties = { ...properties, ...given };
  return { event };
}

/**
 * The JSON form of a CloudEvent in HTTP binary mode: attributes in `ce-` headers, the body is `data`.
 * `hasSpecialText` says that a decoded header holds a quote, a backslash or a control character.
 */
export function binaryCloudEvent(
  headers: Headers,
  data: unknown,
): { event: Record<string, unknown>; hasSpecialText: boolean } {
  const event: Record<string, unknown> = {};
  let hasSpecialText = false;
  headers.forEach((value, name) => {
    if (!name.startsWith("ce-")) return;
    const decoded = decodeHeader(value);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (/[\\"\x00-\x1f]/.test(decoded)) hasSpecialText = true;
    const attribute = name.slice(3);
    // `data` comes from the body alone, and an attribute of this name would replace the object's prototype.
    if (attribute !== "data" && attribute !== "__proto__") event[attribute] = decoded;
  });
  if (data !== undefined) event.data = data;
  return { event, hasSpecialText };
}

/** A header's value as the HTTP binding writes it: perhaps quoted, with percent-encoded UTF-8. */
function decodeHeader(value: string): string {
  const unquoted = /^".*"$/s.test(value) && value.length > 1 ? value.slice(1, -1).replace(/\\(.)/gs, "$1") : value;
  try {
    return decodeURIComponent(unquoted);
  } catch {
    return unquoted;
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isFlat(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function invalid(field: string, message: string): Mapped {
  return { fault: { code: "invalid_cloudevent", field, message: `\`${field}\` ${message}` } };
}
