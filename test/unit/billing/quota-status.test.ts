import { describe, expect, test } from "vitest";
import { hasReached, limitState, percentUsed, quotaStatus } from "../../../server/billing/quota-status.ts";

describe("the status changes exactly at 50, 80 and 95 %", () => {
  test.each([
    ["0", "100", "under"],
    ["49.999999999", "100", "under"],
    ["50", "100", "moderate"],
    ["79.999999999", "100", "moderate"],
    ["80", "100", "high"],
    ["94.999999999", "100", "high"],
    ["95", "100", "over"],
    ["100", "100", "over"],
    ["250", "100", "over"],
    // Where a float says 95.00000000000001 or 49.99999999999999.
    ["0.285", "0.3", "over"],
    ["0.284999999", "0.3", "high"],
    ["123456789012345678.5", "246913578024691357", "moderate"],
    ["123456789012345678.499999999", "246913578024691357", "under"],
    [19, 20, "over"],
    ["0", "0", "under"],
    ["0.000000001", "0", "over"],
  ] as const)("%s of %s is %s", (used, limit, expected) => {
    expect(quotaStatus(used, limit)).toBe(expected);
  });
});

test.each([
  ["49.999999999", 50, false],
  ["50", 50, true],
  ["74.99", 75, false],
  ["75", 75, true],
  ["89.999999999", 90, false],
  ["90", 90, true],
  ["99.999999999", 100, false],
  ["100", 100, true],
  ["62.5", "62.5", true],
  ["0", 50, false],
] as const)("%s of 100 has reached %s %%: %s", (used, percent, expected) => {
  expect(hasReached(used, "100", percent)).toBe(expected);
});

test("a percentage is never rounded up to one that was not reached", () => {
  expect(percentUsed("94.999999999", "100")).toBe("94.99");
  expect(percentUsed("99.999999999", "100")).toBe("99.99");
  expect(percentUsed("1", "3")).toBe("33.33");
  expect(percentUsed("500", "400")).toBe("125.00");
  expect(percentUsed("5", "0")).toBeNull();
});

test.each([
  ["0", "100", "within"],
  ["99.999999999", "100", "within"],
  ["100", "100", "reached"],
  ["0", "0", "nothing_included"],
  ["0.000000001", "0", "reached"],
] as const)("%s of %s is %s, and what is reached is never under its limit", (used, limit, expected) => {
  expect(limitState(used, limit)).toBe(expected);
  if (expected === "reached") expect(quotaStatus(used, limit)).toBe("over");
});
