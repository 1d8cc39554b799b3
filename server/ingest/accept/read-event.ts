/**
 * From an event that has the right form to what it means: instants in milliseconds, an exact amount, the level it moves,
 * and the hashes of its identity and of its body. The body hash covers what the emitter gave in one canonical form, so that
 * key order, a time's offset or a trailing zero make no other body, and neither does a time that was filled in here.
 */

import type { EventType } from "../../catalog/event-types.ts";
import type { Level } from "../../catalog/levels.ts";
import { hourMs } from "../../contract/durations.ts";
import { limits, type Warning } from "../../contract/events.ts";
import { parseInstant } from "../../contract/instant.ts";
import { ExactNumber } from "../../json/exact-json.ts";
import { unitOfSeconds } from "./amount-unit.ts";
import { checkByType } from "./check-by-type.ts";
import type { Fault, GivenEvent, GivenProperty } from "./event-gate.ts";
import { hashText } from "./event-hash.ts";
import { storedId } from "./event-identity.ts";
import { escapeColumn } from "./event-row.ts";
import { timeOfUuidV7 } from "./event-time.ts";
import { readNumber, storedNumber } from "./event-value.ts";
import type { IdentifiedEvent } from "./known-ids.ts";
import { isNamedByItself, spanName } from "./span-name.ts";

export interface ReadEvent extends IdentifiedEvent {
  index: number;
  agent: string | undefined;
  type: string;
  /** The columns agent to properties, escaped. */
  usage: string;
  /** The columns dims, level, level_action and alive_within_ms, escaped. */
  measured: string;
}

export interface ReadContext {
  receivedAtMs: number;
  /** The time of events that carry none, neither themselves nor in their id; default: `receivedAtMs`. */
  firstReceivedMs?: number;
  /** No text of the request holds a character that a column or a JSON string must escape. */
  isPlain: boolean;
  eventType: (type: string) => EventType | undefined;
  /** `RequestEvents.sources`. */
  sources?: readonly string[] | undefined;
  /** `identityPrefix`, remembered for the organizations of the request. */
  prefixOf: (organization: string) => string;
  warn: (warning: Warning) => void;
}

const noValue = "\\N";
const oldestTimeMs = Date.parse(limits.oldestTime);
/** Clocks that are set by NTP differ by far less; what is further ahead is worth a look at the emitter's clock. */
const skewWarningMs = 5 * 1000;
const maxAliveWithinSeconds = 366 * 24 * 60 * 60;

/** The meaning of `event`, or why it has none. */
export function readEvent(index: number, event: GivenEvent, context: ReadContext): ReadEvent | Fault {
  const timeMs = event.time === undefined ? Number.NaN : readFieldInstant(index, event, "time", event.time, context);
  if (typeof timeMs === "object") return timeMs;
  const startedAtMs =
    event.started_at === undefined ? 0 : readFieldInstant(index, event, "started_at", event.started_at, context);
  if (typeof startedAtMs === "object") return startedAtMs;
  const type = context.eventType(event.type);
  const value = readAmount(index, event, type, context);
  if (typeof value === "object") return value;
  if (type !== undefined && (type.valueIs !== undefined || type.properties !== undefined)) {
    const fault = checkByType(event, type, value === noValue ? undefined : value, (code, field, message) =>
      context.warn({ index, id: event.id, code, field, message }),
    );
    if (fault) return fault;
  }
  const isSpan = type?.action === "span" && lastsAsSaid(event, startedAtMs, value, context.receivedAtMs);
  const measured = readMeasured(index, event, type, context, isSpan);
  if (typeof measured === "object") return measured;
  const properties = event.properties === undefined ? "{}" : canonicalProperties(index, event, context);
  if (typeof properties === "object") return properties;
  return identified(index, event, context, { timeMs, startedAtMs, value, isSpan, measured, properties });
}

/** What was read of an event beside its names. */
interface ReadParts {
  /** NaN where the event carries no time. */
  timeMs: number;
  /** 0: it carries none. */
  startedAtMs: number;
  value: string;
  isSpan: boolean;
  measured: string;
  properties: string;
}

