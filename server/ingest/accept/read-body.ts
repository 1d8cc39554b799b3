/** From the inflated bytes of a body to its events. Headers alone decide the form, before a byte is read. */
import { isUtf8 } from "node:buffer";
import { limits } from "../../contract/events.ts";
import { mayBendNumbers, parseEveryDigit, parseExactJson, startOfText, stringifyExact } from "../../json/exact-json.ts";
import { parseJson, TooManyNamesError } from "../../json/parse-json.ts";
import { ProblemError } from "../../problem.ts";
import { binaryCloudEvent, cloudEventToUsageEvent, isBinaryMode, isJsonType } from "./cloudevents.ts";
import type { Fault } from "./event-gate.ts";
import type { ContentEncoding } from "./inflate-body.ts";
import { faultOfText, linesFaults, type ParsedArray, parseSuspectArray } from "./parse-events.ts";
import { rawElements } from "./raw-elements.ts";
import type { RequestEvents } from "./request-events.ts";

const { contentTypes, contentEncodings } = limits;
type ContentType = (typeof contentTypes)[number];

export interface BodyForm {
  type: ContentType | "binary cloudevent";
  encoding: ContentEncoding;
}

/** The form a request's headers announce. Throws ProblemError unsupported_media_type. */
export function bodyFormOf(headers: Headers): BodyForm {
  const [mediaType = "", ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith("charset="));
  if (charset && !/^charset="?utf-?8"?$/.test(charset)) {
    throw new ProblemError("unsupported_media_type", "the body must be in UTF-8");
  }
  const encodingName = (headers.get("content-encoding") ?? "identity")
    .trim()
    .toLowerCase()
    .replace(/^x-gzip$/, "gzip");
  const encoding = contentEncodings.find((name) => name === encodingName);
  if (!encoding) {
    throw new ProblemError("unsupported_media_type", `Content-Encoding must be one of ${contentEncodings.join(", ")}`);
  }
  const type = contentTypes.find((name) => name === mediaType.trim());
  if (!mediaType.trim().startsWith("application/cloudevents") && isBinaryMode(headers)) {
    return { type: "binary cloudevent", encoding };
  }
  if (!type) {
    throw new ProblemError("unsupported_media_type", `Content-Type must be one of ${contentTypes.join(", ")}`);
  }
  return { type, encoding };
}

/** The events of an inflated body. Throws ProblemError: unreadable_body, too_many_events. */
export function readBody(bytes: Buffer, form: BodyForm, headers: Headers): RequestEvents {
  if (form.type === "binary cloudevent") {
    const data = bytes.length === 0 ? undefined : dataInBody(bytes, headers);
    const { event, hasSpecialText, fault } = binaryCloudEvent(headers, data);
    const isPlain = isPlainText(bytes) && !hasSpecialText;
    const rawOf = () => stringifyExact(event);
    if (fault) return { events: [event], unreadable: new Map([[0, fault]]), isPlain, rawOf };
    return fromCloudEvents([event], isPlain, rawOf);
  }
  if (isBlank(bytes)) throw new ProblemError("unreadable_body", "the body is empty");
  switch (form.type) {
    case "application/x-ndjson":
      return readLines(bytes);
    case "application/json": {
      const { events, unreadable } = parseArray(bytes, (parsed) => [
        expectObject(parsed, "an event or an array of events"),
      ]);
      return { events, unreadable, isPlain: isPlainText(bytes), rawOf: rawElements(bytes, startOfText(bytes)) };
    }
    case "application/cloudevents+json":
      return fromCloudEvents(
        [expectObject(parseChecked(bytes), "a CloudEvent")],
        isPlainText(bytes),
        rawElements(bytes, startOfText(bytes)),
      );
    case "application/cloudevents-batch+json": {
      const parsed = parseArray(bytes, () => {
        throw new ProblemError("unreadable_body", "the body is not an array of CloudEvents");
      });
      return fromCloudEvents(
        parsed.events,
        isPlainText(bytes),
        rawElements(bytes, startOfText(bytes)),
        parsed.unreadable,
      );
    }
  }
}

/** The elements of the array that the body is; `other` gives them for a body that is something else. */
function parseArray(bytes: Buffer, other: (parsed: unknown) => unknown[]): ParsedArray {
  const suspect = parseSuspectArray(bytes, startOfText(bytes), (from, to) => parseChecked(bytes.subarray(from, to)));
  if (suspect) return suspect;
  const parsed = parseWhole(bytes);
  const events = Array.isArray(parsed) ? bounded(parsed) : other(parsed);
  return { events, unreadable: noFaults };
}

