import { expect, test } from "vitest";
import { amountText, dayText, durationText, momentText, numberText } from "../../../server/alerts/wording.ts";

test("figures are grouped, have two decimals at most, and never look like nothing when they are something", () => {
  expect(["14712.306517", "450", "0", "-5.005", "0.000000004", "0.0096"].map(numberText)).toEqual([
    "14,712.31",
    "450",
    "0",
    "-5.01",
    "0.000000004",
    "0.0096",
  ]);
  expect(numberText("12345678901234567890123456789.5")).toBe("12,345,678,901,234,567,890,123,456,789.5");
});

test("amounts have their unit, counts none", () => {
  expect([amountText("1", "minutes"), amountText("1.5", "minutes"), amountText("450", "count")]).toEqual([
    "1 minute",
    "1.5 minutes",
    "450",
  ]);
});

test("instants and days are on the clock of their zone, which is named beside the time", () => {
  const ms = Date.parse("2026-11-29T23:30:00Z");
  expect(momentText(ms, "UTC")).toBe("29 Nov 2026, 23:30 UTC");
  expect(momentText(ms, "Europe/Vienna")).toBe("30 Nov 2026, 00:30 Europe/Vienna");
  expect(dayText(ms, "Europe/Vienna")).toBe("30 Nov 2026");
});

test("durations are said in their two largest units", () => {
  expect([0, 59_999, 75 * 60_000, 49 * 3_600_000].map(durationText)).toEqual([
    "less than 1 min",
    "less than 1 min",
    "1 h 15 min",
    "2 d 1 h",
  ]);
});