/** The columns of an event, its identity, and the hash of its body. */
function identified(
  index: number,
  event: GivenEvent,
  context: ReadContext,
  { timeMs, startedAtMs, value, isSpan, measured, properties }: ReadParts,
): ReadEvent {
  const { agent = "", user = "", session = "", room = "", interval = "", job = "" } = event;
  const behindInterval = context.isPlain
    ? `${job}\t${startedAtMs}\t${value}\t${properties}`
    : `${escapeColumn(job)}\t${startedAtMs}\t${value}\t${escapeColumn(properties)}`;
  const beforeInterval = context.isPlain
    ? `${agent}\t${user}\t${session}\t${room}`
    : [agent, user, session, room].map(escapeColumn).join("\t");
  const usage = `${beforeInterval}\t${context.isPlain ? interval : escapeColumn(interval)}\t${behindInterval}`;
  const eventType = context.isPlain ? event.type : escapeColumn(event.type);
  const prefix = context.prefixOf(event.organization);
  const source = context.sources?.[index];
  const id = source === undefined ? event.id : storedId({ id: event.id, source });
  const identity = prefix + id;
  const idHash = hashText(identity);
  const unit = event.seconds === undefined ? "" : "\tseconds";
  const bodyHash = hashText(`${Number.isNaN(timeMs) ? "" : timeMs}\t${eventType}\t${usage}${unit}`);
  return {
    index,
    organization: event.organization,
    id,
    timeMs: Number.isNaN(timeMs) ? timeFromId(index, event, context) : timeMs,
    identity,
    idHash,
    bodyHash,
    withoutSource: source === undefined ? undefined : prefix + event.id,
    agent: event.agent,
    type: eventType,
    usage:
      isSpan && isNamedByItself({ interval, session, user })
        ? `${beforeInterval}\t${escapeColumn(spanName(event.id, source, idHash))}\t${behindInterval}`
        : usage,
    measured,
  };
}

export interface SharedColumns {
  /** Escaped columns of everything that is the same for many events of a request. */
  organization: string;
  partner: string;
  reseller: string;
  key: string;
}

/** The event's line in the order of `lineColumns`, without a line end. */
export function renderEventRow(
  event: ReadEvent,
  isChecked: boolean,
  receivedAtMs: number,
  shared: SharedColumns,
  isPlain: boolean,
): string {
  const id = isPlain && event.withoutSource === undefined ? event.id : escapeColumn(event.id);
  return `${isChecked ? 1 : 0}\t${shared.organization}\t${id}\t${event.bodyHash}\t${event.timeMs}\t${receivedAtMs}\t${event.type}\t${shared.partner}\t${shared.reseller}\t${event.usage}\t${event.measured}\t${shared.key}`;
}

function secondsFault(event: GivenEvent, type: EventType | undefined): Fault | undefined {
  if (event.value !== undefined)
    return {
      code: "invalid_field",
      field: "seconds",
      message: "`seconds` replaces `value`; set only one of them",
    };
  if (type?.valueIs === "minutes") return undefined;
  const message = `\`seconds\` only applies to types whose value is in minutes, and ${event.type} is not one`;
  return { code: "invalid_field", field: "seconds", message };
}

function tooLarge(field: string): Fault {
  const message = `\`${field}\` is a number of more than ${limits.maxIntegerDigits} digits before the point`;
  return { code: "invalid_field", field, message };
}

function warnOfRounding(index: number, id: string, field: string, context: ReadContext): void {
  const message = `\`${field}\` was rounded to ${limits.maxValueFractionDigits} decimals, half to even`;
  context.warn({ index, id, code: "rounded", field, message });
}

