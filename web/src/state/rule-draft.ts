/** A rule as a person fills it in: every figure is the text that they typed, until the server has checked it. */
import { dayMs } from "@contract/durations.ts";
import { maxReadings, rollingMs } from "@contract/rolling-windows.ts";
import type {
  BillingCondition,
  ChangeRule,
  ConditionInput,
  ConditionOf,
  CreateRule,
  CustomerCondition,
  MuteWindow,
  Rule,
  RuleFilter,
  RuleKind,
  RuleScope,
  Severity,
  SystemCondition,
  ThresholdWindow,
} from "@contract/rules.ts";
import { newId } from "../api/new-id.ts";
import { weekdays } from "../words/calendar.ts";
import { billingConditions, customerConditions, scopeFor, systemConditions } from "../words/rules.ts";

export interface MuteDraft {
  /** Tells windows apart while they are alike. */
  id: string;
  from: string;
  to: string;
  days: NonNullable<MuteWindow["days"]>;
  tz: string;
}

/** The fields of all kinds: what was typed for one is still there after a look at another. */
export interface RuleDraft {
  name: string;
  node: string;
  scope: RuleScope;
  severity: Severity;
  enabled: boolean;
  channels: string[];
  /** Empty: notifies once. */
  repeatHours: string;
  mute: MuteDraft[];
  /** The id of a rule; empty: none. */
  replaces: string;
  kind: RuleKind;
  /** Empty: every feature with a limit. */
  feature: string;
  /** Percents, separated by commas; empty: those of each plan. */
  thresholds: string;
  on: ConditionOf<"quota">["on"];
  meter: string;
  /** `language=en, model=a|b`. */
  filter: string;
  /** Made by a program, in a form that the field has no words for; kept as it is while the field is empty. */
  otherFilter: RuleFilter | undefined;
  window: ThresholdWindow;
  side: "above" | "below";
  bound: string;
  forMinutes: string;
  resolveAt: string;
  direction: ConditionOf<"unusual">["direction"];
  sensitivity: ConditionOf<"unusual">["sensitivity"];
  atLeast: string;
  measuredBy: "feature" | "meter";
  belowPercent: string;
  of: ConditionOf<"low_usage">["of"];
  afterDays: string;
  silentMinutes: string;
  system: SystemCondition[];
  customers: CustomerCondition[];
  billing: BillingCondition[];
  daysBefore: string;
}

export function newMute(tz: string): MuteDraft {
  return { id: newId(), from: "22:00", to: "06:00", days: [...weekdays], tz };
}

/** A rule for `node`, which is an organization or has organizations below it. */
export function newRuleDraft(node: string): RuleDraft {
  return {
    name: "",
    node,
    scope: scopeFor(node),
    severity: "warning",
    enabled: true,
    channels: [],
    repeatHours: "",
    mute: [],
    replaces: "",
    kind: "quota",
    feature: "",
    thresholds: "",
    on: "used",
    meter: "participation_minutes",
    filter: "",
    otherFilter: undefined,
    window: "1h",
    side: "above",
    bound: "",
    forMinutes: "",
    resolveAt: "",
    direction: "up",
    sensitivity: "medium",
    atLeast: "60",
    measuredBy: "meter",
    belowPercent: "20",
    of: "past",
    afterDays: "7",
    silentMinutes: "1440",
    system: [...systemConditions],
    customers: [...customerConditions],
    billing: [...billingConditions],
    daysBefore: "7",
  };
}

export function draftOfRule(rule: Rule): RuleDraft {
  const { name, node, scope, severity, enabled, channels, condition } = rule;
  return {
    ...newRuleDraft(node),
    name,
    scope,
    severity,
    enabled,
    channels: [...channels],
    replaces: rule.replaces ?? "",
    kind: condition.kind,
    repeatHours: rule.repeat_hours === null ? "" : String(rule.repeat_hours),
    mute: rule.mute.map(({ from, to, days, tz }) => ({ id: newId(), from, to, days: [...(days ?? weekdays)], tz })),
    ...conditionFields(condition),
  };
}

function conditionFields(condition: Rule["condition"]): Partial<RuleDraft> {
  switch (condition.kind) {
    case "quota":
      return {
        feature: condition.feature ?? "",
        thresholds: condition.thresholds?.join(", ") ?? "",
        on: condition.on,
      };
    case "threshold": {
      const filter = condition.filter ? filterText(condition.filter) : "";
      return {
        meter: condition.meter,
        window: condition.window,
        filter: filter ?? "",
        otherFilter: filter === undefined ? condition.filter : undefined,
        side: condition.above === undefined ? "below" : "above",
        bound: condition.above ?? condition.below ?? "",
        forMinutes: condition.for_minutes === 0 ? "" : String(condition.for_minutes),
        resolveAt: condition.resolve_at ?? "",
      };
    }
    case "unusual": {
      const { meter, direction, sensitivity, at_least } = condition;
      return { meter, direction, sensitivity, atLeast: at_least };
    }
    case "low_usage":
      return {
        measuredBy: condition.meter === undefined ? "feature" : "meter",
        ...(condition.meter === undefined ? { feature: condition.feature ?? "" } : { meter: condition.meter }),
        belowPercent: String(condition.below_percent),
        of: condition.of,
        afterDays: String(condition.after_days),
      };
    case "no_data":
      return { silentMinutes: String(condition.silent_minutes) };
    case "system":
      return { system: [...condition.on] };
    case "customers":
      return { customers: [...condition.on], daysBefore: String(condition.days_before) };
    case "billing":
      return { billing: [...condition.on], daysBefore: String(condition.days_before) };
  }
}

