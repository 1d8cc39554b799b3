import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WindowKind } from "../../../server/contract/usage.ts";
import { cycleContaining, formatInstant, resolveInstant } from "../../../server/metrics/windows.ts";
import { windowsBetween } from "../../support/windows-between.ts";

/** The expected instants were taken from the IANA database by a program apart from this one (Python's zoneinfo). */
describe("each day is the span between two first instants of a date, whatever its zone's clocks do", () => {
  test.each([
    ["America/Chicago", "2026-03-08", "2026-03-08T06:00Z", "2026-03-09T05:00Z"],
    ["America/Chicago", "2026-11-01", "2026-11-01T05:00Z", "2026-11-02T06:00Z"],
    ["Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z", "2026-03-29T22:00Z"],
    ["Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z", "2026-10-25T23:00Z"],
    ["Asia/Kolkata", "2026-03-29", "2026-03-28T18:30Z", "2026-03-29T18:30Z"],
    ["Asia/Kathmandu", "2026-10-25", "2026-10-24T18:15Z", "2026-10-25T18:15Z"],
    ["Australia/Adelaide", "2026-04-05", "2026-04-04T13:30Z", "2026-04-05T14:30Z"],
    ["Australia/Adelaide", "2026-10-04", "2026-10-03T14:30Z", "2026-10-04T13:30Z"],
    ["Pacific/Chatham", "2026-04-05", "2026-04-04T10:15Z", "2026-04-05T11:15Z"],
    ["Pacific/Chatham", "2026-09-27", "2026-09-26T11:15Z", "2026-09-27T10:15Z"],
    ["Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00Z", "2026-04-05T13:30Z"],
    ["Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30Z", "2026-10-04T13:00Z"],
    ["Pacific/Apia", "2011-12-29", "2011-12-29T10:00Z", "2011-12-30T10:00Z"],
    ["Pacific/Apia", "2011-12-31", "2011-12-30T10:00Z", "2011-12-31T10:00Z"],
    // Midnight is skipped: the day starts at 01:00.
    ["America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00Z", "2017-10-16T02:00Z"],
    ["America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00Z", "2018-02-18T03:00Z"],
    ["Africa/Cairo", "2026-04-24", "2026-04-23T22:00Z", "2026-04-24T21:00Z"],
    ["Africa/Cairo", "2026-10-29", "2026-10-28T21:00Z", "2026-10-29T22:00Z"],
    ["Asia/Beirut", "2026-03-29", "2026-03-28T22:00Z", "2026-03-29T21:00Z"],
    ["Asia/Beirut", "2026-10-24", "2026-10-23T21:00Z", "2026-10-24T22:00Z"],
    // Midnight comes twice: the first one starts the day.
    ["America/Havana", "2026-03-08", "2026-03-08T05:00Z", "2026-03-09T04:00Z"],
    ["America/Havana", "2026-11-01", "2026-11-01T04:00Z", "2026-11-02T05:00Z"],
    // Clocks went back at a minute past midnight, so the date before came back for an hour.
    ["America/St_Johns", "2006-10-28", "2006-10-28T02:30Z", "2006-10-29T02:30Z"],
    ["America/St_Johns", "2006-10-29", "2006-10-29T02:30Z", "2006-10-30T03:30Z"],
    // Changes of two and three hours, and of half an hour just before midnight.
    ["Antarctica/Troll", "2026-03-29", "2026-03-29T00:00Z", "2026-03-29T22:00Z"],
    ["Antarctica/Troll", "2026-10-25", "2026-10-24T22:00Z", "2026-10-26T00:00Z"],
    ["Antarctica/Casey", "2016-10-22", "2016-10-21T16:00Z", "2016-10-22T13:00Z"],
    ["Asia/Pyongyang", "2018-05-04", "2018-05-03T15:30Z", "2018-05-04T15:00Z"],
    ["Africa/Casablanca", "2026-02-15", "2026-02-14T23:00Z", "2026-02-16T00:00Z"],
  ])("%s on %s", (tz, date, start, end) => {
    const startMs = resolveInstant(date, tz, 0);
    expect(startMs).toBe(Date.parse(start));
    const [day, next] = windowsBetween(startMs, Date.parse(end) + 1, "day", tz);
    expect(day).toEqual({ startMs, endMs: Date.parse(end), isPartial: false });
    expect(next).toEqual({ startMs: Date.parse(end), endMs: Date.parse(end) + 1, isPartial: true });
  });
});

