/** What a meter is: a rule by which events become a number, with its name, unit and words. */

import type { Formula } from "../numbers/formula.ts";
import type { Filter } from "./filters.ts";
import type { Level, SlotLevel } from "./levels.ts";

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
  /** Aggregates `value` or a property of each event; `unique` counts the values of a dimension. */
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
  /** Set on meters that users made. */
  custom?: CustomMeter;
}

export interface CustomMeter {
  version: number;
  /** Only events that pass all of these count. */
  filters: readonly Filter[];
  /** Properties that it may be grouped and filtered by. */
  dimensions: readonly string[];
}
