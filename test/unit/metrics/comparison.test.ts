import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WindowKind } from "../../../server/contract/usage.ts";
import {
  type Comparison,
  comparedInSlices,
  comparedRange,
  compareFigures,
  pairingOf,
  parseCompared,
} from "../../../server/metrics/comparison.ts";
import { formatInstant, InvalidTimeError, resolveInstant } from "../../../server/metrics/windows.ts";

interface Case {
  from: string;
  to: string;
  tz?: string;
  window?: WindowKind;
  anchor?: number;
  now?: string;
}

const byDate = { match: "date", partial: "same" } as const;

/** Written in the zone, without times that are the first of a date. */
function compared({ from, to, tz = "UTC", window = "day", anchor = 1, now = "2040-01-01" }: Case, how: Comparison) {
  const nowMs = resolveInstant(now, tz, 0);
  const asked = { fromMs: resolveInstant(from, tz, nowMs), toMs: resolveInstant(to, tz, nowMs), window, anchor, tz };
  const range = comparedRange(asked, how, nowMs);
  const text = (ms: number) => {
    const instant = formatInstant(ms, tz);
    return resolveInstant(instant.slice(0, 10), tz, 0) === ms ? instant.slice(0, 10) : instant;
  };
  return [text(range.fromMs), text(range.toMs)];
}

describe("the period before has as many months, cycles or days as the asked one, else its length", () => {
  test.each<[string, Case, [string, string]]>([
    ["March", { from: "2026-03-01", to: "2026-04-01" }, ["2026-02-01", "2026-03-01"]],
    ["a quarter", { from: "2026-04-01", to: "2026-07-01" }, ["2026-01-01", "2026-04-01"]],
    ["a year", { from: "2025-01-01", to: "2026-01-01" }, ["2024-01-01", "2025-01-01"]],
    ["two months", { from: "2026-01-01", to: "2026-03-01" }, ["2025-11-01", "2026-01-01"]],
    [
      "November in Chicago",
      { from: "2026-11-01", to: "2026-12-01", tz: "America/Chicago" },
      ["2026-10-01", "2026-11-01"],
    ],
    ["a week", { from: "2026-03-02", to: "2026-03-09" }, ["2026-02-23", "2026-03-02"]],
    ["a day of 23 hours", { from: "2026-03-29", to: "2026-03-30", tz: "Europe/Berlin" }, ["2026-03-28", "2026-03-29"]],
    [
      "the day after one of 25",
      { from: "2026-10-26", to: "2026-10-27", tz: "Europe/Berlin" },
      ["2026-10-25", "2026-10-26"],
    ],
    [
      "a day whose midnight is skipped",
      { from: "2017-10-15", to: "2017-10-16", tz: "America/Sao_Paulo" },
      ["2017-10-14", "2017-10-15"],
    ],
    [
      "days around one that is skipped",
      { from: "2012-01-01", to: "2012-01-04", tz: "Pacific/Apia" },
      ["2011-12-29", "2012-01-01"],
    ],
    ["a cycle", { from: "2026-03-15", to: "2026-04-15", window: "cycle", anchor: 15 }, ["2026-02-15", "2026-03-15"]],
    ["a cycle by days", { from: "2026-03-31", to: "2026-04-30", anchor: 31 }, ["2026-02-28", "2026-03-31"]],
    [
      "a month of a node with cycles",
      { from: "2026-03-01", to: "2026-04-01", anchor: 15 },
      ["2026-02-01", "2026-03-01"],
    ],
    ["31 days that are no month", { from: "2026-03-15", to: "2026-04-15" }, ["2026-02-12", "2026-03-15"]],
    ["six hours", { from: "2026-03-08T06:00:00Z", to: "2026-03-08T12:00:00Z" }, ["2026-03-08", "2026-03-08T06:00:00Z"]],
  ])("%s", (_, asked, expected) => {
    expect(compared(asked, { with: "previous", ...byDate })).toEqual(expected);
  });
});

describe("a year ago is the same dates, of which 29 February is none", () => {
  test.each<[Case, [string, string]]>([
    [{ from: "2026-03-01", to: "2026-04-01" }, ["2025-03-01", "2025-04-01"]],
    [{ from: "2024-02-01", to: "2024-03-01" }, ["2023-02-01", "2023-03-01"]],
    [{ from: "2025-02-01", to: "2025-03-01" }, ["2024-02-01", "2024-03-01"]],
    [{ from: "2024-02-29", to: "2024-03-01" }, ["2023-03-01", "2023-03-01"]],
    [{ from: "2024-01-15", to: "2024-02-29" }, ["2023-01-15", "2023-03-01"]],
    [{ from: "2026-03-08", to: "2026-03-09", tz: "America/Chicago" }, ["2025-03-08", "2025-03-09"]],
    [{ from: "2017-10-15", to: "2017-10-16", tz: "America/Sao_Paulo" }, ["2016-10-15", "2016-10-16"]],
  ])("%j", (asked, expected) => {
    expect(compared(asked, { with: "year", ...byDate })).toEqual(expected);
  });
});

