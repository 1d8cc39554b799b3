/** Rules in words, and those that most people want first. */
import type {
  BillingCondition,
  Condition,
  CreateRule,
  CustomerCondition,
  MuteWindow,
  Rule,
  RuleKind,
  RuleScope,
  SystemCondition,
  ThresholdWindow,
} from "@contract/rules.ts";
import { amountText } from "./alerts.ts";
import { featureName, type MeterLookup } from "./plans.ts";

/** What each kind watches, in the list of kinds. */
export const kindHints: Record<RuleKind, string> = {
  quota: "How much of a plan's limit is used, or will be",
  threshold: "A meter goes above or below a threshold",
  unusual: "Usage differs from the usual for this hour of the week",
  low_usage: "Less usage than the plan or past cycles suggest",
  no_data: "An organization that used to send events went silent",
  system: "The service itself: databases, backlog, failed jobs",
  customers: "New organizations, status and subscription changes, ending trials",
  billing: "Late or failed payments, expiring subscriptions",
};

export const windowNames: Record<ThresholdWindow, string> = {
  "1m": "the last minute",
  "5m": "the last 5 minutes",
  "15m": "the last 15 minutes",
  "1h": "the last hour",
  day: "the day",
  cycle: "the billing cycle",
};

export const thresholdWindows = Object.keys(windowNames) as ThresholdWindow[];

export const systemNames: Record<SystemCondition, string> = {
  ingest_lag: "Events become visible late",
  backlog: "Events wait to be stored",
  quarantine: "Events are set aside",
  drift: "Totals differ from the events",
  store_down: "A database does not answer",
  job_failed: "A job failed",
  delivery_failed: "A message could not be delivered",
};

export const systemConditions = Object.keys(systemNames) as SystemCondition[];

export const customerNames: Record<CustomerCondition, string> = {
  organization_created: "An organization is new",
  status_changed: "An organization's status changed",
  subscription_changed: "A subscription changed",
  trial_ending: "A trial ends soon",
};

export const customerConditions = Object.keys(customerNames) as CustomerCondition[];

export const billingNames: Record<BillingCondition, string> = {
  payment_overdue: "A payment is overdue",
  payment_failed: "A payment failed",
  subscription_expiring: "A subscription ends soon",
};

export const billingConditions = Object.keys(billingNames) as BillingCondition[];

type Weekday = NonNullable<MuteWindow["days"]>[number];
export const dayNames: Record<Weekday, string> = {
  mon: "Mon",
  tue: "Tue",
  wed: "Wed",
  thu: "Thu",
  fri: "Fri",
  sat: "Sat",
  sun: "Sun",
};
export const weekdays = Object.keys(dayNames) as Weekday[];

/** A rule of an organization or an agent has nothing below it that it could be a template for. */
export function scopeFor(node: string): RuleScope {
  return /^(?:organization|agent):/.test(node) ? "node" : "organizations";
}

const listed = (words: readonly string[]) => words.join(", ").replace(/, ([^,]*)$/, " or $1");
const lower = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

function durationText(minutes: number): string {
  const [amount, unit] =
    minutes % 1_440 === 0
      ? [minutes / 1_440, "day"]
      : minutes % 60 === 0
        ? [minutes / 60, "hour"]
        : [minutes, "minute"];
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`;
}

/** When it notifies, as a sentence without its end. */
export function conditionText(condition: Condition, meterOf: MeterLookup): string {
  const title = (meter: string) => meterOf(meter)?.title ?? meter;
  const feature = (key: string) => featureName({ key, meter: key }, meterOf);
  switch (condition.kind) {
    case "quota": {
      const what = condition.feature === null ? "A limited feature" : feature(condition.feature);
      const at = condition.thresholds ? `${listed(condition.thresholds.map(String))} %` : "the thresholds of its plan";
      return condition.on === "used"
        ? `${what} is used to ${at} of its limit`
        : `${what} will end the cycle at ${at} of its limit`;
    }
    case "threshold": {
      const { meter, above, below, window, for_minutes } = condition;
      const bound = amountText(above ?? below ?? "0", meter, meterOf);
      const side = above === undefined ? "below" : "above";
      const held = for_minutes > 0 ? ` for ${durationText(for_minutes)}` : "";
      return `${title(meter)} of ${windowNames[window]} is ${side} ${bound}${held}`;
    }
    case "unusual": {
      const how = { up: "unusually high", down: "unusually low", both: "unusual" }[condition.direction];
      return `${title(condition.meter)} is ${how} for the hour of the week`;
    }
    case "low_usage": {
      const what = condition.meter === undefined ? feature(condition.feature ?? "") : title(condition.meter);
      const of = condition.of === "plan" ? "its limit" : "earlier cycles";
      return `${what} is below ${condition.below_percent} % of ${of}, ${condition.after_days} days into the cycle`;
    }
    case "no_data":
      return `Nothing came for ${durationText(condition.silent_minutes)}`;
    case "system":
      return `${listed(condition.on.map((one, place) => (place === 0 ? systemNames[one] : lower(systemNames[one]))))}`;
    case "customers":
      return listed(condition.on.map((one, place) => (place === 0 ? customerNames[one] : lower(customerNames[one]))));
    case "billing":
      return listed(condition.on.map((one, place) => (place === 0 ? billingNames[one] : lower(billingNames[one]))));
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
      hint: "At the thresholds of each plan, once per cycle",
      rule: { name: "A quota is reached", node, scope, condition: { kind: "quota" } },
    },
    {
      hint: "At the current pace, the cycle will end over a limit",
      rule: {
        ...{ name: "On track to exceed a limit", node, scope },
        condition: { kind: "quota", on: "projected", thresholds: [100] },
      },
    },
    {
      hint: "Far more minutes than usual at this hour of the week",
      rule: {
        ...{ name: "Unusually high usage", node, scope },
        condition: { kind: "unusual", meter: "participation_minutes", direction: "up", at_least: "60" },
      },
    },
    {
      hint: "No events for a day from an organization that used to send",
      rule: { name: "Gone quiet", node, scope, condition: { kind: "no_data", silent_minutes: 1_440 } },
    },
    node === "all"
      ? {
          hint: "Databases, backlog, failed jobs and messages",
          rule: {
            ...{ name: "The service needs attention", node, scope: "node", severity: "critical" },
            condition: { kind: "system" },
          },
        }
      : {
          hint: "Less than a fifth of the minutes of earlier cycles",
          rule: {
            ...{ name: "Little usage", node, scope, severity: "info" },
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
