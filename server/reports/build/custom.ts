/** Chosen meters over chosen windows, in groups, beside another range. Pure. */
import type { Meter } from "../../catalog/meter.ts";
import { isSumOverTime } from "../../catalog/rule-traits.ts";
import type { ReportCell, ReportColumn, ReportSection } from "../../contract/reports.ts";
import type { UsageAnswer, UsageGroup } from "../../contract/usage.ts";
import { wideSeries } from "./activity.ts";
import { column, decimalCell, section, seriesByMeter } from "./section.ts";
import { series, sharePercent, totals } from "./usage.ts";

export interface CustomAnswers {
  meters: readonly Meter[];
  usage: UsageAnswer;
  groupBy: string | undefined;
  /** What a group is called; undefined where its key is its name. */
  nameOf: ((key: string) => string) | undefined;
}

export function customSections({ meters, usage, groupBy, nameOf }: CustomAnswers): ReportSection[] {
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
  if (groupBy !== undefined) {
    const grouped = { meters, usage, groupBy, nameOf };
    sections.push(groups(grouped), groupSeries(grouped));
  }
  return sections;
}

type Grouped = CustomAnswers & { groupBy: string };

/** Which group of which meter a row is of, by ids and in words. */
function groupColumns({ groupBy, nameOf }: Grouped): ReportColumn[] {
  const name = nameOf ? [column("name", "Name")] : [];
  const title = `${groupBy.charAt(0).toUpperCase()}${groupBy.slice(1)}`.replaceAll("_", " ");
  return [
    column("meter", "Meter ID"),
    column("title", "Meter"),
    column("key", title),
    ...name,
    column("is_other", "All others", "boolean"),
  ];
}

function groupCells(
  { meters, nameOf }: Grouped,
  meter: string,
  { key, is_other: isOther = false }: Pick<UsageGroup, "key" | "is_other">,
): ReportCell[] {
  const title = meters.find((one) => one.meter === meter)?.title ?? meter;
  return [meter, title, key, ...(nameOf ? [isOther ? "All others" : nameOf(key)] : []), isOther];
}

/** The one that all meters have, of which counts say none; null where they have several. */
function sharedUnit({ meters }: Grouped): string | null {
  const [unit = null, ...others] = new Set(meters.map((meter) => meter.unit));
  return others.length === 0 ? unit : null;
}

function groups(grouped: Grouped): ReportSection {
  const { meters, usage, groupBy } = grouped;
  const columns = [
    ...groupColumns(grouped),
    column("total", "Total", "decimal", sharedUnit(grouped)),
    column("share", "Share", "percent", "%"),
  ];
  const rows = usage.meters.flatMap(({ meter, groups = [] }) =>
    groups.map((group): ReportCell[] => [
      ...groupCells(grouped, meter, group),
      decimalCell(group.total),
      sharePercent(group.share),
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

function groupSeries(grouped: Grouped): ReportSection {
  const { usage, groupBy } = grouped;
  const columns = [
    ...groupColumns(grouped),
    column("start", "From", "instant"),
    column("end", "To", "instant"),
    column("value", "Value", "decimal", sharedUnit(grouped)),
  ];
  const rows = usage.meters.flatMap(({ meter, groups = [] }) =>
    groups.flatMap((group) =>
      group.series.map(({ start, end, value }): ReportCell[] => [
        ...groupCells(grouped, meter, group),
        start,
        end,
        decimalCell(value),
      ]),
    ),
  );
  return section("group_series", `By ${groupBy} and window`, columns, rows);
}
