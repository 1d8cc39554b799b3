import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { MeterSummary } from "../../../server/contract/meters.ts";
import type { UsageAnswer } from "../../../server/contract/usage.ts";
import { parseComparison } from "../../../server/contract/usage-question.ts";
import { breakdownRows } from "../../../web/src/charts/breakdown.ts";
import { chartContent, chartSummary, panelsOf, windowTitle } from "../../../web/src/charts/chart-content.ts";
import { changeOf, readoutOf, sayReadout, windowAt } from "../../../web/src/charts/readout.ts";
import { compareFigures, formatSort, parseSort, usageRows, usualSort } from "../../../web/src/charts/usage-table.ts";
import { formatComparison } from "../../../web/src/state/comparison.ts";
import { firstEventCommand, quoted } from "../../../web/src/words/curl-line.ts";
import {
  exactText,
  formatAge,
  formatExact,
  formatFigure,
  formatMoment,
  formatRunning,
  withUnit,
} from "../../../web/src/words/format.ts";

describe("a figure", () => {
  it("keeps every digit of a decimal that no float can hold", () => {
    expect(formatExact("9007199254740993.123456")).toBe("9,007,199,254,740,993.123456");
  });

  it("has one decimal in tables when it is an amount, none when it is a count, a dash when there is none", () => {
    expect([formatFigure("1234.56"), formatFigure("3"), formatFigure(1234), formatFigure(null)]).toEqual([
      "1,234.6",
      "3.0",
      "1,234",
      "–",
    ]);
  });

  it("says all its digits, and in hours too what lasted an hour or more", () => {
    const said = [
      exactText("1234.567891", "minutes"),
      exactText("59.9", "minutes"),
      exactText("-90.5", "minutes"),
      exactText("3600", "seconds"),
      exactText(5_000, "count"),
      exactText(null, "minutes"),
    ];
    expect(said).toEqual([
      "1,234.567891 minutes (20 h 34 min)",
      "59.9 minutes",
      "-90.5 minutes (-1 h 30 min)",
      "3,600 seconds (1 h 0 min)",
      "5,000",
      "– minutes",
    ]);
  });

  it("carries its unit, in the singular for one", () => {
    expect([withUnit("1", "minutes"), withUnit("2.5", "minutes"), withUnit("7", "count")]).toEqual([
      "1 minute",
      "2.5 minutes",
      "7",
    ]);
  });

  it("is compared as the decimal that it is", () => {
    expect(compareFigures("9007199254740993.1", "9007199254740993.2")).toBe(-1);
    expect(compareFigures("9.5", "10")).toBe(-1);
    expect(compareFigures("1.50", "1.5")).toBe(0);
    expect(compareFigures("-2", "1")).toBe(-1);
    expect(compareFigures(null, "0")).toBe(-1);
  });
});

it("ages and running times are in their largest unit", () => {
  expect([0, 999, 2_400, 59_999, 60_000, 7_200_000, 200_000_000].map(formatAge)).toEqual([
    "now",
    "now",
    "2 s",
    "59 s",
    "1 min",
    "2 h",
    "2 d",
  ]);
  expect([-5, 42_000, 725_000, 11_220_000, 180_000_000].map(formatRunning)).toEqual([
    "0:00",
    "0:42",
    "12:05",
    "3 h 07",
    "2 d 2 h",
  ]);
});

const meterOf = (meter: string, title: string, unit: string, addsUp = false): MeterSummary => ({
  meter,
  title,
  unit,
  description: "",
  dimensions: [],
  adds_up: addsUp,
  rule: "",
  types: [],
  freshness: "",
  version: null,
  node: null,
});
const meters = [
  meterOf("participation_minutes", "Participation minutes", "minutes", true),
  meterOf("max_concurrent_participants", "Peak participants", "count"),
];
const day = (date: number) => `2026-03-0${date}T00:00:00Z`;
const noon = "2026-03-03T12:00:00Z";
const answer: UsageAnswer = {
  node: "all",
  from: day(1),
  to: noon,
  tz: "UTC",
  window: "day",
  watermark: noon,
  meters: [
    {
      meter: "participation_minutes",
      unit: "minutes",
      total: "35.25",
      series: [
        { start: day(1), end: day(2), value: "10", partial: false },
        { start: day(2), end: day(3), value: "20.25", partial: false },
        { start: day(3), end: noon, value: "5", partial: true },
      ],
    },
    {
      meter: "max_concurrent_participants",
      unit: "count",
      total: 9,
      at: day(1),
      series: [
        { start: day(1), end: day(2), value: 9, partial: false },
        { start: day(2), end: day(3), value: 3, partial: false },
        { start: day(3), end: noon, value: 3, partial: true },
      ],
    },
  ],
};
const now = Date.parse(noon) + 1_000;