describe("longer windows are as many hours as the clock changes in them make them", () => {
  test.each<[string, WindowKind, string, string, number]>([
    ["America/Chicago", "month", "2026-03-01", "2026-04-01", 743],
    ["America/Chicago", "month", "2026-11-01", "2026-12-01", 721],
    ["Australia/Lord_Howe", "month", "2026-04-01", "2026-05-01", 720.5],
    ["Pacific/Apia", "month", "2011-12-01", "2012-01-01", 720],
    ["Europe/Berlin", "quarter", "2026-01-01", "2026-04-01", 2159],
    ["Europe/Berlin", "quarter", "2026-10-01", "2027-01-01", 2209],
    ["Africa/Cairo", "quarter", "2026-04-01", "2026-07-01", 2183],
    ["Pacific/Apia", "quarter", "2011-10-01", "2012-01-01", 2184],
    ["Europe/Berlin", "year", "2026-01-01", "2027-01-01", 8760],
    ["Pacific/Apia", "year", "2011-01-01", "2012-01-01", 8736],
    ["Asia/Kathmandu", "year", "2028-01-01", "2029-01-01", 8784],
    ["Pacific/Apia", "week", "2011-12-26", "2012-01-02", 144],
    ["Antarctica/Troll", "week", "2026-03-23", "2026-03-30", 166],
    ["Antarctica/Troll", "week", "2026-10-19", "2026-10-26", 170],
    ["Pacific/Chatham", "week", "2026-09-21", "2026-09-28", 167],
    ["America/Sao_Paulo", "week", "2017-10-09", "2017-10-16", 167],
    ["America/Chicago", "cycle", "2026-02-15", "2026-03-15", 671],
    ["Pacific/Apia", "cycle", "2011-12-15", "2012-01-15", 720],
  ])("%s, a %s from %s to %s", (tz, kind, from, to, hours) => {
    const [startMs, endMs] = [resolveInstant(from, tz, 0), resolveInstant(to, tz, 0)];
    expect(windowsBetween(startMs, endMs, kind, tz, 15)).toEqual([{ startMs, endMs, isPartial: false }]);
    expect(endMs - startMs).toBe(hours * 3_600_000);
  });
});

describe("a billing cycle begins on its anchor, on the last day of months that lack it, and never drifts", () => {
  const starts = (from: string, to: string, tz: string, anchor: number) =>
    windowsBetween(resolveInstant(from, tz, 0), resolveInstant(to, tz, 0), "cycle", tz, anchor).map(({ startMs }) =>
      formatInstant(startMs, tz),
    );

  test.each([
    [31, "2026-01-31", ["01-31", "02-28", "03-31", "04-30", "05-31", "06-30"]],
    [30, "2026-01-30", ["01-30", "02-28", "03-30", "04-30", "05-30", "06-30"]],
    [29, "2026-01-29", ["01-29", "02-28", "03-29", "04-29", "05-29", "06-29"]],
    [29, "2028-01-29", ["01-29", "02-29", "03-29", "04-29", "05-29", "06-29"]],
    [15, "2026-01-15", ["01-15", "02-15", "03-15", "04-15", "05-15", "06-15"]],
    [1, "2026-01-01", ["01-01", "02-01", "03-01", "04-01", "05-01", "06-01"]],
  ])("anchor %i from %s", (anchor, from, dates) => {
    const year = from.slice(0, 4);
    const found = starts(from, `${year}-07-01`, "UTC", anchor).slice(0, 6);
    expect(found).toEqual(dates.map((date) => `${year}-${date}T00:00:00Z`));
  });

  test("a range that begins inside a cycle has the rest of it first, whatever the length of its month", () => {
    expect(starts("2026-02-10", "2026-05-01", "UTC", 31)).toEqual([
      "2026-02-10T00:00:00Z",
      "2026-02-28T00:00:00Z",
      "2026-03-31T00:00:00Z",
      "2026-04-30T00:00:00Z",
    ]);
    expect(starts("2026-01-01", "2026-02-01", "UTC", 31)).toEqual(["2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z"]);
  });

  test("an anchor day that the zone skipped, or that starts at one o'clock, begins with its first instant", () => {
    expect(starts("2011-12-01", "2012-02-01", "Pacific/Apia", 30)[1]).toBe("2011-12-31T00:00:00+14:00");
    expect(starts("2017-10-01", "2017-11-01", "America/Sao_Paulo", 15)[1]).toBe("2017-10-15T01:00:00-02:00");
  });

  test.each([
    ["America/Chicago", 31, "2026-03-30T23:59:59-05:00", "2026-02-28", "2026-03-31"],
    ["America/Chicago", 31, "2026-03-31T00:00:00-05:00", "2026-03-31", "2026-04-30"],
    ["Asia/Kathmandu", 31, "2028-02-28T23:59:59+05:45", "2028-01-31", "2028-02-29"],
    ["UTC", 1, "2026-12-31T23:59:59Z", "2026-12-01", "2027-01-01"],
    ["UTC", 15, "2027-01-14T23:59:59Z", "2026-12-15", "2027-01-15"],
    // The second 23:30 of the 28th comes after the 29th has begun.
    ["America/St_Johns", 29, "2006-10-29T03:00:00Z", "2006-10-29", "2006-11-29"],
    ["Pacific/Apia", 30, "2011-12-30T10:00:00Z", "2011-12-30", "2012-01-30"],
  ])("in %s with anchor %i, %s lies in the cycle from %s to %s", (tz, anchor, at, from, to) => {
    expect(cycleContaining(resolveInstant(at, tz, 0), tz, anchor)).toEqual({
      startMs: resolveInstant(from, tz, 0),
      endMs: resolveInstant(to, tz, 0),
    });
  });
});

