/** What is asked of the event types and meters: one by its name, what a meter is made of, what it may be grouped by. */
import type { JobStep } from "../contract/jobs.ts";
import { meters } from "./built-in-meters.ts";
import { type EventType, eventTypes } from "./event-types.ts";
import type { Meter, MeterRule } from "./meter.ts";
import { traitsOf } from "./rule-traits.ts";

/** The definition of a built-in type; undefined for a type that no meter knows yet. */
export function eventType(type: string): EventType | undefined {
  return eventTypes.get(type);
}

/** What events of these types say about their job. */
export const stepsOfTypes: ReadonlyMap<string, JobStep> = new Map(
  [...eventTypes].flatMap(([type, { jobStep }]) => (jobStep ? [[type, jobStep] as const] : [])),
);

/** All dimensions that a type declares. */
export const declaredDimensions: ReadonlySet<string> = new Set(
  [...eventTypes.values()].flatMap(({ dimensions, fixed }) => [...dimensions, ...(fixed ? [fixed[0]] : [])]),
);

/** What every meter may be grouped and filtered by. */
export const commonDimensions = ["partner", "reseller", "organization", "agent", "user", "room", "session"] as const;

/** The dimensions of a meter: those that all share, and those that the events behind it declare. */
export function dimensionsOf({ rule, custom }: Meter): ReadonlySet<string> {
  const dimensions = new Set<string>([...commonDimensions, ...(custom?.dimensions ?? [])]);
  // A formula is of whole figures.
  if (rule.kind === "derived") return new Set();
  if (custom) return dimensions;
  for (const type of typesBehind(rule)) {
    const known = eventTypes.get(type);
    for (const dimension of known?.dimensions ?? []) dimensions.add(dimension);
    if (known?.fixed) dimensions.add(known.fixed[0]);
  }
  return dimensions;
}

/** By which all of the meters can be filtered and grouped together. */
export function sharedDimensions(meters: readonly Meter[]): ReadonlySet<string> {
  const [first = new Set<string>(), ...others] = meters.map(dimensionsOf);
  return new Set([...first].filter((dimension) => others.every((dimensions) => dimensions.has(dimension))));
}

/** The event types that a meter is made of. */
export const typesBehind = (rule: MeterRule): string[] => traitsOf(rule).types();

const metersByName: ReadonlyMap<string, Meter> = new Map(meters.map((meter) => [meter.meter, meter]));

export function meterByName(name: string): Meter | undefined {
  return metersByName.get(name);
}

/** Tells meters apart. Those that users made by all that they are: others, who know nothing of each other, may use the same name. */
export function meterIdentity(meter: Meter): string {
  return metersByName.has(meter.meter) ? meter.meter : JSON.stringify(meter);
}

/** What organizations are said to have adopted, by the event types that show it; of a type with `kind` only its events of that kind. */
export const adoptedFeatures: readonly { feature: string; title: string; type: string; kind?: string }[] = [
  { feature: "transcription", title: "Transcription", type: "transcription.completed" },
  { feature: "captions", title: "Captions", type: "captions.enabled" },
  { feature: "captions", title: "Captions", type: "transcription.completed", kind: "caption" },
  { feature: "translation", title: "Translation", type: "translation.completed" },
  { feature: "glossaries", title: "Glossaries", type: "glossary.used" },
  { feature: "custom_models", title: "Custom models", type: "custom_model.used" },
  { feature: "api", title: "API", type: "api.called" },
];

/** What completes a document, whose `value` is its minutes. */
export const documentTypes: readonly string[] = ["transcription.completed"];

/** What an overview shows of a month besides the meter that it was asked about. */
export const overviewMeters: readonly string[] = [
  "transcribed_minutes",
  "documents",
  "participation_minutes",
  "sessions",
  "recorded_minutes",
  "call_minutes",
  "chat_sessions",
  "emails",
  "api_calls",
  "user_signups",
];
