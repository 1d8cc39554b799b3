/** The levels: step functions that the intervals of events raise and lower. */
import { hourMs } from "../contract/durations.ts";

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
/** `session` has no intervals: it ends those of the others. */
export const intervalLevels = levels.filter((level) => level !== "session");

/** How long an interval may stay silent before it counts as ended at its last sign of life. */
export const defaultAliveWithinMs = 12 * hourMs;

/** The levels whose 1-minute slots are kept: those of intervals, and `sessions`, which follows from `participants`. */
export type SlotLevel = Exclude<Level, "session"> | "sessions";
