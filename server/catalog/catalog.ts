/**
 * The built-in event types and meters, as data. A type says what one event does; a meter says how events become a
 * number. Adding a type or a meter is one entry here; nothing else in the server knows a type's or a meter's name.
 */

import type { JobStep } from "../contract/jobs.ts";

import type { Filter } from "../metrics/filters.ts";
import type { Formula } from "../numbers/formula.ts";

/** A `span` is an interval of its own: from its `started_at`, for as long as its amount of minutes says. */
export type LevelAction = "start" | "alive" | "end" | "span";

export interface EventType {
  /** The level whose intervals this event opens, keeps alive or closes. */
  level?: Level;
  action?: LevelAction;
  /** The properties that this type's usage may be grouped by. */
  dimensions: readonly string[];
  /** A dimension that the type itself decides: its name and value. */
  fixed?: readonly [name: string, value: string];
  /** Of a `value` that is minutes: it may be sent as `seconds` instead. */
  valueIs?: "minutes";
  /** What its properties mean, where that is more than any text. */
  properties?: Readonly<Record<string, PropertyRule>>;
  /** What this event says about the job that it names. */
  jobStep?: JobStep;
}

/** Of a property: the only values that are known, or that it is a number, perhaps within bounds. */
export type PropertyRule =
  | { oneOf: readonly string[]; between?: undefined }
  | { oneOf?: undefined; between?: readonly [least: number, most: number] };

/** Every level counts intervals of its own; `sessions` is derived: the sessions with at least one participant. */
export const levels = [
  "participants",
  "recordings",
  "captions",
  "whiteboard",
  "breakout",
  "broadcast",
  "consumption",
  "calls",
  "session",
] as const;
export type Level = (typeof levels)[number];
const intervalLevels = levels.filter((level) => level !== "session");

/** How long an interval may stay silent before it counts as ended at its last sign of life. */
export const defaultAliveWithinMs = 12 * 60 * 60 * 1000;

const none: readonly string[] = [];
const device = ["device"] as const;
const medium = ["medium", "device"] as const;
const media = { medium: { oneOf: ["video_audio", "video", "audio", "screenshare"] } } as const;
const moves =
  (action: LevelAction) =>
  (level: Level, dimensions: readonly string[] = none): EventType => ({
    level,
    action,
    dimensions,
    ...(dimensions.includes("medium") && { properties: media }),
  });
const start = moves("start");
const alive = moves("alive");
const end = moves("end");
const plain = (...dimensions: string[]): EventType => ({ dimensions });
const minutes = (): EventType => ({ dimensions: none, valueIs: "minutes" });
const feature = (name: string, ...dimensions: string[]): EventType => ({ dimensions, fixed: ["feature", name] });

const transcription: EventType = {
  ...plain("language", "model", "mode", "kind", "format"),
  properties: {
    mode: { oneOf: ["batch", "realtime"] },
    kind: { oneOf: ["transcript", "caption"] },
    accuracy: { between: [0, 100] },
    length: {},
  },
};

/** By name, in the order in which pages show them. */
export const eventTypes: ReadonlyMap<string, EventType> = new Map(
  Object.entries({
    "participant.joined": start("participants", device),
    "participant.alive": alive("participants", device),
    "participant.left": end("participants", device),
    "recording.started": start("recordings"),
    "recording.alive": alive("recordings"),
    "recording.stopped": end("recordings"),
    "captions.enabled": start("captions"),
    "captions.disabled": end("captions"),
    "whiteboard.opened": start("whiteboard"),
    "whiteboard.closed": end("whiteboard"),
    "breakout.opened": start("breakout"),
    "breakout.closed": end("breakout"),
    "broadcast.started": start("broadcast", medium),
    "broadcast.alive": alive("broadcast", medium),
    "broadcast.stopped": end("broadcast", medium),
    "consumption.started": start("consumption", medium),
    "consumption.alive": alive("consumption", medium),
    "consumption.stopped": end("consumption", medium),
    "session.ended": end("session"),
    "chat.posted": { ...plain("visibility"), properties: { visibility: { oneOf: ["public", "private"] } } },
    "question.posted": { dimensions: none, fixed: ["kind", "question"] },
    "answer.posted": { dimensions: none, fixed: ["kind", "answer"] },
    "recording.stored": minutes(),
    "recording.deleted": minutes(),
    "transcription.requested": { ...transcription, jobStep: "requested" },
    "transcription.started": { ...transcription, jobStep: "started" },
    "transcription.completed": { ...transcription, valueIs: "minutes", jobStep: "completed" },
    "transcription.failed": { ...transcription, jobStep: "failed" },
    "translation.completed": feature("translation", "language"),
    "glossary.used": feature("glossary", "language"),
    "custom_model.used": feature("custom_model", "model", "language"),
    "api.called": plain(),
    "user.signed_up": plain(),
    "call.started": start("calls"),
    "call.alive": alive("calls"),
    "call.ended": end("calls"),
    "call.completed": { ...minutes(), level: "calls", action: "span" },
    "chat_session.completed": plain(),
    "email.sent": plain(),
    "sip.installed": plain(),
    "sip.removed": plain(),
  } satisfies Record<string, EventType>),
);

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