test("matching weekdays moves a year by 52 weeks, and the period before by the whole weeks that it fits into", () => {
  const byWeekday = { match: "weekday", partial: "same" } as const;
  const march = { from: "2026-03-01", to: "2026-04-01", tz: "America/Chicago" };
  expect(compared(march, { with: "year", ...byWeekday })).toEqual(["2025-03-02", "2025-04-02"]);
  expect(compared(march, { with: "previous", ...byWeekday })).toEqual(["2026-01-25", "2026-02-25"]);
  for (const [to, days] of [
    ["2026-03-03", 7],
    ["2026-03-09", 7],
    ["2026-03-10", 14],
  ] as const) {
    const [from] = compared({ from: "2026-03-02", to }, { with: "previous", ...byWeekday });
    expect(from).toBe(new Date(Date.parse("2026-03-02") - days * 86_400_000).toISOString().slice(0, 10));
  }
});

describe("while the asked range runs, the compared one ends where now is shifted to", () => {
  const november = { from: "2026-11-01", to: "2026-12-01", now: "2026-11-21T08:30:00Z" };
  test.each<[Case, Comparison["with"], [string, string]]>([
    [november, "previous", ["2026-10-01", "2026-10-21T08:30:00Z"]],
    [november, "year", ["2025-11-01", "2025-11-21T08:30:00Z"]],
    // February is over when March has had more days than it has.
    [{ from: "2026-03-01", to: "2026-04-01", now: "2026-03-30T10:00:00Z" }, "previous", ["2026-02-01", "2026-03-01"]],
    [
      { from: "2026-03-01", to: "2026-04-01", now: "2026-03-28T10:00:00Z" },
      "previous",
      ["2026-02-01", "2026-02-28T10:00:00Z"],
    ],
    [{ from: "2026-04-01", to: "2026-07-01", now: "2026-05-30T10:00:00Z" }, "previous", ["2026-01-01", "2026-03-01"]],
    [
      { from: "2026-02-28", to: "2026-03-31", anchor: 31, now: "2026-02-28T12:00:00Z" },
      "previous",
      ["2026-01-31", "2026-01-31T12:00:00Z"],
    ],
    // The same time of the clock, on a day that is an hour shorter than the one before.
    [
      { from: "2026-03-29", to: "2026-03-30", tz: "Europe/Berlin", now: "2026-03-29T12:00:00+02:00" },
      "previous",
      ["2026-03-28", "2026-03-28T12:00:00+01:00"],
    ],
    [
      { from: "2026-11-21T06:00:00Z", to: "2026-11-21T10:00:00Z", now: "2026-11-21T07:00:00Z" },
      "previous",
      ["2026-11-21T02:00:00Z", "2026-11-21T03:00:00Z"],
    ],
    [november, { fromMs: Date.UTC(2026, 3, 1), toMs: Date.UTC(2026, 4, 1) }, ["2026-04-01", "2026-04-21T08:30:00Z"]],
    [november, { fromMs: Date.UTC(2026, 3, 1), toMs: Date.UTC(2026, 3, 11) }, ["2026-04-01", "2026-04-11"]],
    // Nothing has elapsed before it begins.
    [{ ...november, now: "2026-10-31" }, "previous", ["2026-10-01", "2026-10-01"]],
  ])("%j with %j", (asked, against, expected) => {
    expect(compared(asked, { with: against, ...byDate })).toEqual(expected);
  });

  test("and all of it counts when that is asked for", () => {
    expect(compared(november, { with: "previous", match: "date", partial: "full" })).toEqual([
      "2026-10-01",
      "2026-11-01",
    ]);
  });

  test("the window beside the running one is cut as it is", () => {
    const nowMs = Date.parse("2026-11-21T08:30:00Z");
    const asked = {
      fromMs: Date.UTC(2026, 10, 1),
      toMs: Date.UTC(2026, 11, 1),
      window: "day",
      anchor: 1,
      tz: "UTC",
    } as const;
    const { windows } = comparedRange(asked, { with: "previous", ...byDate }, nowMs);
    expect(windows).toHaveLength(21);
    expect(windows[20]).toEqual({
      startMs: Date.UTC(2026, 9, 21),
      endMs: Date.parse("2026-10-21T08:30:00Z"),
      isPartial: true,
    });
  });
});

