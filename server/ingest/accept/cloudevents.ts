/**
 * CloudEvents 1.0 as usage events: `id`, `type` and `time` as they stand; the organization is `data.organization`, else
 * `subject`; the other fields come from `data`, whose members that are no field become properties. Every other attribute
 * with a flat value is kept as a property, `source` too, in place of such a member and unless `data.properties` has one of
 * that name.
 */
import { isUtf8 } from "node:buffer";
import { isBoundedText, limits } from "../../contract/events.ts";
import { isStorableText, storableTextMessage } from "../../contract/text.ts";
import { ExactNumber, parseExactJson } from "../../json/exact-json.ts";
import { type Fault, type GivenEvent, isEventField } from "./event-gate.ts";
import { faultOfText } from "./parse-events.ts";

type Mapped = { event: Record<string, unknown>; source: string } | { fault: Fault };

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
    return { fault: { code: "not_an_object", field: null, message: "a CloudEvent must be a JSON object" } };
  }
  const attributes = cloudEvent as Record<string, unknown>;
  if (attributes.specversion !== "1.0") return invalid("specversion", "must be 1.0");
  for (const name of ["id", "source", "type"]) {
    if (!isText(attributes[name])) return invalid(name, "is required and must be a string");
  }
  for (const name of ["time", "subject", "datacontenttype", "dataschema"]) {
    if (isSet(attributes[name]) && !isText(attributes[name]))
      return invalid(name, "must be a string that is not empty");
  }
  const { subject } = attributes;
  const found = dataOf(attributes);
  if ("fault" in found) return found;
  const source = String(attributes.source);
  if (!isBoundedText(source) || !isStorableText(source))
    return invalid("source", `must have at most ${limits.maxStringLength} characters, and ${storableTextMessage}`);
  const members = Object.entries(found.data ?? {});
  // Serializers of typed data write null for what is not there.
  const set = members.filter(([, value]) => isSet(value));
  const event: Record<string, unknown> = Object.fromEntries(set.filter(([name]) => isEventField(name)));
  const properties: Record<string, unknown> = Object.fromEntries(set.filter(([name]) => !isEventField(name)));
  event.id = attributes.id;
  event.type = attributes.type;
  if (isSet(attributes.time)) event.time = attributes.time;
  if (!Object.hasOwn(event, "organization")) {
    if (isSet(subject)) event.organization = subject;
  } else if (typeof subject === "string" && subject !== event.organization) properties.subject = subject;
  const isExtension = ([name, value]: [string, unknown]) => !notProperties.has(name) && isFlat(value);
  // As own members, `__proto__` among them: the gate refuses it by its name.
  const extensions = Object.fromEntries(Object.entries(attributes).filter(isExtension));
  const given = event.properties;
  // A `properties` of another form is left for the gate to refuse.
  if (given === undefined) event.properties = { ...properties, ...extensions };
  else if (typeof given === "object" && given !== null && !Array.isArray(given))
    event.properties = { ...properties, ...extensions, ...given };
  return { event, source };
}

/** The CloudEvent in JSON form that stands for the usage event. */
export function cloudEventOf({ id, type, time, ...data }: GivenEvent, source: string): Record<string, unknown> {
  return { specversion: "1.0", id, source, type, time, data };
}

/** The event's data as an object; `datacontenttype` says what it is, JSON where it says nothing. */
function dataOf(attributes: Record<string, unknown>): { data: object | undefined } | { fault: Fault } {
  const { data, data_base64: coded, datacontenttype } = attributes;
  const isGiven = isSet(data) || isSet(coded);
  if (isGiven && typeof datacontenttype === "string" && !isJsonType(datacontenttype))
    return invalid("datacontenttype", "must be JSON: `application/json` or a type that ends with `+json`");
  if (isSet(data) && isSet(coded)) return invalid("data_base64", "and `data` cannot both be set");
  let value = data;
  let field = "data";
  if (isSet(coded)) {
    field = "data_base64";
    if (typeof coded !== "string" || !isBase64(coded)) return invalid(field, "is not base64");
    const bytes = Buffer.from(coded, "base64");
    if (bytes.length > maxDataBytes) return invalid(field, `has more than ${maxDataBytes} bytes`);
    if (!isUtf8(bytes)) return invalid(field, "is not JSON in UTF-8");
    const fault = faultOfText(bytes);
    if (fault) return { fault };
    try {
      value = parseExactJson(bytes);
    } catch {
      return invalid(field, "is not JSON in UTF-8");
    }
  }
  if (!isSet(value)) return { data: undefined };
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { data: value };
  return invalid(field, "must be a JSON object with the fields of an event");
}

