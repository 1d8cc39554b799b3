import { expect, test } from "vitest";
import { readTyped } from "../../../web/src/state/typed-range.ts";

const now = Date.parse("2026-03-15T12:00:00Z");
const read = (text: string, tz = "UTC") => readTyped(text, tz, now);

test.each([
  ["now-6h", { preset: "exact", from: "now-6h", to: "now" }],
  ["now-7d to now-1d", { preset: "exact", from: "now-7d", to: "now-1d" }],
  ["last 90 minutes", { preset: "exact", from: "now-90m", to: "now" }],
  ["3 weeks", { preset: "exact", from: "now-3w", to: "now" }],
  ["Last month", { preset: "last-month" }],
  ["2026", { preset: "custom", from: "2026-01-01", through: "2026-12-31" }],
  ["2026-Q1", { preset: "custom", from: "2026-01-01", through: "2026-03-31" }],
  ["2024-02", { preset: "custom", from: "2024-02-01", through: "2024-02-29" }],
  ["2026-03-01", { preset: "custom", from: "2026-03-01", through: "2026-03-01" }],
  ["2026-01 to 2026-02", { preset: "custom", from: "2026-01-01", through: "2026-02-28" }],
  ["2026-03-01..2026-03-04", { preset: "custom", from: "2026-03-01", through: "2026-03-04" }],
])("%s is read as a person means it", (text, range) => {
  expect(read(text)).toEqual(range);
});

test("a time is one on the clock of the zone, and a day beside it is a whole one", () => {
  expect(read("2026-03-01 10:00 to 2026-03-01 16:30", "Asia/Kolkata")).toEqual({
    preset: "exact",
    from: "2026-03-01T04:30:00.000Z",
    to: "2026-03-01T11:00:00.000Z",
  });
  expect(read("2026-03-01 to now", "Europe/Berlin")).toEqual({
    preset: "exact",
    from: "2026-02-28T23:00:00.000Z",
    to: "now",
  });
});

test.each([
  "",
  "soon",
  "2026-13",
  "2026-02-30",
  "now",
  "now+6h",
  "now-1h to now-6h",
  "2026-03-02 to 2026-03-01",
  "0 h",
  "a to b to c",
])("%j is no range", (text) => {
  expect(read(text)).toBeUndefined();
});
