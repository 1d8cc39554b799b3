import { describe, expect, test } from "vitest";
import type { WindowKind } from "../../../server/contract/usage.ts";
import { formatInstant, InvalidTimeError, resolveInstant } from "../../../server/metrics/windows.ts";
import { windowsBetween } from "../../support/windows-between.ts";

const hours = (from: string, to: string, kind: WindowKind, tz: string) =>
  windowsBetween(resolveInstant(from, tz, 0), resolveInstant(to, tz, 0), kind, tz).map(
    ({ startMs, endMs }) => (endMs - startMs) / 3_600_000,
  );

describe("days are as long as the clocks of their zone make them", () => {
  test.each([
    ["America/Chicago", "2026-03-08", "2026-03-09", [23]],
    ["America/Chicago", "2026-11-01", "2026-11-02", [25]],
    ["Europe/Berlin", "2026-03-29", "2026-03-30", [23]],
    ["Europe/Berlin", "2026-10-25", "2026-10-26", [25]],
    ["Australia/Lord_Howe", "2026-04-05", "2026-04-06", [24.5]],
    ["Australia/Lord_Howe", "2026-10-04", "2026-10-05", [23.5]],
    ["Asia/Kathmandu", "2026-03-08", "2026-03-10", [24, 24]],
    ["Asia/Kolkata", "2026-10-25", "2026-10-27", [24, 24]],
    ["America/St_Johns", "2026-03-08", "2026-03-09", [23]],
    ["America/Sao_Paulo", "2018-11-04", "2018-11-05", [23]],
    ["Africa/Cairo", "2026-04-24", "2026-04-25", [23]],
    ["Pacific/Apia", "2011-12-29", "2012-01-01", [24, 24]],
    ["UTC", "2026-03-08", "2026-03-10", [24, 24]],
  ])("%s from %s to %s", (tz, from, to, expected) => {
    expect(hours(from, to, "day", tz)).toEqual(expected);
  });
});

test("an hour that clocks repeat is two windows, one that they skip is none", () => {
  expect(hours("2026-11-01T00:00:00-05:00", "2026-11-01T03:00:00-06:00", "hour", "America/Chicago")).toEqual([
    1, 1, 1, 1,
  ]);
  expect(hours("2026-03-08T00:00:00-06:00", "2026-03-08T04:00:00-05:00", "hour", "America/Chicago")).toEqual([1, 1, 1]);
});

test("hours start on the zone's own full hours, through a change of half an hour too", () => {
  const tz = "Australia/Lord_Howe";
  const starts = windowsBetween(
    resolveInstant("2026-04-05T00:00:00+11:00", tz, 0),
    resolveInstant("2026-04-05T04:00:00+10:30", tz, 0),
    "hour",
    tz,
  );
  expect(starts.map((window) => formatInstant(window.startMs, tz))).toEqual([
    "2026-04-05T00:00:00+11:00",
    "2026-04-05T01:00:00+11:00",
    "2026-04-05T02:00:00+10:30",
    "2026-04-05T03:00:00+10:30",
  ]);
});

test("weeks start on Monday; months, quarters and years on their first day, in the zone", () => {
  const tz = "Europe/Berlin";
  const first = (kind: WindowKind) =>
    windowsBetween(resolveInstant("2025-11-15", tz, 0), resolveInstant("2027-06-01", tz, 0), kind, tz)
      .slice(1, 3)
      .map((window) => formatInstant(window.startMs, tz));
  expect(first("week")).toEqual(["2025-11-17T00:00:00+01:00", "2025-11-24T00:00:00+01:00"]);
  expect(first("month")).toEqual(["2025-12-01T00:00:00+01:00", "2026-01-01T00:00:00+01:00"]);
  expect(first("quarter")).toEqual(["2026-01-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"]);
  expect(first("year")).toEqual(["2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"]);
});

test("windows tile the range without gaps, and those that the range cuts say so", () => {
  const [from, to] = [Date.UTC(2026, 0, 1, 13), Date.UTC(2026, 0, 4, 7)];
  const windows = windowsBetween(from, to, "day", "UTC");
  expect(windows[0]?.startMs).toBe(from);
  expect(windows.at(-1)?.endMs).toBe(to);
  for (const [index, window] of windows.entries())
    expect(window.startMs).toBe(index === 0 ? from : windows[index - 1]?.endMs);
  expect(windows.map((window) => window.isPartial)).toEqual([true, false, false, true]);
});

test("a date is its first instant in the zone; an instant keeps its own offset; anything else is refused", () => {
  expect(resolveInstant("2026-03-01", "America/Chicago", 0)).toBe(Date.UTC(2026, 2, 1, 6));
  expect(resolveInstant("2026-03-01T00:00:00+05:45", "UTC", 0)).toBe(Date.UTC(2026, 1, 28, 18, 15));
  expect(resolveInstant("now", "UTC", 42)).toBe(42);
  expect(resolveInstant("2016-12-31T23:59:60Z", "UTC", 0)).toBe(Date.UTC(2017, 0, 1));
  for (const text of [
    "2026-02-30",
    "2026-02-30T00:00:00Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T12:00:60Z",
    "2026-03-01T00:00:00",
    "yesterday",
    "",
    "2026-13-01T00:00:00Z",
    "1899-12-31T23:59:59Z",
    "2200-01-01",
    "9999-12-31T23:59:59Z",
    "0001-01-01",
  ])
    expect(() => resolveInstant(text, "UTC", 0), text).toThrow(InvalidTimeError);
});

test.each(["day", "week", "month", "quarter", "year", "cycle"] as const)(
  "a %s is followed by a later one up to the last instant that may be asked for, and where the calendar ends nobody walks on",
  (kind) => {
    const [firstMs, lastMs] = [Date.UTC(1900, 0, 1), Date.UTC(2200, 0, 1) - 1];
    for (const tz of ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"]) {
      const spans = [
        [firstMs - 40 * 86_400_000, firstMs + 1],
        [lastMs - 40 * 86_400_000, lastMs + 40 * 86_400_000],
      ] as const;
      for (const [fromMs, toMs] of spans) {
        const windows = windowsBetween(fromMs, toMs, kind, tz, 31);
        for (const { startMs, endMs } of windows) expect(endMs).toBeGreaterThan(startMs);
        expect(windows.at(-1)?.endMs).toBe(toMs);
      }
      const beyond = Date.UTC(9999, 11, 31, 14);
      expect(() => windowsBetween(beyond - 86_400_000, beyond + 3 * 86_400_000, kind, tz, 31)).toThrow(RangeError);
    }
  },
);
