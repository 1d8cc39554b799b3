/** Chosen meters over chosen windows, in groups, beside another range. Pure. */
import type { Meter } from "../../catalog/meter.ts";
import type { ReportCell, ReportSection } from "../../contract/reports.ts";
import type { UsageAnswer } from "../../contract/usage.ts";
import { isSumOverTime } from "../../metrics/sum-over-time.ts";
import { wideSeries } from "./activity.ts";
import { column, decimalCell, section, seriesByMeter } from "./section.ts";
import { series, sharePercent, totals } from "./usage.ts";

export interface CustomAnswers {
  meters: readonly Meter[];
  usage: UsageAnswer;
  groupBy: string | undefined;
}

export function customSections({ meters, usage, groupBy }: CustomAnswers): ReportSection[] {
  const isCompared = usage.meters.some(({ comparison }) => comparison);
  const whole = totals({ meters, previous: usage });
  const sections = [
    isCompared
      ? whole
      : { ...whole, columns: whole.columns.slice(0, 4), rows: whole.rows.map((row) => row.slice(0, 4)) },
    wideSeries(seriesByMeter, "By window", meters, usage),
  ];
  if (isCompared)
    for (const [index, meter] of meters.entries()) {
      const own = usage.meters[index];
      if (own) sections.push(series(`compared_${meter.meter}`, `${meter.title}, compared`, meter, own));
    }
  if (groupBy !== undefined) sections.push(groups(meters, usage, groupBy), groupSeries(usage, groupBy));
  return sections;
}

function groups(meters: readonly Meter[], usage: UsageAnswer, groupBy: string): ReportSection {
  const columns = [
    ...[column("meter", "Meter"), column("key", groupBy), column("is_other", "All others", "boolean")],
    ...[column("total", "Total", "decimal"), column("share", "Share", "percent", "%")],
  ];
  const rows = usage.meters.flatMap(({ meter, groups = [] }) =>
    groups.map((group): ReportCell[] => [
      ...[meter, group.key, group.is_other === true, decimalCell(group.total), sharePercent(group.share)],
    ]),
  );
  const [only, ...more] = meters;
  return section(
    "groups",
    `By ${groupBy}`,
    columns,
    rows,
    only && more.length === 0 && isSumOverTime(only.rule) ? ["total"] : [],
  );
}

function groupSeries(usage: UsageAnswer, groupBy: string): ReportSection {
  const columns = [
    ...[column("meter", "Meter"), column("key", groupBy), column("is_other", "All others", "boolean")],
    ...[column("start", "From", "instant"), column("end", "To", "instant"), column("value", "Value", "decimal")],
  ];
  const rows = usage.meters.flatMap(({ meter, groups = [] }) =>
    groups.flatMap(({ key, is_other, series }) =>
      series.map(({ start, end, value }): ReportCell[] => [
        meter,
        key,
        is_other === true,
        start,
        end,
        decimalCell(value),
      ]),
    ),
  );
  return section("group_series", `By ${groupBy} and window`, columns, rows);
}
