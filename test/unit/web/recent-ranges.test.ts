import { expect, test } from "vitest";
import type { Range } from "../../../server/contract/ranges.ts";
import { describeRange, recentRanges } from "../../../web/src/state/recent-ranges.svelte.ts";

const days = (day: number): Range => ({ preset: "custom", from: `2026-03-0${day}`, through: "2026-03-09" });
const hours: Range = { preset: "exact", from: "now-6h", to: "now" };

test("the last five ranges without a name are kept, each once, the latest first", () => {
  for (const range of [days(1), days(2), { preset: "7d" } as const, hours, days(3), days(4), days(2), days(5)])
    recentRanges.add(range);
  expect(recentRanges.ranges).toEqual([days(5), days(2), days(4), days(3), hours]);
});

test("what another release or hand has left in the browser is no range", () => {
  recentRanges.replace(["?range=nonsense", "", "?range=custom&from=2026-03-05&through=2026-03-01"]);
  expect(recentRanges.ranges).toEqual([]);
});

test("a relative range is called as it was typed, the others by their days and times", () => {
  const now = Date.parse("2026-03-09T12:00:00Z");
  const exact: Range = { preset: "exact", from: "2026-03-08T10:00:00Z", to: "2026-03-08T16:00:00Z" };
  expect([hours, days(1), exact].map((range) => describeRange(range, "UTC", now))).toEqual([
    "now-6h to now",
    "1 – 9 Mar 2026",
    "8 Mar 2026, 10:00 – 16:00",
  ]);
});