describe("the table", () => {
  it("starts with the newest window and marks the one that is still running", () => {
    const rows = usageRows(answer, usualSort, now);
    expect(rows.map(({ point }) => point.start)).toEqual([day(3), day(2), day(1)]);
    expect(rows.map(({ note }) => note)).toEqual(["so far", "", ""]);
    expect(rows[0]?.figures).toEqual(["5", 3]);
  });

  it("sorts by a meter either way, and leaves the answer as it is", () => {
    const starts = (sort: string) => usageRows(answer, parseSort(sort), now).map(({ point }) => point.start);
    expect(starts("participation_minutes")).toEqual([day(3), day(1), day(2)]);
    expect(starts("-max_concurrent_participants")).toEqual([day(1), day(3), day(2)]);
    expect(answer.meters[0]?.series[0]?.start).toBe(day(1));
  });

  it("marks a window that a person cut as a part, not as running", () => {
    const old = usageRows(answer, usualSort, now + 7 * 24 * 60 * 60_000);
    expect(old[0]?.note).toBe("part");
  });

  it("writes its order into the address and reads it back", () => {
    for (const sort of [usualSort, { by: "start", isAscending: true }, { by: "sessions", isAscending: false }])
      expect(parseSort(formatSort(sort))).toEqual(sort);
  });
});

describe("a comparison", () => {
  const earlier = (date: number) => `2026-02-2${date}T00:00:00Z`;
  const compared: UsageAnswer = {
    ...answer,
    meters: answer.meters.slice(0, 1).map((meter) => ({
      ...meter,
      comparison: {
        from: earlier(5),
        to: earlier(8),
        total: "7",
        delta: "28.25",
        percent: 403.5714,
        series: [
          // Two of three: of the last window nothing stands beside the running one.
          { start: earlier(6), end: earlier(7), value: "3", partial: false, against: day(2) },
          { start: earlier(5), end: earlier(6), value: "4", partial: false, against: "2026-03-01T01:00:00+01:00" },
        ],
      },
    })),
  };

  it("stands beside the window that the server says, whatever the order and the offset", () => {
    const rows = usageRows(compared, { by: "start", isAscending: true }, now);
    expect(rows.map((row) => row.compared[0]?.value ?? null)).toEqual(["4", "3", null]);
    expect(usageRows(answer, usualSort, now)[0]?.compared).toEqual([null, null]);
  });

  it("is drawn and shown beside its meter, and nothing is without one", () => {
    const [series] = chartContent(compared, meters, now).series;
    expect(series?.compared.map((point) => point?.value ?? null)).toEqual(["4", "3", null]);
    const content = chartContent(compared, meters, now);
    expect(content.comparedName).toBe("25 – 27 Feb 2026");
    expect(readoutOf(content, 0)).toMatchObject({
      title: "Sun, 1 Mar 2026",
      comparedTitle: "Wed, 25 Feb 2026",
      rows: [{ text: "10.0 minutes", before: "4.0 minutes", change: { direction: 1, text: "+150%" } }],
    });
    expect(readoutOf(content, 2).rows[0]).toMatchObject({ before: "nothing to compare", change: undefined });
    expect(chartContent(answer, meters, now).series.map((one) => one.compared)).toEqual([[], []]);
    expect(chartSummary(compared, meters)).toContain("25 – 27 Feb 2026: 7.0 minutes");
  });

  it("is written into the address and read back", () => {
    for (const comparison of [
      undefined,
      { to: "previous", byWeekday: true },
      { to: "year", byWeekday: false },
    ] as const) {
      const { compare, match } = formatComparison(comparison);
      expect(parseComparison(compare, match)).toEqual(comparison);
    }
    expect(parseComparison("nonsense", undefined)).toBeUndefined();
  });
});