const zones = [
  "UTC",
  "America/Chicago",
  "Europe/Berlin",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Australia/Adelaide",
  "Australia/Lord_Howe",
  "Pacific/Chatham",
  "Pacific/Apia",
  "America/Sao_Paulo",
  "America/Havana",
  "America/St_Johns",
  "Asia/Beirut",
  "Africa/Cairo",
  "Antarctica/Troll",
  "Antarctica/Casey",
];
const dayMs = 86_400_000;
/** Each kind with the longest range that is drawn for it, in days. */
const kinds: [WindowKind, number][] = [
  ["minute", 0.1],
  ["hour", 5],
  ["day", 40],
  ["week", 150],
  ["month", 500],
  ["quarter", 900],
  ["year", 2000],
  ["cycle", 500],
];

/** By the platform's own calendar, apart from the library that the windows are computed with. */
function localDate(ms: number, tz: string): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: tz, dateStyle: "short" }).format(ms);
}

test("windows tile any range, and each boundary inside is the first instant of a date that the kind begins on", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.constantFrom(...zones),
      fc.integer({ min: 1, max: 31 }),
      fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2030, 0, 1) }),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      ([kind, days], tz, anchor, fromMs, share) => {
        const toMs = fromMs + Math.ceil(share * days * dayMs);
        const windows = windowsBetween(fromMs, toMs, kind, tz, anchor);
        expect(windows.map(({ startMs }) => startMs)).toEqual([
          fromMs,
          ...windows.slice(0, -1).map(({ endMs }) => endMs),
        ]);
        expect(windows.at(-1)?.endMs).toBe(toMs);
        for (const { startMs, endMs } of windows) expect(endMs).toBeGreaterThan(startMs);
        for (const { startMs } of windows.slice(1)) {
          if (kind === "minute" || kind === "hour") continue;
          const [before, date] = [localDate(startMs - 1, tz), localDate(startMs, tz)];
          expect(before < date, `${before} comes before ${date} in ${tz}`).toBe(true);
          // A skipped date begins where the next one does.
          const begun = kind === "day" ? [date] : datesAfter(before, date);
          expect(begun.some((one) => beginsOn(one, kind, anchor))).toBe(true);
        }
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 300) },
  );
});

test("the cycle that holds an instant is the window of a cycle around it", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: 1, max: 31 }),
      fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2030, 0, 1) }),
      (tz, anchor, ms) => {
        const { startMs, endMs } = cycleContaining(ms, tz, anchor);
        expect(startMs <= ms && ms < endMs).toBe(true);
        expect(windowsBetween(startMs, endMs, "cycle", tz, anchor)).toEqual([{ startMs, endMs, isPartial: false }]);
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 300) },
  );
});

function datesAfter(before: string, date: string): string[] {
  const dates: string[] = [];
  for (let ms = Date.parse(before) + dayMs; ms <= Date.parse(date); ms += dayMs)
    dates.push(new Date(ms).toISOString().slice(0, 10));
  return dates;
}

function beginsOn(date: string, kind: WindowKind, anchor: number): boolean {
  const [year = 0, month = 0, day = 0] = date.split("-").map(Number);
  switch (kind) {
    case "week":
      return new Date(date).getUTCDay() === 1;
    case "month":
      return day === 1;
    case "quarter":
      return day === 1 && month % 3 === 1;
    case "year":
      return day === 1 && month === 1;
    case "cycle":
      return day === Math.min(anchor, new Date(Date.UTC(year, month, 0)).getUTCDate());
    default:
      return true;
  }
}
