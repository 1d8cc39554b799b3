import { expect, test } from "vitest";
import { nodesThatFit } from "../../../server/alerts/preview-size.ts";
import { meterByName } from "../../../server/catalog/catalog.ts";
import type { Meter } from "../../../server/catalog/meter.ts";
import type { Condition } from "../../../server/contract/rules.ts";
import { metersIn, parseFormula } from "../../../server/numbers/formula.ts";

const dayMs = 86_400_000;
const nodes = Array.from({ length: 21 }, (_, index) => `organization:o${index}`);
const calls = meterByName("api_calls") as Meter;
const previewOf = (condition: object, days: number, meter = calls) =>
  nodesThatFit({
    meterOf: () => meter,
    condition: condition as Condition,
    nodes,
    span: { fromMs: 0, toMs: days * dayMs },
  });
const unusual = { kind: "unusual", meter: "api_calls", direction: "up", sensitivity: "low", at_least: "1" };

test("a preview that reads as much as a large answer waits for its turn, a small one does not", () => {
  expect(previewOf(unusual, 60)).toMatchObject({ looked: { length: 20 }, isLarge: true });
  expect(previewOf({ kind: "no_data", silent_minutes: 60 }, 400)).toMatchObject({ isLarge: true });
  expect(previewOf({ kind: "low_usage", meter: "api_calls", of: "past" }, 90)).toMatchObject({ isLarge: true });
  const threshold = { kind: "threshold", meter: "api_calls", for_minutes: 0 };
  expect(previewOf({ ...threshold, window: "1m" }, 1)).toMatchObject({ isLarge: true });
  expect(previewOf({ ...threshold, window: "day" }, 5)).toMatchObject({ looked: { length: 20 }, isLarge: false });
  // What has to hold for a week is followed from a week before.
  expect(previewOf({ ...threshold, window: "day", for_minutes: 10_080 }, 5)).toMatchObject({ isLarge: true });
  expect(previewOf({ kind: "quota" }, 400)).toMatchObject({ looked: { length: 20 }, isLarge: false });
});

test("a preview looks at no more nodes than one answer has figures for", () => {
  const parsed = parseFormula("api_calls / sessions + chat_posts");
  const operands = metersIn(parsed).map((name) => meterByName(name) as Meter);
  const derived: Meter = { ...calls, rule: { kind: "derived", formula: parsed, operands } };
  expect(previewOf(unusual, 60, derived).looked).toHaveLength(5);
});
