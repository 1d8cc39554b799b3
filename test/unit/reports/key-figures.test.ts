import { describe, expect, it } from "vitest";
import { meters } from "../../../server/catalog/built-in-meters.ts";
import type { Meter } from "../../../server/catalog/meter.ts";
import type { ReportCell, ReportKind, ReportSection } from "../../../server/contract/reports.ts";
import type { MeterUsage, UsageAnswer } from "../../../server/contract/usage.ts";
import { activitySections } from "../../../server/reports/build/activity.ts";
import { customSections } from "../../../server/reports/build/custom.ts";
import { isEmptyDocument, keyFigures } from "../../../server/reports/build/key-figures.ts";
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

describe("what a mail shows of a report first", () => {
  const shown = (kind: ReportKind, ...sections: ReportSection[]) =>
    keyFigures({ kind, sections }).map(({ label, value }) => `${label}: ${value}`);
  const table = (
    id: string,
    keys: readonly string[],
    rows: ReportCell[][],
    totals: ReportCell[] = [],
  ): ReportSection => ({
    id,
    title: "Organizations",
    rows,
    totals,
    columns: keys.map((key) => ({ key, title: key, unit: null, type: "text" })),
  });

  it("are totals by the names of their meters, with units where they have one", () => {
    expect(shown("usage", ...usageReport("42.5"))).toEqual([`${meter.title}: 42.5 minutes`]);
    const counted = table("totals", ["meter", "title", "unit", "total"], [["documents", "Documents", "count", "7"]]);
    expect(shown("custom", counted)).toEqual(["Documents: 7"]);
  });

  it("are money with its currency, never a count of statements", () => {
    const revenue = table("revenue", ["level", "currency", "statements", "total"], [["reseller", "EUR", 3, "30.00"]]);
    const payments = table(
      "payments",
      ["payment_status", "currency", "statements", "total"],
      [["open", "USD", 1, "5.00"]],
    );
    expect(shown("billing", revenue, payments)).toEqual([
      "Revenue from resellers: 30.00 EUR",
      "Statements that are open: 5.00 USD",
    ]);
    const sellers = table(
      "sellers",
      ["name", "currency", "margin"],
      [
        ["Told", "EUR", "31.10"],
        ["None", "EUR", null],
      ],
    );
    expect(shown("financial", sellers)).toEqual(["Margin of Told: 31.10 EUR"]);
  });

  it("are how many organizations there are and their sums, and how many changes of which kinds", () => {
    const rows: ReportCell[][] = [
      ["organization:a", 3, 2, "12.5"],
      ["organization:b", 1, 1, "1"],
    ];
    const organizations = table("organizations", ["node", "plan_version", "users", "usage"], rows, [
      null,
      null,
      3,
      "13.5",
    ]);
    expect(shown("organizations", organizations)).toEqual(["Organizations: 2", "users: 3", "usage: 13.5"]);
    const entries = { ...table("entries", ["sequence"], [[7], [8]]), title: "Changes" };
    const actions = table("actions", ["action", "entries"], [["key.created", 2]]);
    expect(shown("audit", entries, actions)).toEqual(["Changes: 2", "key.created: 2"]);
  });
});
