/**
 * What stands beside what, against a second way to say it: the windows of the compared range are named by what clocks and
 * calendars show (walked minute by minute through Intl), and two of the same name are partners.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WindowKind } from "../../../server/contract/usage.ts";
import { type Comparison, comparedRange } from "../../../server/metrics/comparison.ts";
import { formatInstant, resolveInstant } from "../../../server/metrics/windows.ts";
import { windowsBetween } from "../../support/windows-between.ts";

const zones = [
  "UTC",
  "America/Chicago",
  "Europe/Berlin",
  "Asia/Kathmandu",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "America/Sao_Paulo",
  "America/Havana",
  "America/St_Johns",
];
const date = (day: number) => new Date(Date.UTC(2010, 0, 1 + day)).toISOString().slice(0, 10);

interface Case {
  from: string;
  to: string;
  tz?: string;
  window?: WindowKind;
  anchor?: number;
  now?: string;
}

function pairs(
  { from, to, tz = "UTC", window = "day", anchor = 1, now = "2045-01-01" }: Case,
  against: Comparison["with"],
  partial: Comparison["partial"] = "same",
) {
  const nowMs = resolveInstant(now, tz, 0);
  const asked = { fromMs: resolveInstant(from, tz, nowMs), toMs: resolveInstant(to, tz, nowMs), window, anchor, tz };
  const compared = comparedRange(asked, { with: against, match: "date", partial }, nowMs);
  const windows = windowsBetween(asked.fromMs, asked.toMs, window, tz, anchor);
  return { asked, compared, windows };
}

/** Instants in short: dates without the time where it is the first of the date. */
function pairsOf(one: Case, against: Comparison["with"], partial?: Comparison["partial"]): (string | null)[][] {
  const { compared, windows } = pairs(one, against, partial);
  const tz = one.tz ?? "UTC";
  const text = (ms: number) => {
    const instant = formatInstant(ms, tz);
    return resolveInstant(instant.slice(0, 10), tz, 0) === ms ? instant.slice(5, 10) : instant.slice(5, 16);
  };
  return windows.map(({ startMs }, index) => {
    const partner = compared.partners[index];
    return [text(startMs), partner ? `${text(partner.startMs)} ${text(partner.endMs)}` : null];
  });
}

const clocks = new Map<string, Intl.DateTimeFormat>();
/** `2026-03-29 02:30`, as Intl has it. */
function shown(ms: number, tz: string): string {
  const clock =
    clocks.get(tz) ??
    new Intl.DateTimeFormat("sv-SE", { timeZone: tz, dateStyle: "short", timeStyle: "short", hourCycle: "h23" });
  clocks.set(tz, clock);
  return clock.format(ms);
}

/** The windows of a range by what is shown when they begin; the second of a name is another. */
function named(fromMs: number, toMs: number, window: WindowKind, tz: string): Map<string, [number, number]> {
  const names = new Map<string, [number, number]>();
  for (const { startMs, endMs } of windowsBetween(fromMs, toMs, window, tz)) {
    const name = window === "day" ? shown(startMs, tz).slice(0, 10) : shown(startMs, tz);
    names.set(names.has(name) ? `${name} again` : name, [startMs, endMs]);
  }
  return names;
}

function beside(name: string, months: number): string {
  const [year = 0, month = 0] = name.split("-").map(Number);
  const moved = year * 12 + month - 1 - months;
  return `${String(Math.floor(moved / 12)).padStart(4, "0")}-${String((moved % 12) + 1).padStart(2, "0")}${name.slice(7)}`;
}

