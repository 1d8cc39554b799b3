import { expect, test } from "vitest";
import { type Condition, type ConditionInput, createRuleSchema, type Rule } from "../../../server/contract/rules.ts";
import { changeOf, draftOfRule, isPreviewable, newRuleDraft, newRuleOf } from "../../../web/src/state/rule-draft.ts";
import { conditionText, isCovered, usefulRules } from "../../../web/src/words/rules.ts";

const conditions: ConditionInput[] = [
  { kind: "quota" },
  { kind: "quota", feature: "call_minutes", thresholds: [50, 99.5], on: "projected" },
  { kind: "threshold", meter: "api_calls", window: "5m", above: "10.5", for_minutes: 3, resolve_at: "8" },
  { kind: "threshold", meter: "emails", below: "2", filter: { language: "en", model: ["a", "b"] } },
  { kind: "threshold", meter: "emails", above: "2", filter: { language: { not: "en" } } },
  { kind: "unusual", meter: "api_calls", direction: "both", sensitivity: "high", at_least: "12" },
  { kind: "low_usage", feature: "call_minutes", below_percent: 20, of: "plan", after_days: 0 },
  { kind: "low_usage", meter: "api_calls", below_percent: 12.5, of: "past" },
  { kind: "no_data", silent_minutes: 90 },
  { kind: "system", on: ["backlog"] },
  { kind: "customers", on: ["trial_ending"], days_before: 14 },
  { kind: "billing" },
];

function ruleOf(condition: ConditionInput): Rule {
  const made = createRuleSchema.parse({
    name: "A rule",
    node: "reseller:r1",
    scope: "organizations",
    severity: "critical",
    enabled: false,
    channels: ["chn_1"],
    repeat_hours: 0.5,
    mute: [
      { from: "22:00", to: "06:00", tz: "Europe/Berlin", days: ["sat"] },
      { from: "12:00", to: "13:00" },
    ],
    condition,
  });
  return { ...made, node: "reseller:r1", id: "rule_1", is_default: false, created_at: "2026-11-01T00:00:00.000Z" };
}

test.each(conditions)("a rule that is opened and saved unchanged stays what it is: %j", (condition) => {
  const rule = ruleOf(condition);
  const draft = draftOfRule(rule);
  const { name, node, replaces, ...change } = createRuleSchema.parse(newRuleOf(draft));
  const { id: _, is_default: __, created_at: ___, ...same } = rule;
  expect({ name, node, replaces, ...change }).toEqual(same);
  expect(createRuleSchema.omit({ node: true, replaces: true }).parse(changeOf(draft))).toEqual({ name, ...change });
});

test("text that is no number reaches the server as it was typed, so that the server names the field", () => {
  const typed = { repeatHours: "soon", thresholds: "50, lots", kind: "quota" } as const;
  const parsed = createRuleSchema.safeParse(newRuleOf({ ...newRuleDraft("all"), name: "A rule", ...typed }));
  const fields = parsed.error?.issues.map(({ path }) => path.join("."));
  expect(fields?.sort()).toEqual(["condition.thresholds.1", "repeat_hours"]);
});

test("fields of a kind that was not chosen are not sent", () => {
  const draft = { ...newRuleDraft("organization:acme"), kind: "no_data", bound: "5", filter: "a=b" } as const;
  expect(newRuleOf(draft)).toMatchObject({ scope: "node", condition: { kind: "no_data", silent_minutes: 1440 } });
  expect(Object.keys(newRuleOf(draft).condition)).toEqual(["kind", "silent_minutes"]);
});

test("a threshold without its bound is not tried out yet", () => {
  const draft = { ...newRuleDraft("all"), kind: "threshold" } as const;
  expect(isPreviewable(draft)).toBe(false);
  expect(isPreviewable({ ...draft, bound: "5" })).toBe(true);
});

test.each(["all", "reseller:r1", "organization:acme"])(
  "the five useful rules of %s are taken as they stand",
  (node) => {
    const offered = usefulRules(node).map(({ rule }) => createRuleSchema.parse(rule));
    expect(new Set(offered.map(({ name }) => name)).size).toBe(5);
    expect(offered.map(({ condition }) => conditionText(condition as Condition, () => undefined))).not.toContain("");
  },
);

test("a useful rule is no longer offered once there is one like it", () => {
  const there = [ruleOf({ kind: "quota", thresholds: [80] }), ruleOf({ kind: "no_data", silent_minutes: 5 })];
  const left = usefulRules("all").filter(({ rule }) => !isCovered(rule, there));
  expect(left.map(({ rule }) => rule.name)).toEqual([
    "On track to exceed a limit",
    "Unusually high usage",
    "The service needs attention",
  ]);
});
