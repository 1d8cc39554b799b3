import { expect, test } from "vitest";
import { percentText } from "../../../server/contract/percent-text.ts";

test.each([
  ["91.55", "91.5%"],
  ["62", "62%"],
  ["99.99", "99.9%"],
  [100, "100%"],
  [0.29 * 100, "29%"],
  ["0", "0%"],
  ["0.01", "< 0.1%"],
  [-0.04, "−< 0.1%"],
  [-33.333, "−33.3%"],
  ["12345.67", "12,345%"],
])("a percentage has one decimal at most, and says 100 only of what has reached it: %s is %s", (percent, text) => {
  expect(percentText(percent)).toBe(text);
});