/** Longer than any valid event, even one whose every text is as long as it may be and escaped throughout. */
const maxDataBytes = 256 * 1024;

/** With its padding, as RFC 4648 has it. In one pass without going back: the text may be as long as a request. */
function isBase64(text: string): boolean {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(padding === 0 ? text : text.slice(0, -padding));
}

/** JSON media types as the JSON format of CloudEvents defines them: the subtype is `json` or ends with `+json`. */
export function isJsonType(mediaType: string): boolean {
  return /^[^/;\s]+\/(?:[^/;\s]+\+)?json\s*(?:;|$)/i.test(mediaType.trim());
}

/** One of these headers means binary mode; those that are missing are then reported by their names. */
export function isBinaryMode(headers: Headers): boolean {
  return ["ce-specversion", "ce-id", "ce-source", "ce-type"].some((name) => headers.has(name));
}

/**
 * The JSON form of a CloudEvent in HTTP binary mode: attributes in `ce-` headers, the body is `data`.
 * `hasSpecialText` says that a decoded header holds a quote, a backslash or a control character.
 */
export function binaryCloudEvent(
  headers: Headers,
  data: unknown,
): { event: Record<string, unknown>; hasSpecialText: boolean; fault?: Fault } {
  const attributes: [name: string, value: unknown][] = [];
  let hasSpecialText = false;
  let fault: Fault | undefined;
  headers.forEach((value, name) => {
    if (!name.startsWith("ce-")) return;
    const attribute = name.slice(3);
    const decoded = decodeHeader(value);
    if (decoded === undefined) {
      fault ??= invalid(attribute, "is not UTF-8, of which what is not printable ASCII is percent-encoded").fault;
      // Quarantine keeps it in a form that is refused again when it is sent again unchanged.
      attributes.push([attribute, { not_utf8: value }]);
      return;
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (/[\\"\x00-\x1f]/.test(decoded)) hasSpecialText = true;
    if (!notHeaders.has(attribute)) attributes.push([attribute, decoded]);
  });
  // As own members, `__proto__` among them: the gate refuses it by its name.
  const event: Record<string, unknown> = Object.fromEntries(attributes);
  const contentType = headers.get("content-type");
  if (contentType !== null) event.datacontenttype = contentType;
  if (data !== undefined) event.data = data;
  return { event, hasSpecialText, ...(fault && { fault }) };
}

/** Data and its type come from the body and Content-Type alone. */
const notHeaders = new Set(["data", "data_base64", "datacontenttype"]);

/**
 * A header's value as the HTTP binding writes it: perhaps quoted, with percent-encoded UTF-8; a percent sign on its own is left
 * as it stands. Bytes that were not encoded are taken for UTF-8 too. Undefined for bytes that are none.
 */
function decodeHeader(value: string): string | undefined {
  const bytes = Buffer.from(value, "latin1");
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString("utf8");
  const unquoted = /^".*"$/s.test(text) && text.length > 1 ? text.slice(1, -1).replace(/\\(.)/gs, "$1") : text;
  try {
    return unquoted.replace(/(?:%[0-9a-f]{2})+/gi, (coded) => decodeURIComponent(coded));
  } catch {
    return undefined;
  }
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isFlat(value: unknown): boolean {
  return (
    typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value instanceof ExactNumber
  );
}

function invalid(field: string, message: string): { fault: Fault } {
  return { fault: { code: "invalid_cloudevent", field, message: `\`${field}\` ${message}` } };
}