describe("a breakdown", () => {
  const groupsOf = (meter: string, groups: [key: string, total: string, share: number][]) => ({
    meter,
    unit: "minutes",
    total: String(groups.reduce((sum, [, total]) => sum + Number(total), 0)),
    series: [],
    groups: groups.map(([key, total, share]) => ({ key, total, share, series: [] })),
  });

  it("shares out one meter alone: the first with any usage", () => {
    const rows = breakdownRows({
      meters: [
        groupsOf("a", []),
        groupsOf("b", [
          ["u1", "3", 0.75],
          ["u2", "1", 0.25],
        ]),
        groupsOf("c", [["u3", "5", 1]]),
      ],
    });
    expect(rows.map(({ key, share }) => [key, share])).toEqual([
      ["u1", 0.75],
      ["u2", 0.25],
      ["u3", null],
    ]);
  });

  it("shows a group of less than nothing beside the shares that it makes larger", () => {
    const groups: [string, string, number][] = [
      ["u1", "7", 3.5],
      ["u2", "-5", -2.5],
      ["u3", "0", 0],
    ];
    expect(breakdownRows({ meters: [groupsOf("a", groups)] }).map(({ key }) => key)).toEqual(["u1", "u2"]);
  });
});

describe("the chart", () => {
  it("draws a meter by what it is and not by its name: one that a user made, and one that is not known yet", () => {
    const [minutes, peak] = meters as [MeterSummary, MeterSummary];
    const kinds = (all: readonly MeterSummary[]) => chartContent(answer, all, now).series.map(({ kind }) => kind);
    expect(
      kinds([
        { ...minutes, adds_up: false },
        { ...peak, adds_up: true },
      ]),
    ).toEqual(["line", "bar"]);
    expect(kinds([])).toEqual(["line", "line"]);
  });

  it("draws sums as bars and what does not add up as lines", () => {
    const { series, notes } = chartContent(answer, meters, now);
    expect(series.map(({ kind }) => kind)).toEqual(["bar", "line"]);
    expect([0, 1, 2].map((window) => series[0]?.textOf(window))).toEqual([
      "10.0 minutes",
      "20.3 minutes",
      "5.0 minutes",
    ]);
    expect(notes).toEqual(["", "", "so far"]);
  });

  it("keeps a meter's colour when it is shown alone", () => {
    const alone = chartContent(answer, meters, now, { only: "max_concurrent_participants" });
    const both = chartContent(answer, meters, now);
    expect(alone.series.map(({ key, look }) => ({ key, look }))).toEqual([
      { key: "max_concurrent_participants", look: both.series[1]?.look },
    ]);
  });

  it("says of a window all values with their units, and the zone", () => {
    const content = chartContent(answer, meters, now);
    expect(windowAt(content, Date.parse("2026-03-02T13:00:00Z"))).toBe(1);
    expect(windowAt(content, Date.parse("2026-03-09T13:00:00Z"))).toBe(-1);
    expect(sayReadout(content, 2)).toBe(
      "Tue, 3 Mar 2026, UTC, so far. Participation minutes: 5.0 minutes; Peak participants: 3.",
    );
    expect(sayReadout(content, 0, "max_concurrent_participants")).toBe("Sun, 1 Mar 2026, UTC. Peak participants: 9.");
  });

  it("shows what is not known as a gap, and says so", () => {
    const [minutes] = answer.meters;
    const series = minutes?.series.map((point, place) => (place === 1 ? { ...point, value: null } : point)) ?? [];
    const content = chartContent({ ...answer, meters: minutes ? [{ ...minutes, series }] : [] }, meters, now);
    expect(content.series[0]?.values).toEqual([10, null, 5]);
    expect(readoutOf(content, 1).rows[0]).toMatchObject({ text: "no data", change: undefined });
  });

  it("shows a change by sign and size, and never one from nothing in percent", () => {
    expect(changeOf(9, 12)).toEqual({ direction: -1, text: "−25%" });
    expect(changeOf(3, 0)).toEqual({ direction: 1, text: "new" });
    expect(changeOf(0, 0)).toEqual({ direction: 0, text: "±0%" });
    expect(changeOf(null, 3)).toBeUndefined();
  });

  it("is drawn in parts, one a series, where units or series are too many for one", () => {
    const many = (count: number, unitOf: (place: number) => string): UsageAnswer => ({
      ...answer,
      meters: Array.from({ length: count }, (_, place) => ({
        meter: `m${place}`,
        unit: unitOf(place),
        total: 0,
        series: answer.meters[0]?.series ?? [],
      })),
    });
    const parts = (count: number, unitOf: (place: number) => string) =>
      panelsOf(chartContent(many(count, unitOf), [], now)).length;
    expect([parts(6, () => "count"), parts(7, () => "count")]).toEqual([1, 7]);
    expect([parts(3, (place) => `u${place}`), parts(4, (place) => `u${place}`)]).toEqual([1, 4]);
  });

  it("is said in words, with totals that are the answer's and not sums", () => {
    expect(chartSummary(answer, meters)).toBe(
      "Participation minutes: 35.3 minutes in total; highest: Mon, 2 Mar 2026. Peak participants: 9 over the range; highest: Sun, 1 Mar 2026.",
    );
  });

  it("says what corrections made less than nothing", () => {
    const [minutes] = answer.meters;
    const series = (minutes?.series ?? []).map((point, place) => ({ ...point, value: place === 1 ? "-5" : null }));
    const below = { ...answer, meters: [{ meter: "call_minutes", unit: "minutes", total: "-5", series }] };
    expect(chartSummary(below, meters)).toContain("-5.0 minutes");
  });

  it("names windows on the clock of the answer's zone", () => {
    const point = { start: "2026-03-01T05:30:00+05:30", end: day(2), value: 1, partial: false };
    expect(windowTitle(point, "hour", "Asia/Kolkata")).toBe("Sun, 1 Mar 2026, 05:30");
  });
});