/** The levels whose 1-minute slots are kept: those of intervals, and `sessions`, which follows from `participants`. */
export type SlotLevel = Exclude<Level, "session"> | "sessions";

export type MeterRule =
  /** Time integral of a level, in minutes. */
  | { kind: "minutes"; level: SlotLevel }
  /** The highest value a level takes, and the first instant it does. */
  | { kind: "peak"; level: SlotLevel }
  /** The value of a level now. */
  | { kind: "level"; level: SlotLevel }
  /** How many intervals of a level (for `sessions`: sessions) start in the window. */
  | { kind: "starts"; level: SlotLevel }
  /** The highest value a level takes inside one session, that session, and the first instant it does. */
  | { kind: "session_peak"; level: "participants" }
  /** Distinct users or rooms with an interval of these levels in the window; with `events`, or with any other event. */
  | { kind: "distinct"; thing: "user" | "room"; levels: readonly Level[]; events: boolean }
  | { kind: "count"; types: readonly string[] }
  /** Exact decimal sum of `value`; its average is that per event. */
  | { kind: "sum"; types: readonly string[] }
  /** Of `value` or a property of each event; `unique` counts the values of a dimension. */
  | {
      kind: "events";
      types: readonly string[];
      aggregation: "count" | "sum" | "average" | "unique" | "max" | "latest";
      property?: string | undefined;
      weight?: "value" | undefined;
      uniqueOf?: string | undefined;
    }
  /** Average seconds from the first request of a job, or its start, to the completion that one of these types says. */
  | { kind: "turnaround"; types: readonly string[] }
  /** What events raise and lower, by `value`, by a property or each by one: at the window's end, on average, at its highest. */
  | {
      kind: "value_level";
      raises: readonly string[];
      lowers: readonly string[];
      by: "value" | "event";
      property?: string | undefined;
    }
  /** A formula over the figures of other meters. */
  | { kind: "derived"; formula: Formula; operands: readonly Meter[] };

export interface Meter {
  meter: string;
  title: string;
  unit: string;
  rule: MeterRule;
  description: string;
  /** Of a meter that users made. */
  custom?: CustomMeter;
}

export interface CustomMeter {
  version: number;
  /** Only events that pass all of these count. */
  filters: readonly Filter[];
  /** Properties that it may be grouped and filtered by. */
  dimensions: readonly string[];
}

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

/** The event types that a meter is made of. */
export function typesBehind(rule: MeterRule): string[] {
  if ("types" in rule) return [...rule.types];
  if (rule.kind === "derived") return rule.operands.flatMap((meter) => typesBehind(meter.rule));
  if (rule.kind === "value_level") return [...rule.raises, ...rule.lowers];
  const wanted: readonly string[] = rule.kind === "distinct" ? rule.levels : [rule.level];
  return [...eventTypes].flatMap(([type, { level }]) =>
    level !== undefined && (wanted.includes(level) || (level === "participants" && wanted.includes("sessions")))
      ? [type]
      : [],
  );
}