/** A number where the text is one; else the text, so that the server says what is wrong with it. */
function numberOf(text: string): number {
  const trimmed = text.trim();
  const number = Number(trimmed);
  return trimmed === "" || Number.isNaN(number) ? (trimmed as unknown as number) : number;
}
const orLeftOut = <Name extends string, Value>(name: Name, text: string, of: (text: string) => Value) =>
  text.trim() === "" ? {} : ({ [name]: of(text) } as Record<Name, Value>);
const trimmed = (text: string) => text.trim();

/** Takes only the fields of the chosen kind, whatever was typed into those of others. */
export function conditionOf(draft: RuleDraft): ConditionInput {
  switch (draft.kind) {
    case "quota":
      return {
        kind: "quota",
        feature: trimmed(draft.feature) || null,
        thresholds: percentsOf(draft.thresholds),
        on: draft.on,
      };
    case "threshold":
      return {
        kind: "threshold",
        meter: draft.meter,
        window: draft.window,
        ...filterOf(draft),
        [draft.side]: trimmed(draft.bound),
        ...orLeftOut("for_minutes", draft.forMinutes, numberOf),
        ...orLeftOut("resolve_at", draft.resolveAt, trimmed),
      };
    case "unusual": {
      const { meter, direction, sensitivity } = draft;
      return { kind: "unusual", meter, direction, sensitivity, ...orLeftOut("at_least", draft.atLeast, trimmed) };
    }
    case "low_usage":
      return {
        kind: "low_usage",
        ...(draft.measuredBy === "meter" ? { meter: draft.meter } : { feature: trimmed(draft.feature) }),
        below_percent: numberOf(draft.belowPercent),
        of: draft.of,
        ...orLeftOut("after_days", draft.afterDays, numberOf),
      };
    case "no_data":
      return { kind: "no_data", silent_minutes: numberOf(draft.silentMinutes) };
    case "system":
      return { kind: "system", on: draft.system };
    case "customers":
      return { kind: "customers", on: draft.customers, ...orLeftOut("days_before", draft.daysBefore, numberOf) };
    case "billing":
      return { kind: "billing", on: draft.billing, ...orLeftOut("days_before", draft.daysBefore, numberOf) };
  }
}

function percentsOf(text: string): number[] | null {
  const parts = text.split(/[\s,;%]+/).filter((part) => part !== "");
  return parts.length === 0 ? null : parts.map(numberOf);
}

function filterOf({ filter, otherFilter }: RuleDraft): { filter?: RuleFilter } {
  if (filter.trim() === "") return otherFilter ? { filter: otherFilter } : {};
  const pairs = filter
    .split(",")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", ...rest] = pair.split("=");
      const values = rest
        .join("=")
        .split("|")
        .map((value) => value.trim());
      return [name.trim(), values.length === 1 ? (values[0] ?? "") : values] as const;
    });
  return { filter: Object.fromEntries(pairs) };
}

/** As it is typed; undefined where the field could not say it. */
function filterText(filter: RuleFilter): string | undefined {
  const isPlain = (value: unknown): value is string => typeof value === "string" && !/[,|]/.test(value);
  const parts: string[] = [];
  for (const [name, values] of Object.entries(filter)) {
    const all: unknown[] = Array.isArray(values) ? values : [values];
    if (!all.every(isPlain) || /[,=]/.test(name)) return undefined;
    parts.push(`${name}=${all.join("|")}`);
  }
  return parts.join(", ");
}

function muteOf({ from, to, days, tz }: MuteDraft) {
  return { from, to, tz: trimmed(tz), ...(days.length < weekdays.length && { days: [...days] }) };
}

export function newRuleOf(draft: RuleDraft): CreateRule {
  const { name: _, ...rule } = changeOf(draft);
  return {
    ...rule,
    name: trimmed(draft.name),
    node: draft.node,
    replaces: draft.replaces || null,
    condition: conditionOf(draft),
  };
}

/** What can be edited of a rule that is there: it stays at its node, of its kind. */
export function changeOf(draft: RuleDraft): ChangeRule {
  const { scope, severity, enabled, channels } = draft;
  return {
    name: trimmed(draft.name),
    scope,
    severity,
    enabled,
    channels: [...channels],
    repeat_hours: draft.repeatHours.trim() === "" ? null : numberOf(draft.repeatHours),
    mute: draft.mute.map(muteOf),
    condition: conditionOf(draft),
  };
}

/** How many days a preview looks back: as many as the server evaluates of a short window, at most 90. */
export function previewDays({ kind, window }: Pick<RuleDraft, "kind" | "window">): number {
  if (kind !== "threshold" || window === "day" || window === "cycle") return 90;
  return Math.min(90, Math.floor((maxReadings * rollingMs[window]) / dayMs));
}

/** Whether enough is filled in for a preview. */
export function isPreviewable(draft: RuleDraft): boolean {
  switch (draft.kind) {
    case "threshold":
      return draft.meter !== "" && draft.bound.trim() !== "";
    case "low_usage":
      return draft.belowPercent.trim() !== "" && (draft.measuredBy === "meter" ? draft.meter : draft.feature) !== "";
    case "no_data":
      return draft.silentMinutes.trim() !== "";
    case "quota":
    case "unusual":
    case "system":
    case "customers":
    case "billing":
      return true;
  }
}
