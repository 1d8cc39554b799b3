import { describe, expect, it } from "vitest";
import { meters } from "../../../server/catalog/built-in-meters.ts";
import type { Meter } from "../../../server/catalog/meter.ts";
import type { ReportSection } from "../../../server/contract/reports.ts";
import type { MeterUsage, UsageAnswer } from "../../../server/contract/usage.ts";
import { activitySections } from "../../../server/reports/build/activity.ts";
import { customSections } from "../../../server/reports/build/custom.ts";
import { isEmptyDocument } from "../../../server/reports/build/key-figures.ts";
import { usageSections } from "../../../server/reports/build/usage.ts";

const meter = meters.find((one) => one.meter === "call_minutes") as Meter;
const [start, end] = ["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"];

/** A day with `value`, after one with 12. */
function answer(value: string, name = meter.meter): UsageAnswer {
  const point = { start, end, value, partial: false };
  const before = { start: "2026-03-01T00:00:00Z", end: start, value: "12", partial: false };
  const beside = {
    total: "12",
    delta: String(Number(value) - 12),
    percent: null,
    series: [{ ...before, against: start }],
  };
  const usage = { meter: name, unit: "minutes", total: value, series: [point], groups: [], comparison: beside };
  const head = { from: start, to: end, tz: "UTC", window: "day", watermark: end, node: "all" };
  return { ...head, meters: [usage as unknown as MeterUsage] } as UsageAnswer;
}

function usageReport(value: string): ReportSection[] {
  const asked = answer(value);
  const row = { rank: 1, key: "organization:acme", name: "Acme", total: value, share: null };
  const rows = [{ ...row, previous_total: "12", previous_rank: 1, change: null }] as never;
  const ranks = [{ dimension: "organization", title: "Top organizations", rows }];
  return usageSections({ meters: [meter], previous: asked, year: asked, days: asked, months: asked, ranks });
}

function activityReport(value: string): ReportSection[] {
  const adoption = [{ feature: "recording", title: "Recording", organizations: 0, share: 0, new: 0, ever: 7 }] as never;
  return activitySections({ meters: [meter], whole: answer(value), days: answer(value), splits: [], adoption });
}

describe("a report is empty", () => {
  it.each([
    ["usage", usageReport],
    ["activity", activityReport],
  ])("of %s where nothing was used in its period, whatever was before", (_kind, sections) => {
    expect(isEmptyDocument({ sections: sections("0") })).toBe(true);
    expect(isEmptyDocument({ sections: sections("0.000001") })).toBe(false);
  });

  it("not where a meter that is named as a comparison counted something", () => {
    const change = { ...meter, meter: "change" };
    const sections = (value: string) =>
      customSections({
        meters: [change],
        usage: answer(value, "change"),
        groupBy: undefined,
        nameOf: undefined,
      }).filter(({ id }) => id === "series");
    expect(isEmptyDocument({ sections: sections("0") })).toBe(true);
    expect(isEmptyDocument({ sections: sections("3") })).toBe(false);
  });
});
