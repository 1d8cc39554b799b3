import { describe, expect, it } from "vitest";
import {
  addDays,
  dateIn,
  isDate,
  type PresetId,
  parseRange,
  spanOf,
  windowsFor,
} from "../../../server/contract/ranges.ts";
import {
  describeDays,
  describeSpan,
  formatRange,
  isRunning,
  presets,
  shiftSpan,
  wholeDays,
} from "../../../web/src/state/range.ts";

const at = Date.parse("2026-03-01T02:30:00Z");

describe("a named range", () => {
  it.each<[PresetId, string, string, string, number]>([
    ["today", "2026-03-01", "now", "2026-03-01", 1],
    ["yesterday", "2026-02-28", "2026-03-01", "2026-02-28", 1],
    ["7d", "2026-02-23", "now", "2026-03-01", 7],
    ["28d", "2026-02-02", "now", "2026-03-01", 28],
    ["30d", "2026-01-31", "now", "2026-03-01", 30],
    ["90d", "2025-12-02", "now", "2026-03-01", 90],
    ["month", "2026-03-01", "now", "2026-03-01", 1],
    ["last-month", "2026-02-01", "2026-03-01", "2026-02-28", 28],
    ["year", "2026-01-01", "now", "2026-03-01", 60],
  ])("%s covers the days it says", (preset, from, to, lastDay, days) => {
    expect(spanOf({ preset }, "UTC", at)).toEqual({ from, to, firstDay: from, lastDay, days });
  });

  it("of the last 12 months begins with a month, so that none is cut at its start", () => {
    expect(spanOf({ preset: "12m" }, "UTC", at)).toMatchObject({ from: "2025-04-01", to: "now" });
    expect(spanOf({ preset: "12m" }, "UTC", Date.parse("2026-12-05T00:00:00Z")).from).toBe("2026-01-01");
  });

  it("counts the days of the zone, not of UTC", () => {
    expect(spanOf({ preset: "today" }, "America/Chicago", at).from).toBe("2026-02-28");
    expect(spanOf({ preset: "last-month" }, "America/Chicago", at).from).toBe("2026-01-01");
    expect(dateIn("Pacific/Kiritimati", at)).toBe("2026-03-01");
  });

  it("takes the days through the whole leap February", () => {
    expect(spanOf({ preset: "last-month" }, "UTC", Date.parse("2028-03-15T00:00:00Z"))).toMatchObject({
      from: "2028-02-01",
      lastDay: "2028-02-29",
      to: "2028-03-01",
    });
  });
});

describe("a custom range", () => {
  it("includes its last day", () => {
    const span = spanOf({ preset: "custom", from: "2026-01-01", through: "2026-01-31" }, "UTC", at);
    expect(span).toMatchObject({ from: "2026-01-01", to: "2026-02-01", days: 31 });
  });

  it("ends now when its last day has not ended", () => {
    expect(spanOf({ preset: "custom", from: "2026-01-01", through: "2026-12-31" }, "UTC", at).to).toBe("now");
  });
});

describe("an exact range", () => {
  it("is asked by its instants, and what ends now goes on", () => {
    expect(spanOf({ preset: "exact", from: "now-6h", to: "now" }, "UTC", at)).toEqual({
      from: "2026-02-28T20:30:00.000Z",
      to: "now",
      firstDay: "2026-02-28",
      lastDay: "2026-03-01",
      days: 0.25,
    });
    expect(windowsFor(0.25)).toEqual({ choices: ["minute", "hour"], usual: "minute" });
  });

  it("that covers whole days of the zone becomes these days", () => {
    const [from, to] = ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"].map(Date.parse) as [number, number];
    expect(wholeDays(from, to, "Europe/Berlin")).toEqual({
      preset: "custom",
      from: "2026-03-29",
      through: "2026-03-29",
    });
    expect(wholeDays(from, to, "UTC")).toBeUndefined();
    expect(wholeDays(from, to + 60_000, "Europe/Berlin", true)).toMatchObject({ through: "2026-03-30" });
  });

  it("is described with its times", () => {
    const exact = (from: string, to: string) =>
      describeSpan(spanOf({ preset: "exact", from, to }, "UTC", at), "UTC", at);
    expect(exact("2026-02-21T10:00Z", "2026-02-21T16:00Z")).toBe("21 Feb 2026, 10:00 – 16:00");
    expect(exact("2026-02-21T10:00Z", "2026-02-22T00:00Z")).toBe("21 Feb 2026, 10:00 – 24:00");
    expect(exact("now-1d", "now")).toBe("28 Feb 2026, 02:30 – 1 Mar 2026, 02:30");
  });

  it.each([
    ["in the wrong order", "2026-02-02T00:00:00Z", "2026-02-01T00:00:00Z"],
    ["before any that the server takes", "1990-02-01T00:00:00Z", "2026-02-01T00:00:00Z"],
    ["that are no instants", "yesterday", "now"],
  ])("with ends %s is the last 30 days", (_, from, to) => {
    expect(parseRange(undefined, from, undefined, to)).toEqual({ preset: "30d" });
  });
});