function readFieldInstant(
  index: number,
  event: GivenEvent,
  field: "time" | "started_at",
  text: string,
  context: ReadContext,
): number | Fault {
  const timeMs = parseInstant(text);
  const aheadMs = timeMs - context.receivedAtMs;
  if (Number.isNaN(timeMs))
    return { code: "invalid_field", field, message: `\`${field}\` ${text.slice(0, 64)} is not a valid instant` };
  if (timeMs < oldestTimeMs)
    return { code: "time_too_old", field, message: `\`${field}\` must not be before ${limits.oldestTime}` };
  if (aheadMs > limits.maxAheadMs) {
    const message = `\`${field}\` is more than ${limits.maxAheadMs / hourMs} hours ahead of the server's clock`;
    return { code: "time_too_far_ahead", field, message };
  }
  warnOfSkew(index, event, field, aheadMs, context);
  return timeMs;
}

function warnOfSkew(
  index: number,
  { id }: GivenEvent,
  field: "time" | "started_at" | "id",
  aheadMs: number,
  { warn }: ReadContext,
): void {
  // Not a number where an id holds no time.
  if (!(aheadMs > skewWarningMs)) return;
  const what = field === "id" ? "the time in `id`" : `\`${field}\``;
  const message = `${what} is ${Math.round(aheadMs / 1000)} seconds ahead of the server's clock`;
  warn({ index, id, code: "clock_skew", field, message });
}

/** The column of its value; `noValue` where it carries none. */
function readAmount(
  index: number,
  event: GivenEvent,
  type: EventType | undefined,
  context: ReadContext,
): string | Fault {
  const given = event.seconds ?? event.value;
  if (given === undefined) return noValue;
  const field = event.seconds === undefined ? "value" : "seconds";
  const fault = event.seconds === undefined ? undefined : secondsFault(event, type);
  if (fault) return fault;
  const exact = readNumber(given);
  if (exact === undefined) return tooLarge(field);
  if (exact.isRounded) warnOfRounding(index, event.id, field, context);
  return exact.text;
}

/**
 * Whether the event is a valid span: it says when it started and how long it lasted, and ended by the latest time that an event
 * may have. Otherwise it moves no level, but its amount still counts.
 */
function lastsAsSaid(event: GivenEvent, startedAtMs: number, value: string, receivedAtMs: number): boolean {
  if (event.started_at === undefined || value === noValue) return false;
  const lengthMs = Number(value) * (event.seconds === undefined ? 60_000 : 1_000);
  return lengthMs >= 1 && startedAtMs + lengthMs <= receivedAtMs + limits.maxAheadMs;
}

/** An id's own time counts only in the range that an explicit time may have; one that lies ahead is said either way. */
function timeFromId(index: number, event: GivenEvent, context: ReadContext): number {
  const { receivedAtMs, firstReceivedMs = receivedAtMs } = context;
  const timeMs = timeOfUuidV7(event.id);
  warnOfSkew(index, event, "id", timeMs - receivedAtMs, context);
  return timeMs >= oldestTimeMs && timeMs <= receivedAtMs + limits.maxAheadMs ? timeMs : firstReceivedMs;
}

const unmeasured = "{}\t\t\t0";

/** The columns of what its type makes of it. */
function readMeasured(
  index: number,
  event: GivenEvent,
  type: EventType | undefined,
  { isPlain, warn }: ReadContext,
  isSpan: boolean,
): string | Fault {
  if (type === undefined) {
    const message = "no meter uses this type yet; the event is stored and counts once one does";
    warn({ index, id: event.id, code: "unmatched_type", field: "type", message });
    return unmeasured;
  }
  const isBare = type.level === undefined && type.dimensions.length === 0 && type.fixed === undefined;
  if (isBare && event.seconds === undefined) return unmeasured;
  let aliveWithinMs = 0;
  const level = type.action === "span" && !isSpan ? undefined : type.level;
  if (isSpan) {
    // It needs nobody to pair it with.
  } else if (level === "session") {
    if (event.session === undefined) return missingForLevel(event.type, level, "session");
  } else if (level !== undefined && event.interval === undefined) {
    if (event.session === undefined) return missingForLevel(event.type, level, "session");
    // Whoever is present is somebody; what else runs in a session, such as its recording, may be nobody's: it is paired by session alone.
    if (level === "participants" && event.user === undefined) return missingForLevel(event.type, level, "user");
  }
  if (level !== undefined && event.properties !== undefined && Object.hasOwn(event.properties, "alive_within")) {
    const seconds = secondsOf(event.properties.alive_within);
    if (!(seconds > 0 && seconds <= maxAliveWithinSeconds)) {
      return {
        code: "invalid_field",
        field: "properties.alive_within",
        message: `\`properties.alive_within\` must be seconds, more than 0 and at most ${maxAliveWithinSeconds}`,
      };
    }
    aliveWithinMs = Math.max(1, Math.round(seconds * 1000));
  }
  const isInSeconds = event.seconds !== undefined;
  const dims =
    (type.dimensions.length === 0 || event.properties === undefined) && type.fixed === undefined && !isInSeconds
      ? "{}"
      : dimsOf(event.properties ?? {}, type, isInSeconds);
  return `${isPlain ? dims : escapeColumn(dims)}\t${level ?? ""}\t${level === undefined ? "" : (type.action ?? "")}\t${aliveWithinMs}`;
}

