/** The activity report: new transcriptions, sign-ups, the use of features and of the API. Pure. */
import type { Meter } from "../../catalog/meter.ts";
import { isSumOverTime } from "../../catalog/rule-traits.ts";
import type { Overview } from "../../contract/overview.ts";
import type { ReportCell, ReportSection } from "../../contract/reports.ts";
import type { MeterUsage, UsageAnswer } from "../../contract/usage.ts";
import { column, decimalCell, meterColumn, section } from "./section.ts";
import { sharePercent, totals } from "./usage.ts";

export interface ActivityAnswers {
  meters: readonly Meter[];
  whole: UsageAnswer;
  days: UsageAnswer;
  /** Each is one meter split by one dimension. */
  splits: readonly { id: string; title: string; meter: Meter; usage: MeterUsage; nameOf: (key: string) => string }[];
  adoption: Overview["adoption"];
}

export function activitySections({ meters, whole, days, splits, adoption }: ActivityAnswers): ReportSection[] {
  return [
    { ...totals({ meters, previous: whole }), id: "activity", title: "Activity" },
    wideSeries("days", "Activity by day", meters, days),
    ...splits.map(split),
    section(
      "adoption",
      "Features in use",
      [
        column("feature", "Feature ID"),
        column("title", "Feature"),
        column("organizations", "Organizations", "integer"),
        column("share", "Share of all organizations", "percent", "%"),
        column("new", "First-time use", "integer"),
        column("ever", "Ever", "integer"),
      ],
      adoption.map((one): ReportCell[] => [
        one.feature,
        one.title,
        one.organizations,
        sharePercent(one.share),
        one.new,
        one.ever,
      ]),
    ),
  ];
}

/** A row for each window, a column for each meter. */
export function wideSeries(id: string, title: string, meters: readonly Meter[], answer: UsageAnswer): ReportSection {
  const windows = new Map<string, { end: string; partial: boolean; values: Map<string, ReportCell> }>();
  const decimals = new Set<string>();
  for (const { meter, series } of answer.meters)
    for (const { start, end, partial, value } of series) {
      const window = windows.get(start) ?? { end, partial, values: new Map() };
      windows.set(start, window);
      window.values.set(meter, value);
      if (typeof value === "string") decimals.add(meter);
    }
  const columns = [
    column("start", "From", "instant"),
    column("end", "To", "instant"),
    column("partial", "Partial", "boolean"),
    ...meters.map((meter) => meterColumn(meter.meter, meter.title, meter, decimals.has(meter.meter))),
  ];
  const rows = [...windows]
    .map(([start, window]) => ({ start, ...window, atMs: Date.parse(start) }))
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ start, end, partial, values }): ReportCell[] => [
      start,
      end,
      partial,
      ...meters.map(({ meter }) => values.get(meter) ?? null),
    ]);
  const summed = meters.filter(({ rule }) => isSumOverTime(rule)).map(({ meter }) => meter);
  return section(id, title, columns, rows, summed);
}

function split({ id, title, meter, usage, nameOf }: ActivityAnswers["splits"][number]): ReportSection {
  const columns = [
    column("key", "Id"),
    column("name", "Name"),
    column("is_other", "All others", "boolean"),
    column("total", meter.title, "decimal", meter.unit),
    column("share", "Share", "percent", "%"),
  ];
  const rows = (usage.groups ?? []).map((group): ReportCell[] => [
    group.key,
    group.is_other ? "All others" : nameOf(group.key),
    group.is_other === true,
    decimalCell(group.total),
    sharePercent(group.share),
  ]);
  return section(id, title, columns, rows, isSumOverTime(meter.rule) ? ["total"] : []);
}