export const meters: readonly Meter[] = [
  {
    meter: "participation_minutes",
    title: "Participation minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "participants" },
    description:
      "The minutes participants spent in sessions, from joining to leaving, split exactly at window edges; open ones count up to now.",
  },
  {
    meter: "max_concurrent_participants",
    title: "Peak participants",
    unit: "count",
    rule: { kind: "peak", level: "participants" },
    description:
      "The most participants at one instant in the whole subtree. One who leaves at an instant makes room for one who joins at it.",
  },
  {
    meter: "max_concurrent_sessions",
    title: "Peak sessions",
    unit: "count",
    rule: { kind: "peak", level: "sessions" },
    description: "The most sessions at one instant that had at least one participant, in the whole subtree.",
  },
  {
    meter: "active_participants",
    title: "Active participants",
    unit: "count",
    rule: { kind: "distinct", thing: "user", levels: ["participants"], events: false },
    description:
      "Distinct user ids with any presence in the window, over the whole subtree; exact, never a sum of days or of children.",
  },
  {
    meter: "sessions",
    title: "Sessions",
    unit: "count",
    rule: { kind: "starts", level: "sessions" },
    description: "Sessions whose first participant joined in the window.",
  },
  {
    meter: "chat_posts",
    title: "Chat posts",
    unit: "count",
    rule: { kind: "count", types: ["chat.posted"] },
    description: "Public and private chat messages posted in the window.",
  },
  {
    meter: "transcribed_minutes",
    title: "Transcribed minutes",
    unit: "minutes",
    rule: { kind: "sum", types: ["transcription.completed"] },
    description: "The exact decimal sum of the minutes that completed transcriptions carried.",
  },
  {
    meter: "live_participants",
    title: "Live participants",
    unit: "count",
    rule: { kind: "level", level: "participants" },
    description: "Participants in a session at the end of the window, or now while it runs.",
  },
  {
    meter: "live_sessions",
    title: "Live sessions",
    unit: "count",
    rule: { kind: "level", level: "sessions" },
    description: "Sessions with at least one participant at the end of the window, or now while it runs.",
  },
  {
    meter: "recorded_minutes",
    title: "Recorded minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "recordings" },
    description: "The minutes that recordings ran, split exactly at window edges; running ones count up to now.",
  },
  {
    meter: "max_concurrent_recordings",
    title: "Peak recordings",
    unit: "count",
    rule: { kind: "peak", level: "recordings" },
    description: "The most recordings that ran at one instant in the whole subtree.",
  },
  {
    meter: "captions_minutes",
    title: "Captions minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "captions" },
    description: "The minutes during which captions were enabled.",
  },
  {
    meter: "whiteboard_minutes",
    title: "Whiteboard minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "whiteboard" },
    description: "The minutes during which a whiteboard was open.",
  },
  {
    meter: "breakout_minutes",
    title: "Breakout minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "breakout" },
    description: "The minutes during which breakout rooms were open.",
  },
  {
    meter: "broadcast_minutes",
    title: "Broadcast minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "broadcast" },
    description: "The minutes that were broadcast, of every medium.",
  },
  {
    meter: "consumed_minutes",
    title: "Consumed minutes",
    unit: "minutes",
    rule: { kind: "minutes", level: "consumption" },
    description: "The minutes that were consumed, of every medium.",
  },
  {
    meter: "qa_posts",
    title: "Questions and answers",
    unit: "count",
    rule: { kind: "count", types: ["question.posted", "answer.posted"] },
    description: "Questions and answers posted in the window.",
  },
  {
    meter: "user_signups",
    title: "Sign-ups",
    unit: "count",
    rule: { kind: "count", types: ["user.signed_up"] },
    description: "Users who signed up in the window.",
  },
  {
    meter: "api_calls",
    title: "API calls",
    unit: "count",
    rule: { kind: "count", types: ["api.called"] },
    description: "API calls made in the window.",
  },
  {
    meter: "chat_sessions",
    title: "Chat sessions",
    unit: "count",
    rule: { kind: "count", types: ["chat_session.completed"] },
    description: "Chat sessions completed in the window.",
  },
  {
    meter: "emails",
    title: "E-mails",
    unit: "count",
    rule: { kind: "count", types: ["email.sent"] },
    description: "E-mails sent in the window.",
  },
  {
    meter: "call_minutes",
    title: "Call minutes",
    unit: "minutes",
    rule: { kind: "sum", types: ["call.completed"] },
    description: "The exact decimal sum of the minutes that completed calls carried.",
  },
  {
    meter: "live_calls",
    title: "Live calls",
    unit: "count",
    rule: { kind: "level", level: "calls" },
    description: "Calls that run at the end of the window, or now while it runs.",
  },
  {
    meter: "max_concurrent_calls",
    title: "Peak calls",
    unit: "count",
    rule: { kind: "peak", level: "calls" },
    description:
      "The most calls at one instant in the whole subtree: those that were started, and completed ones that say when they started and how long they took.",
  },
  {
    meter: "failed_jobs",
    title: "Failed jobs",
    unit: "count",
    rule: { kind: "count", types: ["transcription.failed"] },
    description: "Transcription jobs that were said to have failed in the window.",
  },
  {
    meter: "job_turnaround",
    title: "Job turnaround",
    unit: "seconds",
    rule: { kind: "turnaround", types: ["transcription.completed"] },
    description:
      "The average time that transcription jobs which were completed in the window took, from the first request, or the first start where no request is known.",
  },
  {
    meter: "active_recordings",
    title: "Active recordings",
    unit: "count",
    rule: { kind: "level", level: "recordings" },
    description: "Recordings that run at the end of the window, or now while it runs.",
  },
  {
    meter: "max_participants_per_session",
    title: "Peak participants of one session",
    unit: "count",
    rule: { kind: "session_peak", level: "participants" },
    description: "The most participants at one instant inside a single session, and which session that was.",
  },
  {
    meter: "active_rooms",
    title: "Active rooms",
    unit: "count",
    rule: { kind: "distinct", thing: "room", levels: ["participants"], events: false },
    description:
      "Distinct rooms with at least one participant in the window; exact, never a sum of days or of children.",
  },
  {
    meter: "active_users",
    title: "Active users",
    unit: "count",
    rule: { kind: "distinct", thing: "user", levels: intervalLevels, events: true },
    description:
      "Distinct user ids with any presence in the window: an interval of any level that overlaps it, or any other event in it.",
  },
  {
    meter: "documents",
    title: "Documents",
    unit: "count",
    rule: { kind: "count", types: ["transcription.completed"] },
    description: "Transcripts and captions completed in the window.",
  },
  {
    meter: "document_length",
    title: "Document length",
    unit: "count",
    rule: { kind: "events", aggregation: "sum", types: ["transcription.completed"], property: "length" },
    description: "The exact sum of the lengths of completed documents, in the unit of `length`, and their average.",
  },
  {
    meter: "transcription_accuracy",
    title: "Transcription accuracy",
    unit: "percent",
    rule: {
      kind: "events",
      aggregation: "average",
      types: ["transcription.completed"],
      property: "accuracy",
      weight: "value",
    },
    description: "The average `accuracy` of completed transcriptions, each weighted by its minutes.",
  },
  {
    meter: "feature_uses",
    title: "Feature uses",
    unit: "count",
    rule: { kind: "count", types: ["translation.completed", "glossary.used", "custom_model.used"] },
    description: "Uses of translation, glossaries and custom models in the window.",
  },
  {
    meter: "recording_storage",
    title: "Recording storage",
    unit: "minutes",
    rule: { kind: "value_level", raises: ["recording.stored"], lowers: ["recording.deleted"], by: "value" },
    description:
      "Recorded minutes in storage when the window ends, or now while it runs; their average and their peak.",
  },
  {
    meter: "sip_trunks",
    title: "SIP trunks",
    unit: "count",
    rule: { kind: "value_level", raises: ["sip.installed"], lowers: ["sip.removed"], by: "event" },
    description: "SIP trunks installed when the window ends, or now while it runs; their average and their peak.",
  },
];

const metersByName: ReadonlyMap<string, Meter> = new Map(meters.map((meter) => [meter.meter, meter]));

export function meterByName(name: string): Meter | undefined {
  return metersByName.get(name);
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

/** What an overview tells of a month besides the meter that it was asked about. */
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