describe("what has no partner stands beside nothing", () => {
  test("29 February has none in the year before, and what follows keeps its own date", () => {
    expect(pairsOf({ from: "2024-02-28", to: "2024-03-02" }, "year")).toEqual([
      ["02-28", "02-28 03-01"],
      ["02-29", null],
      ["03-01", "03-01 03-02"],
    ]);
    expect(pairs({ from: "2024-02-29", to: "2024-03-01" }, "year").compared).toMatchObject({
      hasAny: false,
      windows: [],
      partners: [undefined],
    });
    // Cycles from the 15th, a year before: still the same dates.
    const cycle = pairsOf({ from: "2024-02-15", to: "2024-03-15", anchor: 15 }, "year");
    expect(cycle.slice(14, 16)).toEqual([
      ["02-29", null],
      ["03-01", "03-01 03-02"],
    ]);
  });

  test("the end of March has none in February, and a quarter keeps its months apart", () => {
    const march = pairsOf({ from: "2026-03-01", to: "2026-04-01" }, "previous");
    expect(march.slice(27)).toEqual([
      ["03-28", "02-28 03-01"],
      ["03-29", null],
      ["03-30", null],
      ["03-31", null],
    ]);
    const spring = pairsOf({ from: "2026-04-01", to: "2026-07-01" }, "previous");
    expect(spring.slice(28, 31)).toEqual([
      ["04-29", "01-29 01-30"],
      ["04-30", "01-30 01-31"],
      ["05-01", "02-01 02-02"],
    ]);
    expect(pairsOf({ from: "2026-04-01", to: "2026-07-01", window: "month" }, "previous")).toEqual([
      ["04-01", "01-01 02-01"],
      ["05-01", "02-01 03-01"],
      ["06-01", "03-01 04-01"],
    ]);
  });

  test("an hour that clocks skip has none, one that comes twice is beside the first", () => {
    const tz = "Europe/Berlin";
    const after = pairsOf({ from: "2026-03-30", to: "2026-03-31", tz, window: "hour" }, "previous");
    expect(after.slice(1, 4)).toEqual([
      ["03-30T01:00", "03-29T01:00 03-29T03:00"],
      ["03-30T02:00", null],
      ["03-30T03:00", "03-29T03:00 03-29T04:00"],
    ]);
    const autumn = pairs({ from: "2026-10-25", to: "2026-10-26", tz, window: "hour" }, "previous");
    expect(autumn.windows).toHaveLength(25);
    expect(autumn.compared.partners.map((partner) => partner !== undefined).indexOf(false)).toBe(3);
    expect(autumn.compared.partners.filter(Boolean)).toHaveLength(24);
  });

  test("a day that a zone skipped has none", () => {
    const january = pairsOf({ from: "2012-01-01", to: "2012-02-01", tz: "Pacific/Apia" }, "previous");
    expect(january.slice(28)).toEqual([
      ["01-29", "12-29 12-31"],
      ["01-30", null],
      ["01-31", "12-31 01-01"],
    ]);
  });

  test("what has not begun has none until all of the compared range counts", () => {
    const running = { from: "2026-11-01", to: "2026-12-01", now: "2026-11-21T08:30:00Z" };
    const same = pairsOf(running, "previous");
    expect(same.slice(19, 22)).toEqual([
      ["11-20", "10-20 10-21"],
      ["11-21", "10-21 10-21T08:30"],
      ["11-22", null],
    ]);
    expect(pairsOf(running, "previous", "full").at(-1)).toEqual(["11-30", "10-30 10-31"]);
  });
});

test("cycles of the last day of each month stand beside whole ones, and their days at the same place in them", () => {
  const cycle = { from: "2026-01-31", to: "2026-03-31", anchor: 31 };
  expect(pairsOf({ ...cycle, window: "cycle" }, "previous")).toEqual([
    ["01-31", "11-30 12-31"],
    ["02-28", "12-31 01-31"],
  ]);
  const days = pairsOf(cycle, "previous");
  expect(days[0]).toEqual(["01-31", "11-30 12-01"]);
  expect(days[28]).toEqual(["02-28", "12-31 01-01"]);
  expect(days.at(-1)).toEqual(["03-30", "01-30 01-31"]);
});

test("weeks stand beside the same dates, another range beside what clocks showed as long after its start", () => {
  expect(pairsOf({ from: "2026-03-02", to: "2026-03-16", window: "week" }, "year")).toEqual([
    ["03-02", "03-02 03-09"],
    ["03-09", "03-09 03-16"],
  ]);
  const hours = { from: "2026-03-10T10:20:00Z", to: "2026-03-10T12:05:00Z", window: "hour" } as const;
  expect(pairsOf(hours, "previous")).toEqual([
    ["03-10T10:20", "03-10T08:35 03-10T09:15"],
    ["03-10T11:00", "03-10T09:15 03-10T10:15"],
    ["03-10T12:00", "03-10T10:15 03-10T10:20"],
  ]);
  const quarter = { fromMs: Date.UTC(2025, 9, 1), toMs: Date.UTC(2026, 0, 1) };
  expect(pairsOf({ from: "2026-04-01", to: "2026-07-01", window: "month" }, quarter)).toEqual([
    ["04-01", "10-01 11-01"],
    ["05-01", "11-01 12-01"],
    ["06-01", "12-01 01-01"],
  ]);
});

