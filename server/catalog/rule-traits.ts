/**
 * What follows from a meter's rule, by its kind: one entry each, so that a new kind does not compile until all of it is decided.
 * How a kind is measured is metrics/usage.ts, how it is put into words meters/describe-meter.ts.
 */
import { eventTypes } from "./event-types.ts";
import type { Level, SlotLevel } from "./levels.ts";
import type { Meter, MeterRule } from "./meter.ts";

export interface RuleTraits {
  /** The event types that the figure is made of. */
  types: () => string[];
  /** The levels whose intervals make the figure: intervals that began before the window count in it. */
  levels: () => string[];
  /** How the figure of a window follows from those of its parts; undefined: it does not. A sum grows as time passes and has a pace. */
  fold: "sum" | "max" | "last" | undefined;
  /** A rule whose figure of a span is no less than this one's of any part of it, or at any instant in it; undefined: there is none. */
  bound: MeterRule | undefined;
  /** Beside sums: the figure never falls while its window grows. */
  grows: boolean;
  /** Figures are decimal texts; else numbers. */
  isDecimal: boolean;
  /** Without events there is no figure, rather than 0: an average of nothing would claim one. */
  isNullWithoutEvents: boolean;
  /** An event changes the figures of all later times too: what it raised stays raised. */
  isCarriedOn: boolean;
  /** An event changes figures where other events of its job are. */
  isOfJobs: boolean;
}

type RuleKind = MeterRule["kind"];
type RuleOf<Kind extends RuleKind> = Extract<MeterRule, { kind: Kind }>;

const usual = { isNullWithoutEvents: false, isCarriedOn: false, isOfJobs: false } as const;
const noLevels = () => [];

const ofLevel = (rule: { level: SlotLevel }) => ({
  ...usual,
  types: () => typesOfLevels([rule.level]),
  levels: () => [rule.level === "sessions" ? "participants" : rule.level],
});

const ofTypes = ({ types }: { types: readonly string[] }) => ({ types: () => [...types], levels: noLevels });

const traits: { readonly [Kind in RuleKind]: (rule: RuleOf<Kind>) => RuleTraits } = {
  minutes: (rule) => ({ ...ofLevel(rule), fold: "sum", bound: rule, grows: false, isDecimal: true }),
  starts: (rule) => ({ ...ofLevel(rule), fold: "sum", bound: rule, grows: false, isDecimal: false }),
  peak: (rule) => ({ ...ofLevel(rule), fold: "max", bound: rule, grows: true, isDecimal: false }),
  level: (rule) => ({
    ...ofLevel(rule),
    fold: "last",
    bound: { kind: "peak", level: rule.level },
    grows: false,
    isDecimal: false,
  }),
  session_peak: (rule) => ({ ...ofLevel(rule), fold: undefined, bound: rule, grows: true, isDecimal: false }),
  distinct: (rule) => ({
    ...usual,
    types: () => typesOfLevels(rule.levels),
    levels: () => [...rule.levels],
    fold: undefined,
    bound: rule,
    grows: true,
    isDecimal: false,
  }),
  count: (rule) => ({ ...usual, ...ofTypes(rule), fold: "sum", bound: rule, grows: false, isDecimal: false }),
  sum: (rule) => ({ ...usual, ...ofTypes(rule), fold: "sum", bound: rule, grows: false, isDecimal: true }),
  events: (rule) => ({ ...usual, ...ofTypes(rule), grows: false, ...aggregated[rule.aggregation](rule) }),
  turnaround: (rule) => ({
    ...ofTypes(rule),
    fold: undefined,
    bound: undefined,
    grows: false,
    isDecimal: true,
    isNullWithoutEvents: true,
    isCarriedOn: false,
    isOfJobs: true,
  }),
  value_level: ({ raises, lowers, by }) => ({
    types: () => [...raises, ...lowers],
    levels: noLevels,
    fold: undefined,
    bound: undefined,
    grows: false,
    isDecimal: by === "value",
    isNullWithoutEvents: false,
    isCarriedOn: true,
    isOfJobs: false,
  }),
  derived: ({ operands }) => ({
    types: () => operands.flatMap(({ rule }) => traitsOf(rule).types()),
    levels: () => [...new Set(operands.flatMap(({ rule }) => traitsOf(rule).levels()))],
    fold: undefined,
    bound: undefined,
    grows: false,
    isDecimal: true,
    isNullWithoutEvents: true,
    isCarriedOn: operands.some(isCarriedOn),
    isOfJobs: operands.some(isOfJobs),
  }),
};

