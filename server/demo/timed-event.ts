import type { UsageEvent } from "../contract/events.ts";

export interface TimedEvent {
  atMs: number;
  event: UsageEvent;
}

/** From which all events follow. */
export interface Demonstration {
  seed: number;
  /** The first instant of the history, ms since 1970, on a full hour. */
  firstMs: number;
  /** How many of the usual meetings there are: 1, less for a quick one. */
  size: number;
}