test("in whole months every day and hour stands beside the one of the same name, in every zone", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: 2001, max: 2027 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom("day", "hour"),
      fc.constantFrom("previous", "year"),
      (tz, year, month, months, window, against) => {
        const first = (count: number) => new Date(Date.UTC(year, month - 1 + count, 1)).toISOString().slice(0, 10);
        const { asked, compared, windows } = pairs({ from: first(0), to: first(months), tz, window }, against);
        const moved = against === "year" ? 12 : months;
        expect(compared.fromMs).toBe(resolveInstant(first(-moved), tz, 0));
        expect(compared.toMs).toBe(resolveInstant(first(months - moved), tz, 0));
        const theirs = named(compared.fromMs, compared.toMs, window, tz);
        const ours = [...named(asked.fromMs, asked.toMs, window, tz).keys()];
        const expected = ours.map((name) => theirs.get(beside(name, moved)));
        expect(windows).toHaveLength(ours.length);
        expect(compared.partners.map((one) => one && [one.startMs, one.endMs])).toEqual(expected);
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 60) },
  );
});

test("a year before, every day and hour of any days stands beside the one of the same name, in every zone", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: -3000, max: 6000 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom("day", "hour"),
      (tz, firstDay, days, window) => {
        const { asked, compared } = pairs({ from: date(firstDay), to: date(firstDay + days), tz, window }, "year");
        if (asked.fromMs === asked.toMs) return;
        const theirs = named(compared.fromMs, compared.toMs, window, tz);
        const ours = [...named(asked.fromMs, asked.toMs, window, tz).keys()];
        expect(compared.partners.map((one) => one && [one.startMs, one.endMs])).toEqual(
          ours.map((name) => theirs.get(beside(name, 12))),
        );
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 60) },
  );
});

test("partners follow each other inside the compared range, which the windows cover without a gap", () => {
  const kinds = ["hour", "day", "week", "month", "quarter", "year", "cycle", "total"] as const;
  const day = 86_400_000;
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.constantFrom(...kinds),
      fc.integer({ min: Date.UTC(2002, 0, 1), max: Date.UTC(2027, 0, 1) }),
      fc.integer({ min: 1, max: 100 * day }),
      fc.integer({ min: 1, max: 31 }),
      fc.constantFrom("previous", "year", "range"),
      fc.constantFrom("date", "weekday"),
      fc.constantFrom("same", "full"),
      fc.double({ min: -0.1, max: 1.2, noNaN: true }),
      fc.constantFrom(1, 60_000, 3_600_000, day),
      (tz, window, from, length, anchor, against, match, partial, elapsed, step) => {
        const fromMs = Math.floor(from / step) * step;
        const toMs = fromMs + Math.max(step, Math.floor(length / step) * step);
        const nowMs = Math.floor(fromMs + elapsed * (toMs - fromMs));
        const chosen = against === "range" ? { fromMs: fromMs - 2 * length, toMs: fromMs - length } : against;
        const asked = { fromMs, toMs, window, anchor, tz };
        const compared = comparedRange(asked, { with: chosen, match, partial }, nowMs);
        const found = compared.partners.filter((one) => one !== undefined);
        expect(compared.partners).toHaveLength(windowsBetween(fromMs, toMs, window, tz, anchor).length);
        for (const [index, one] of found.entries()) {
          expect(one.startMs).toBeLessThan(one.endMs);
          expect(one.startMs).toBeGreaterThanOrEqual(found[index - 1]?.endMs ?? compared.fromMs);
          expect(one.endMs).toBeLessThanOrEqual(compared.toMs);
        }
        let untilMs = compared.fromMs;
        for (const one of compared.windows) {
          expect(one.startMs).toBe(untilMs);
          untilMs = one.endMs;
        }
        expect(untilMs).toBe(compared.toMs);
        if (against === "previous") expect(compared.toMs).toBeLessThanOrEqual(fromMs);
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 300) },
  );
});