describe("the first event's command", () => {
  it("is one command whose words a shell reads as they were meant, quotes included", () => {
    const nasty = `it's "$HOME" \`id\` \\ !`;
    expect(execFileSync("/bin/sh", ["-c", `printf %s ${quoted(nasty)}`]).toString()).toBe(nasty);
  });

  it("sends a participant who joins, with the key, to this page's origin", () => {
    const command = firstEventCommand({
      origin: "http://localhost:8080",
      key: "tm_secret",
      organization: "o'brien",
      eventId: "e1",
      sessionId: "s1",
    });
    const words = execFileSync("/bin/sh", ["-c", command.replace(/^curl/, "printf '%s\\n'")])
      .toString()
      .split("\n");
    expect(words).toContain("http://localhost:8080/v1/events");
    expect(words).toContain("Authorization: Bearer tm_secret");
    const body = words.find((word) => word.startsWith("{")) ?? "";
    expect(JSON.parse(body)).toEqual({
      id: "e1",
      type: "participant.joined",
      organization: "o'brien",
      session: "s1",
      room: "daily",
      user: "ada",
    });
  });
});

it("tells apart the two hours of a day on which clocks are put back, and leaves every other time as it is", () => {
  expect(formatMoment("2026-10-24T23:59:00Z", "Europe/Berlin")).toBe("25 Oct 2026, 01:59");
  expect(formatMoment("2026-10-25T00:00:00Z", "Europe/Berlin")).toBe("25 Oct 2026, 02:00 UTC+2");
  expect(formatMoment("2026-10-25T01:59:00Z", "Europe/Berlin")).toBe("25 Oct 2026, 02:59 UTC+1");
  expect(formatMoment("2026-10-25T02:00:00Z", "Europe/Berlin")).toBe("25 Oct 2026, 03:00");
  expect(formatMoment("2026-03-29T01:00:00Z", "Europe/Berlin")).toBe("29 Mar 2026, 03:00");
  expect(formatMoment("2026-04-04T14:45:00Z", "Australia/Lord_Howe")).toBe("5 Apr 2026, 01:45 UTC+11");
  expect(formatMoment("2026-04-04T15:15:00Z", "Australia/Lord_Howe")).toBe("5 Apr 2026, 01:45 UTC+10:30");
  expect(formatMoment("2026-10-25T01:00:00Z", "UTC")).toBe("25 Oct 2026, 01:00");
  const point = (start: string) => ({ start, end: start, value: 1, partial: false });
  const titles = ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"].map((start) =>
    windowTitle(point(start), "hour", "Europe/Berlin"),
  );
  expect(titles).toEqual(["Sun, 25 Oct 2026, 02:00 UTC+2", "Sun, 25 Oct 2026, 02:00 UTC+1"]);
});