const noFaults: ReadonlyMap<number, Fault> = new Map();

function bounded(events: unknown[]): unknown[] {
  if (events.length > limits.maxEventsPerRequest) throw tooManyEvents();
  return events;
}

function tooManyEvents(): ProblemError {
  return new ProblemError("too_many_events", `a request can have at most ${limits.maxEventsPerRequest} events`);
}

function expectObject(parsed: unknown, expected: string): unknown {
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  throw new ProblemError("unreadable_body", `the body is not ${expected}`);
}

/** One event, or the data of one. */
function parseChecked(bytes: Buffer, parse = parseExactJson): unknown {
  const fault = faultOfText(bytes);
  if (fault) throw new ProblemError("unreadable_body", fault.message);
  return parseWhole(bytes, parse);
}

/** The bytes must have been checked. */
function parseWhole(bytes: Buffer, parse = parseExactJson): unknown {
  if (!isUtf8(bytes)) throw new ProblemError("unreadable_body", "the body is not valid UTF-8");
  try {
    return parse(bytes, startOfText(bytes));
  } catch (error) {
    if (error instanceof TooManyNamesError) throw new ProblemError("unreadable_body", `in the body ${error.message}`);
    const where = error instanceof SyntaxError ? /at position \d+/.exec(error.message)?.[0] : undefined;
    throw new ProblemError("unreadable_body", `the body is not valid JSON${where ? ` (${where})` : ""}`);
  }
}

/** Data that is not JSON is refused by its type, which says more than that it cannot be parsed; quarantine has its text. */
function dataInBody(bytes: Buffer, headers: Headers): unknown {
  return isJsonType(headers.get("content-type") ?? "application/json")
    ? parseChecked(bytes, parseEveryDigit)
    : bytes.toString("utf8");
}

/** Whether no JSON string in `bytes` can hold a character that was escaped: those are all that a column must escape. */
function isPlainText(bytes: Buffer): boolean {
  return !bytes.includes(0x5c);
}

function isBlank(bytes: Buffer): boolean {
  for (let at = startOfText(bytes); at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}

function readLines(bytes: Buffer): RequestEvents {
  const events: unknown[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const unreadable = new Map<number, Fault>();
  const isWholeUtf8 = isUtf8(bytes);
  const isExact = mayBendNumbers(bytes);
  const faultOfLine = linesFaults(bytes);
  for (let start = startOfText(bytes); start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    if (end > start && !isBlankLine(bytes, start, end)) {
      if (events.length >= limits.maxEventsPerRequest) throw tooManyEvents();
      const index = events.length;
      starts.push(start);
      ends.push(end);
      if (isWholeUtf8 || isUtf8(bytes.subarray(start, end))) {
        const fault = faultOfLine(start, end);
        if (fault) unreadable.set(index, fault);
        else
          try {
            events.push(isExact ? parseExactJson(bytes, start, end) : parseJson(bytes.toString("utf8", start, end)));
          } catch {
            unreadable.set(index, { code: "not_json", field: null, message: "this line is not valid JSON" });
          }
      } else unreadable.set(index, { code: "not_json", field: null, message: "this line is not valid UTF-8" });
      if (events.length === index) events.push(undefined);
    }
    start = end + 1;
  }
  const rawOf = (index: number) => bytes.toString("utf8", starts[index] ?? 0, ends[index] ?? 0);
  return { events, unreadable, isPlain: isPlainText(bytes), rawOf };
}

function isBlankLine(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}

function fromCloudEvents(
  cloudEvents: unknown[],
  isPlain: boolean,
  rawOf: RequestEvents["rawOf"],
  unread: ParsedArray["unreadable"] = noFaults,
): RequestEvents {
  const unreadable = new Map(unread);
  const sources = cloudEvents.map(() => "");
  // What is coded in base64 may hold any character, whatever the body holds.
  const isCoded = cloudEvents.some((one) => typeof one === "object" && one !== null && "data_base64" in one);
  const events = cloudEvents.map((cloudEvent, index) => {
    if (unread.has(index)) return undefined;
    const mapped = cloudEventToUsageEvent(cloudEvent);
    if ("fault" in mapped) unreadable.set(index, mapped.fault);
    if ("source" in mapped) sources[index] = mapped.source;
    return "fault" in mapped ? cloudEvent : mapped.event;
  });
  return { events, unreadable, sources, isPlain: isPlain && !isCoded, rawOf };
}
