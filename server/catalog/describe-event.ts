/** What an event type is, in words and by an example: the one source of its page. */
import { hourMs } from "../contract/durations.ts";
import type { UsageEvent } from "../contract/events.ts";
import { meters } from "./built-in-meters.ts";
import { typesBehind } from "./catalog.ts";
import { type BuiltInType, type EventType, eventTypes } from "./event-types.ts";
import { eventWords } from "./event-words.ts";
import { defaultAliveWithinMs } from "./levels.ts";
import type { Meter } from "./meter.ts";

export interface EventDescription {
  type: string;
  words: string;
  /** What it has besides the fields of every event, each with its unit, its bounds or the only values that are known. */
  fields: { field: string; meaning: string; isRequired: boolean }[];
  feeds: readonly Meter[];
  /** Counted by every meter in `feeds` that is no live one between `from` and `to`; by a live one at `during`. */
  example: { events: UsageEvent[]; from: string; during: string; to: string };
}

/** Undefined for a type that is not built in. */
export function describeEvent(name: string): EventDescription | undefined {
  const type = eventTypes.get(name);
  if (!type) return undefined;
  return {
    type: name,
    words: eventWords[name as BuiltInType],
    fields: fieldsOf(type),
    feeds: metersFedBy(name),
    example: { events: exampleOf(name, type), from: at(0), during: at(15), to: at(60) },
  };
}

/** Anybody whom an event names was active; the end of a session adds the minutes of what it ends. */
function metersFedBy(name: string): Meter[] {
  const isEndOfAll = eventTypes.get(name)?.level === "session";
  return meters.filter(({ rule }) => {
    if (rule.kind === "distinct" && rule.events) return true;
    if (isEndOfAll) return rule.kind === "minutes" && rule.level === "participants";
    return typesBehind(rule).includes(name);
  });
}

const hours = defaultAliveWithinMs / hourMs;

function fieldsOf(type: EventType): EventDescription["fields"] {
  const fields: EventDescription["fields"] = [];
  const has = (field: string, meaning: string, isRequired = false) => fields.push({ field, meaning, isRequired });
  const isInterval = type.level !== undefined && type.level !== "session" && type.action !== "span";
  if (type.level === "session") has("session", "The session in which everything still open ends", true);
  if (isInterval) {
    has("session", "The session; required without `interval`");
    const isPresence = type.level === "participants";
    has(
      "user",
      `The user it is about${isPresence ? "; required without `interval`. Active users are counted by it" : ""}`,
    );
    has(
      "interval",
      `The same ID on the start, the signs of life and the end; without it, they are paired by session and user${isPresence ? "" : ", or by session alone if they name no user"}`,
    );
    if (isPresence) has("room", "The room; active rooms are counted by it");
    if (type.action === "end") has("started_at", "When it began, as RFC 3339; then no start event is needed");
    has(
      "properties.alive_within",
      `Seconds of silence after which it counts as ended at its last sign of life; ${hours} hours by default`,
    );
  }
  if (type.valueIs === "minutes") {
    has("value", "Minutes, as a decimal with up to nine decimals; not negative");
    has(
      "seconds",
      "Instead of `value`: the length in seconds, stored as sent and divided by 60 once, when a value is returned",
    );
  }
  if (type.action === "span") {
    has(
      "started_at",
      "When it began, as RFC 3339; with this and its length, it also counts among those running at the same time",
    );
    has("interval", "The same as on its start and end, if those are sent too: together they are one");
  }
  if (type.jobStep) has("job", "The ID of the job, the same on each of its steps; jobs are listed by it");
  for (const property of new Set([...type.dimensions, ...Object.keys(type.properties ?? {})]))
    has(`properties.${property}`, propertyMeaning(property, type));
  if (type.fixed) has(type.fixed[0], `Always \`${type.fixed[1]}\`: implied by the type and never sent`);
  if (!fields.some(({ field }) => field === "user")) has("user", "The user who did it; active users are counted by it");
  has("agent", "The organization's agent whose usage this is");
  return fields;
}

function propertyMeaning(property: string, type: EventType): string {
  const grouped = type.dimensions.includes(property) ? "Usage can be grouped and filtered by it" : "";
  const rule = type.properties?.[property];
  if (rule?.oneOf) return `One of ${rule.oneOf.map((value) => `\`${value}\``).join(", ")}. ${grouped}`;
  if (!rule) return grouped;
  return rule.between ? `A number from ${rule.between[0]} to ${rule.between[1]}` : "A number";
}

/** That minute past nine on a day of March, which every example uses. */
const at = (minute: number) => new Date(Date.UTC(2026, 2, 5, 9, minute)).toISOString().replace(".000Z", "Z");

function exampleOf(name: string, type: EventType): UsageEvent[] {
  const place = [...eventTypes.keys()].indexOf(name) + 1;
  const id = name.replace(/[._]/g, "-");
  const event = (number: number, minute: number, other = name): UsageEvent => {
    const its = eventTypes.get(other) ?? type;
    const isPlaced = its.level !== undefined && its.action !== "span";
    return {
      id: `${id}-${number}`,
      type: other,
      time: at(minute),
      organization: "acme",
      user: "ada",
      ...(isPlaced && { session: `session-${place}`, ...(its.level === "participants" && { room: "daily" }) }),
      ...(its.action === "end" && name === other && its.level !== "session" && { started_at: at(0) }),
      ...(its.action === "span" && { started_at: at(0) }),
      ...(its.valueIs === "minutes" && amountOf(its, number)),
      ...(its.jobStep && { job: `job-${place}` }),
      ...propertiesOf(its),
    };
  };
  const partner = (action: "start" | "end") =>
    [...eventTypes].find(([, other]) => other.level === type.level && other.action === action)?.[0];
  if (type.level === "session") return [event(1, 0, "participant.joined"), event(2, 30)];
  if (type.action === "start") return [event(1, 0), event(2, 30, partner("end"))];
  if (type.action === "alive") return [event(1, 0, partner("start")), event(2, 10), event(3, 30, partner("end"))];
  if (type.action) return [event(1, 30)];
  for (const { rule } of meters)
    if (rule.kind === "value_level" && rule.lowers.includes(name)) {
      const [raise = name] = rule.raises;
      return [event(1, 0, raise), event(2, 5, raise), event(3, 10)];
    }
  const request = [...eventTypes].find(([, { jobStep }]) => jobStep === "requested")?.[0];
  if (type.jobStep === "completed") return [event(1, 0, request), event(2, 5)];
  return [event(1, 5)];
}

/** Half an hour, or of what is stored and deleted, less with each. */
function amountOf(type: EventType, number: number): Pick<UsageEvent, "value" | "seconds"> {
  return type.action === "span" || type.jobStep ? { seconds: 1_800 } : { value: 30 - 10 * (number - 1) };
}

const sampleValues: Readonly<Record<string, string | number>> = {
  device: "mobile",
  language: "en",
  model: "standard",
  format: "vtt",
  accuracy: 96.5,
  length: 4_200,
};

function propertiesOf(type: EventType): Pick<UsageEvent, "properties"> {
  const names = new Set([
    ...type.dimensions,
    ...(type.jobStep === "completed" ? Object.keys(type.properties ?? {}) : []),
  ]);
  if (names.size === 0) return {};
  const sample = (name: string) => type.properties?.[name]?.oneOf?.[0] ?? sampleValues[name] ?? "other";
  return { properties: Object.fromEntries([...names].map((name) => [name, sample(name)])) };
}
