/** Rules in words, and those that most people want first. */
import type {
  BillingCondition,
  Condition,
  CreateRule,
  CustomerCondition,
  Rule,
  RuleKind,
  RuleScope,
  SystemCondition,
  ThresholdWindow,
} from "@contract/rules.ts";
import { rulesTexts as t } from "../texts/en/rules.ts";
import { amountText } from "./alerts.ts";
import { featureName, type MeterLookup } from "./features.ts";
import { formatList } from "./format.ts";

/** What each kind watches, in the list of kinds. */
export const kindHints: Record<RuleKind, string> = t.kindHints;

export const windowNames: Record<ThresholdWindow, string> = t.windows;

export const thresholdWindows = Object.keys(windowNames) as ThresholdWindow[];

export const systemNames: Record<SystemCondition, string> = t.systemConditions;

export const systemConditions = Object.keys(systemNames) as SystemCondition[];

export const customerNames: Record<CustomerCondition, string> = t.customerConditions;

export const customerConditions = Object.keys(customerNames) as CustomerCondition[];

export const billingNames: Record<BillingCondition, string> = t.billingConditions;

export const billingConditions = Object.keys(billingNames) as BillingCondition[];

/** A rule of an organization or an agent has nothing below it that it could be a template for. */
export function scopeFor(node: string): RuleScope {
  return /^(?:organization|agent):/.test(node) ? "node" : "organizations";
}

const lower = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);
/** `A job failed or a database does not answer`. */
const anyOf = (names: readonly string[]) =>
  formatList(
    names.map((name, place) => (place === 0 ? name : lower(name))),
    "or",
  );

function durationText(minutes: number): string {
  if (minutes % 1_440 === 0) return t.days(minutes / 1_440);
  return minutes % 60 === 0 ? t.hours(minutes / 60) : t.minutes(minutes);
}

/** When it notifies, as a sentence without its end. */
export function conditionText(condition: Condition, meterOf: MeterLookup): string {
  const title = (meter: string) => meterOf(meter)?.title ?? meter;
  const feature = (key: string) => featureName({ key, meter: key }, meterOf);
  switch (condition.kind) {
    case "quota": {
      const what = condition.feature === null ? t.limitedFeature : feature(condition.feature);
      const at = condition.thresholds
        ? t.percents(formatList(condition.thresholds.map(String), "or"))
        : t.thresholdsOfItsPlan;
      return condition.on === "used" ? t.reachesPercent(what, at) : t.willEndCycle(what, at);
    }
    case "threshold": {
      const { meter, above, below, window, for_minutes } = condition;
      const bound = amountText(above ?? below ?? "0", meter, meterOf);
      const what = title(meter);
      const span = windowNames[window];
      const said = above === undefined ? t.meterIsBelow(what, span, bound) : t.meterIsAbove(what, span, bound);
      return for_minutes > 0 ? t.forAsLongAs(said, durationText(for_minutes)) : said;
    }
    case "unusual":
      return t.unusualFor[condition.direction](title(condition.meter));
    case "low_usage": {
      const what = condition.meter === undefined ? feature(condition.feature ?? "") : title(condition.meter);
      const { below_percent: percent, after_days: days } = condition;
      return condition.of === "plan" ? t.isBelowLimit(what, percent, days) : t.isBelowPast(what, percent, days);
    }
    case "no_data":
      return t.noDataFor(durationText(condition.silent_minutes));
    case "system":
      return anyOf(condition.on.map((one) => systemNames[one]));
    case "customers":
      return anyOf(condition.on.map((one) => customerNames[one]));
    case "billing":
      return anyOf(condition.on.map((one) => billingNames[one]));
  }
}

interface UsefulRule {
  hint: string;
  rule: CreateRule;
}

/** The five that most people want first, for `node`. */
export function usefulRules(node: string): UsefulRule[] {
  const scope = scopeFor(node);
  return [
    {
      hint: t.atThresholdsOfEachPlan,
      rule: { name: t.quotaIsReached, node, scope, condition: { kind: "quota" } },
    },
    {
      hint: t.atCurrentPaceCycle,
      rule: {
        name: t.onTrackToExceedLimit,
        node,
        scope,
        condition: { kind: "quota", on: "projected", thresholds: [100] },
      },
    },
    {
      hint: t.farMoreMinutesThanUsual,
      rule: {
        name: t.unusuallyHighUsage,
        node,
        scope,
        condition: { kind: "unusual", meter: "participation_minutes", direction: "up", at_least: "60" },
      },
    },
    {
      hint: t.noEventsForDay,
      rule: { name: t.goneQuiet, node, scope, condition: { kind: "no_data", silent_minutes: 1_440 } },
    },
    node === "all"
      ? {
          hint: t.databasesBacklogFailedJobs,
          rule: {
            name: t.serviceNeedsAttention,
            node,
            scope: "node",
            severity: "critical",
            condition: { kind: "system" },
          },
        }
      : {
          hint: t.lessThanFifthOfMinutes,
          rule: {
            name: t.littleUsage,
            node,
            scope,
            severity: "info",
            condition: { kind: "low_usage", meter: "participation_minutes", below_percent: 20, of: "past" },
          },
        },
  ];
}

/** Whether a rule that watches the same is there. */
export function isCovered(wanted: CreateRule, rules: readonly Rule[]): boolean {
  const { condition } = wanted;
  return rules.some(
    (rule) =>
      rule.condition.kind === condition.kind &&
      (condition.kind !== "quota" || rule.condition.kind !== "quota" || (condition.on ?? "used") === rule.condition.on),
  );
}