function missingForLevel(type: string, level: Level, field: "session" | "user"): Fault {
  const needs = { session: "`session`", participants: "`interval`, or `session` and `user`" };
  const wanted = level === "session" || level === "participants" ? needs[level] : "`interval` or `session`";
  return { code: "missing_field", field, message: `an event of type ${type} needs ${wanted}` };
}

function secondsOf(value: GivenProperty | undefined): number {
  if (typeof value === "number") return value;
  if (value instanceof ExactNumber) return Number(value.text);
  return typeof value === "string" && /^\d{1,12}(?:\.\d{1,9})?$/.test(value) ? Number(value) : Number.NaN;
}

/** Canonical JSON: the unit of an amount in seconds, what the type itself says, then its properties in declared order. */
function dimsOf(
  properties: Record<string, GivenProperty>,
  { dimensions, fixed }: EventType,
  isInSeconds: boolean,
): string {
  let dims = isInSeconds ? unitOfSeconds : "";
  if (fixed !== undefined) dims += `${dims === "" ? "" : ","}${JSON.stringify(fixed[0])}:${JSON.stringify(fixed[1])}`;
  for (const name of dimensions) {
    if (!Object.hasOwn(properties, name)) continue;
    dims += `${dims === "" ? "" : ","}${JSON.stringify(name)}:${JSON.stringify(textOf(properties[name] as GivenProperty))}`;
  }
  return `{${dims}}`;
}

/** A property as figures are split and filtered by it: a number by its shortest text, whatever form it was sent in. */
function textOf(property: GivenProperty): string {
  if (typeof property !== "number" && !(property instanceof ExactNumber)) return String(property);
  return readNumber(property)?.text ?? "";
}

/** JSON with sorted names and exact numbers. In a plain request no text needs JSON's escapes, which saves most of the cost. */
function canonicalProperties(index: number, event: GivenEvent, context: ReadContext): string | Fault {
  const { properties = {} } = event;
  const names = Object.keys(properties);
  for (let at = 1; at < names.length; at++) {
    if ((names[at - 1] as string) > (names[at] as string)) {
      names.sort();
      break;
    }
  }
  let json = "";
  for (const name of names) {
    const value = properties[name] as GivenProperty;
    const separator = json === "" ? "{" : ",";
    const label = context.isPlain ? `"${name}"` : JSON.stringify(name);
    if (typeof value === "string")
      json += `${separator}${label}:${context.isPlain ? `"${value}"` : JSON.stringify(value)}`;
    else if (typeof value === "boolean" || Number.isSafeInteger(value)) json += `${separator}${label}:${value}`;
    else {
      const field = `properties.${name}`;
      const exact = readNumber(value);
      if (exact === undefined) return tooLarge(field);
      if (exact.isRounded) warnOfRounding(index, event.id, field, context);
      json += `${separator}${label}:${storedNumber(exact.text)}`;
    }
  }
  return json === "" ? "{}" : `${json}}`;
}