test("the compared range never grows when less has elapsed, and lies within what the whole one would be", () => {
  const zones = ["UTC", "America/Chicago", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo"];
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: 0, max: 5000 }),
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 31 }),
      fc.constantFrom("previous", "year"),
      fc.constantFrom("date", "weekday"),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (tz, firstDay, days, anchor, against, match, one, other) => {
        const date = (day: number) => new Date(Date.UTC(2010, 0, 1 + day)).toISOString().slice(0, 10);
        const fromMs = resolveInstant(date(firstDay), tz, 0);
        const toMs = resolveInstant(date(firstDay + days), tz, 0);
        const asked = { fromMs, toMs, window: "total", anchor, tz } as const;
        const at = (share: number) =>
          comparedRange(asked, { with: against, match, partial: "same" }, fromMs + Math.floor(share * (toMs - fromMs)));
        const whole = comparedRange(asked, { with: against, match, partial: "full" }, fromMs);
        const [earlier, later] = [at(Math.min(one, other)), at(Math.max(one, other))];
        expect(earlier.fromMs).toBe(whole.fromMs);
        expect(later.toMs).toBeLessThanOrEqual(whole.toMs);
        expect(earlier.toMs).toBeGreaterThanOrEqual(whole.fromMs);
        // A clock that goes back shows an hour twice, and 29 February is the 28th again.
        const isRepeated = against === "year" && match === "date" ? 25 : 2;
        expect(earlier.toMs - later.toMs).toBeLessThanOrEqual(isRepeated * 3_600_000);
        if (against === "previous") expect(whole.toMs).toBeLessThanOrEqual(fromMs);
        if (against === "previous" && match === "date") expect(whole.toMs).toBe(fromMs);
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 300) },
  );
});

test("whole days before and back again are the same days", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("UTC", "America/Chicago", "America/Sao_Paulo", "Australia/Lord_Howe"),
      fc.integer({ min: 0, max: 5000 }),
      fc.integer({ min: 1, max: 27 }),
      (tz, firstDay, days) => {
        const start = (day: number) =>
          resolveInstant(new Date(Date.UTC(2010, 0, 1 + day)).toISOString().slice(0, 10), tz, 0);
        const asked = {
          fromMs: start(firstDay),
          toMs: start(firstDay + days),
          window: "total",
          anchor: 1,
          tz,
        } as const;
        const before = comparedRange(asked, { with: "previous", ...byDate }, asked.toMs);
        expect(before.fromMs).toBe(start(firstDay - days));
        expect(before.toMs).toBe(asked.fromMs);
      },
    ),
  );
});

test("differences and percents are exact, rounded half away from zero to 4 decimals, and null without a base", () => {
  expect(compareFigures("0.3", "0.1")).toEqual({ delta: "0.2", percent: 200 });
  expect(compareFigures("900719925474099.300000001", "0.1")).toEqual({
    delta: "900719925474099.200000001",
    percent: 900719925474099200,
  });
  expect(compareFigures(3, 7)).toEqual({ delta: -4, percent: -57.1429 });
  expect(compareFigures("1000000.5", "1000000")).toEqual({ delta: "0.5", percent: 0.0001 });
  expect(compareFigures("999999.5", "1000000")).toEqual({ delta: "-0.5", percent: -0.0001 });
  expect(compareFigures("5", "-10")).toEqual({ delta: "15", percent: 150 });
  expect(compareFigures(1e-7, 0)).toEqual({ delta: 1e-7, percent: null });
  expect(compareFigures("1", "0")).toEqual({ delta: "1", percent: null });
  expect(compareFigures(0, 0)).toEqual({ delta: 0, percent: null });
  expect(compareFigures(null, 2)).toEqual({ delta: null, percent: null });
  expect(compareFigures("2", null)).toEqual({ delta: null, percent: null });
});

test("a comparison is named in one of three ways, and anything else is refused", () => {
  expect(parseCompared("previous", "UTC", 0)).toBe("previous");
  expect(parseCompared("2026-01-01/now", "America/Chicago", 2e12)).toEqual({
    fromMs: Date.UTC(2026, 0, 1, 6),
    toMs: 2e12,
  });
  for (const text of [
    "last",
    "2026-01-01",
    "2026-01-01/",
    "2026-02-01/2026-01-01",
    "2026-01-01/2026-01-01",
    "a/b/c",
    "",
  ])
    expect(() => parseCompared(text, "UTC", 0), text).toThrow(InvalidTimeError);
});

test("the windows of a long range and what stands beside them are made in slices, between which others have their turn", async () => {
  const asked = {
    fromMs: Date.UTC(2026, 2, 1),
    toMs: Date.UTC(2026, 2, 1) + 19_000 * 60_000,
    window: "minute" as const,
    anchor: 1,
    tz: "America/New_York",
  };
  const how = { with: "previous", match: "date", partial: "full" } as const;
  let turns = 0;
  let isMade = false;
  const others = (async () => {
    for (; !isMade; turns++) await new Promise((resolve) => setImmediate(resolve));
  })();
  const compared = await comparedInSlices(pairingOf(asked, how, 0));
  isMade = true;
  await others;
  // The first turn is the one in which nothing was made yet, the last the one in which all was.
  expect(turns).toBeGreaterThan(2);
  expect(compared).toEqual(comparedRange(asked, how, 0));
  expect(compared.asked).toHaveLength(19_000);
});

test("a range with more windows than there may be is refused as what to compare with before any is made", () => {
  const asked = { fromMs: 0, toMs: 60_000, window: "minute" as const, anchor: 1, tz: "Europe/Berlin" };
  const span = { fromMs: Date.UTC(1900, 0, 1), toMs: Date.UTC(2199, 0, 1) };
  expect(() => pairingOf(asked, { with: span, match: "date", partial: "full" }, 0)).toThrow(InvalidTimeError);
});
