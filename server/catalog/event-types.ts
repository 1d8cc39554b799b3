/**
 * The built-in event types, as data: what one event of each does. A new type is an entry here, and its words in
 * event-words.ts.
 */
import type { JobStep } from "../contract/jobs.ts";
import type { Level } from "./levels.ts";

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
  /** Set where `value` is minutes, which may be sent as `seconds` instead. */
  valueIs?: "minutes";
  /** What its properties mean, where that is more than any text. */
  properties?: Readonly<Record<string, PropertyRule>>;
  /** What this event says about the job that it names. */
  jobStep?: JobStep;
}

/** What a property may hold: one of the known values, or a number, perhaps within bounds. */
export type PropertyRule =
  | { oneOf: readonly string[]; between?: undefined }
  | { oneOf?: undefined; between?: readonly [least: number, most: number] };

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

const builtIn = {
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
} satisfies Record<string, EventType>;

export type BuiltInType = keyof typeof builtIn;

/** By name, in the order in which pages show them. */
export const eventTypes: ReadonlyMap<string, EventType> = new Map(Object.entries(builtIn));