type Aggregated = Pick<RuleTraits, "fold" | "bound" | "isDecimal" | "isNullWithoutEvents">;

/** An amount may be negative, so that a sum of them bounds nothing. */
const aggregated: {
  readonly [Aggregation in RuleOf<"events">["aggregation"]]: (rule: RuleOf<"events">) => Aggregated;
} = {
  count: (rule) => ({ fold: "sum", bound: rule, isDecimal: false, isNullWithoutEvents: false }),
  sum: () => ({ fold: "sum", bound: undefined, isDecimal: true, isNullWithoutEvents: false }),
  average: () => ({ fold: undefined, bound: undefined, isDecimal: true, isNullWithoutEvents: true }),
  unique: (rule) => ({ fold: undefined, bound: rule, isDecimal: false, isNullWithoutEvents: false }),
  max: (rule) => ({ fold: undefined, bound: rule, isDecimal: true, isNullWithoutEvents: true }),
  latest: () => ({ fold: undefined, bound: undefined, isDecimal: true, isNullWithoutEvents: true }),
};

export function traitsOf(rule: MeterRule): RuleTraits {
  return (traits[rule.kind] as (rule: MeterRule) => RuleTraits)(rule);
}

/**
 * Whether the figure of a span is the sum of the figures of its parts, so that it grows while time passes and has a pace.
 * A peak, a level, a distinct count or an average has none.
 */
export const isSumOverTime = (rule: MeterRule): boolean => traitsOf(rule).fold === "sum";

/** Whether an event changes the meter's figures of all later times too. */
export const isCarriedOn = ({ rule }: Meter): boolean => traitsOf(rule).isCarriedOn;

/** Whether an event changes the meter's figures where other events of its job are. */
export const isOfJobs = ({ rule }: Meter): boolean => traitsOf(rule).isOfJobs;

/** Which rollups of whole organizations have the figures of a rule: slots of levels, counters of events, or none. */
const rollups = {
  minutes: "slots",
  starts: "slots",
  peak: "slots",
  level: "slots",
  count: "counters",
  sum: "counters",
  session_peak: null,
  distinct: null,
  events: null,
  turnaround: null,
  value_level: null,
  derived: null,
} satisfies Record<RuleKind, "slots" | "counters" | null>;

type KindsOf<Rollup> = { [Kind in RuleKind]: (typeof rollups)[Kind] extends Rollup ? Kind : never }[RuleKind];
type SlotRule = RuleOf<KindsOf<"slots">>;
type CounterRule = RuleOf<KindsOf<"counters">>;

/** Whether the 1-minute slots of levels have the figures. */
export const isOfSlots = (rule: MeterRule): rule is SlotRule => rollups[rule.kind] === "slots";

/** Whether the counters of events by type have the figures. */
export const isOfCounters = (rule: MeterRule): rule is CounterRule => rollups[rule.kind] === "counters";

/** The types whose events start, keep or end intervals of these levels. */
function typesOfLevels(wanted: readonly (Level | SlotLevel)[]): string[] {
  return [...eventTypes].flatMap(([type, { level }]) =>
    level !== undefined && (wanted.includes(level) || (level === "participants" && wanted.includes("sessions")))
      ? [type]
      : [],
  );
}