it("the range before and after is as long, and a whole month stays a whole month", () => {
  const shifted = (from: string, through: string, by: -1 | 1) =>
    shiftSpan(spanOf({ preset: "custom", from, through }, "UTC", at), by, "UTC", at);
  expect(shifted("2026-01-01", "2026-01-31", 1)).toEqual({
    preset: "custom",
    from: "2026-02-01",
    through: "2026-02-28",
  });
  expect(shifted("2026-01-01", "2026-01-31", -1)).toMatchObject({ from: "2025-12-01", through: "2025-12-31" });
  expect(shifted("2026-02-10", "2026-02-12", -1)).toMatchObject({ from: "2026-02-07", through: "2026-02-09" });
  expect(shifted("2026-03-01", "2026-03-01", 1)).toBeUndefined();
});

describe("the address", () => {
  it("gives back every range that was written into it", () => {
    for (const { id } of presets) {
      const written = formatRange({ preset: id });
      expect(parseRange(written.range, written.from, written.through)).toEqual({ preset: id });
    }
    const custom = { preset: "custom", from: "2026-01-01", through: "2026-01-31" } as const;
    for (const range of [custom, { preset: "exact", from: "now-6h", to: "now" }] as const) {
      const written = formatRange(range);
      expect(parseRange(written.range, written.from, written.through, written.to)).toEqual(range);
    }
  });

  it.each([
    ["an unknown name", "fortnight", undefined, undefined],
    ["a custom range without days", "custom", undefined, undefined],
    ["days in the wrong order", "custom", "2026-02-01", "2026-01-01"],
    ["a day that no calendar has", "custom", "2026-02-30", "2026-03-01"],
  ])("with %s means the last 30 days", (_, name, from, through) => {
    expect(parseRange(name, from, through)).toEqual({ preset: "30d" });
  });

  it("takes only dates that the calendar has", () => {
    expect(["2028-02-29", "2026-02-29", "2026-13-01", "1999-12-31", "26-1-1", ""].map(isDate)).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("the choice of windows", () => {
  it.each([
    [1, ["hour", "day"], "hour"],
    [7, ["hour", "day"], "day"],
    [14, ["hour", "day", "week"], "day"],
    [30, ["day", "week"], "day"],
    [90, ["day", "week", "month"], "day"],
    [365, ["day", "week", "month"], "week"],
    [2_000, ["week", "month"], "month"],
  ])("for %i days offers only sane steps", (days, choices, usual) => {
    expect(windowsFor(days)).toEqual({ choices, usual });
  });

  it("always offers the one that it starts from", () => {
    for (let days = 1; days < 3_000; days++) {
      const { choices, usual } = windowsFor(days);
      expect(choices).toContain(usual);
    }
  });
});

it("a window runs only when it is cut by now, not by a person", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  const point = { start: "2026-03-01T00:00:00Z", end: "2026-03-01T12:00:00Z", value: 1, partial: true };
  expect(isRunning(point, { to: "2026-03-01T12:00:00Z" }, now)).toBe(true);
  expect(isRunning({ ...point, partial: false }, { to: "2026-03-01T12:00:00Z" }, now)).toBe(false);
  expect(isRunning(point, { to: "2026-03-05T00:00:00Z" }, now)).toBe(false);
  expect(isRunning(point, { to: "2026-03-01T12:00:00Z" }, now + 24 * 60 * 60_000)).toBe(false);
});

it("days are described as shortly as they stay clear", () => {
  expect(describeDays("2026-11-21", "2026-11-21")).toBe("21 Nov 2026");
  expect(describeDays("2026-11-01", "2026-11-21")).toBe("1 – 21 Nov 2026");
  expect(describeDays("2026-10-23", "2026-11-21")).toBe("23 Oct – 21 Nov 2026");
  expect(describeDays("2025-12-31", "2026-01-01")).toBe("31 Dec 2025 – 1 Jan 2026");
  expect(addDays("2026-12-31", 1)).toBe("2027-01-01");
});
