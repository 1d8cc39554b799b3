/** The usage summary: totals beside the period and the year before, days, growth by month, the peak day, and ranks. Pure. */
import type { Meter } from "../../catalog/meter.ts";
import { isSumOverTime } from "../../catalog/rule-traits.ts";
import type { Ranked } from "../../contract/overview.ts";
import type { ReportCell, ReportSection } from "../../contract/reports.ts";
import type { MeterUsage, UsageAnswer } from "../../contract/usage.ts";
import { compareFigures } from "../../metrics/comparison.ts";
import { compareDecimals } from "../../numbers/figures.ts";
import { column, decimalCell, meterColumn, section } from "./section.ts";

export interface UsageAnswers {
  meters: readonly Meter[];
  /** Over the whole range, beside the period before and the year before. */
  previous: UsageAnswer;
  year: UsageAnswer;
  /** The first meter by days; months are whole or cut by the range. */
  days: UsageAnswer;
  months: UsageAnswer;
  ranks: readonly { dimension: string; title: string; rows: readonly Ranked[] }[];
}

export function usageSections(answers: UsageAnswers): ReportSection[] {
  const [meter] = answers.meters;
  if (!meter) return [];
  const days = answers.days.meters[0] as MeterUsage;
  return [
    totals(answers),
    series("days", "Usage by day", meter, days),
    growth(meter, answers.months.meters[0] as MeterUsage),
    peakDay(meter, days),
    ...answers.ranks.map((rank) => ranks(meter, rank)),
  ];
}

export function totals({
  meters,
  previous,
  year,
}: Pick<UsageAnswers, "meters" | "previous"> & { year?: UsageAnswer }): ReportSection {
  const columns = [
    column("meter", "Meter ID"),
    column("title", "Meter"),
    column("unit", "Unit"),
    column("total", "Total", "decimal"),
    column("previous_total", "Compared period", "decimal"),
    column("change", "Change", "decimal"),
    column("change_percent", "Change", "percent", "%"),
    ...(year
      ? [
          column("year_total", "A year earlier", "decimal"),
          column("year_change", "Change from a year earlier", "decimal"),
          column("year_change_percent", "Change from a year earlier", "percent", "%"),
        ]
      : []),
  ];
  const rows = previous.meters.map((usage, index): ReportCell[] => {
    const beside = ({ comparison }: MeterUsage): ReportCell[] => [
      decimalCell(comparison?.total),
      decimalCell(comparison?.delta),
      comparison?.percent ?? null,
    ];
    const aYearAgo = year?.meters[index];
    return [
      usage.meter,
      meters[index]?.title ?? usage.meter,
      usage.unit,
      decimalCell(usage.total),
      ...beside(usage),
      ...(aYearAgo ? beside(aYearAgo) : []),
    ];
  });
  return section("totals", "Totals", columns, rows);
}

/** A row for each window, with the compared window beside it. */
export function series(id: string, title: string, meter: Meter, { series, comparison }: MeterUsage): ReportSection {
  const beside = new Map(comparison?.series.map((point) => [point.against, point]));
  const isDecimal = series.some(({ value }) => typeof value === "string");
  const cell = (value: ReportCell) => value;
  const columns = [
    column("start", "From", "instant"),
    column("end", "To", "instant"),
    meterColumn("value", meter.title, meter, isDecimal),
    ...(comparison
      ? [
          column("compared_start", "Compared from", "instant"),
          meterColumn("compared_value", "Compared period", meter, isDecimal),
          meterColumn("change", "Change", meter, isDecimal),
          column("change_percent", "Change", "percent", "%"),
        ]
      : []),
  ];
  const rows = series.map(({ start, end, value }): ReportCell[] => {
    const point = beside.get(start);
    const { delta, percent } = compareFigures(value, point?.value ?? null);
    return [
      start,
      end,
      cell(value),
      ...(comparison ? [point?.start ?? null, point?.value ?? null, delta, percent] : []),
    ];
  });
  return section(id, title, columns, rows, isSumOverTime(meter.rule) ? ["value"] : []);
}

/** Each month beside the one before it. */
function growth(meter: Meter, { series }: MeterUsage): ReportSection {
  const isDecimal = series.some(({ value }) => typeof value === "string");
  const columns = [
    column("start", "From", "instant"),
    column("end", "To", "instant"),
    meterColumn("value", meter.title, meter, isDecimal),
    meterColumn("change", "Change from the month before", meter, isDecimal),
    column("change_percent", "Growth", "percent", "%"),
    column("partial", "Partial", "boolean"),
  ];
  const rows = series.map(({ start, end, value, partial }, index): ReportCell[] => {
    const { delta, percent } = compareFigures(value, series[index - 1]?.value ?? null);
    return [start, end, value, delta, percent, partial];
  });
  return section("growth", "Growth by month", columns, rows, isSumOverTime(meter.rule) ? ["value"] : []);
}

/** The first of the days with the largest figure; none where nothing was used. */
function peakDay(meter: Meter, { series }: MeterUsage): ReportSection {
  const isDecimal = series.some(({ value }) => typeof value === "string");
  const peak = series.reduce<(typeof series)[number] | undefined>(
    (best, one) => (compareDecimals(String(one.value ?? 0), String(best?.value ?? 0)) > 0 ? one : best),
    undefined,
  );
  const columns = [column("date", "Date"), meterColumn("value", meter.title, meter, isDecimal)];
  return section("peak_day", "Peak day", columns, peak ? [[peak.start.slice(0, 10), peak.value]] : []);
}

function ranks(meter: Meter, { dimension, title, rows }: UsageAnswers["ranks"][number]): ReportSection {
  const isDecimal = rows.some(({ total }) => typeof total === "string");
  const columns = [
    column("rank", "Rank", "integer"),
    column("key", "Id"),
    column("name", "Name"),
    meterColumn("total", meter.title, meter, isDecimal),
    column("share", "Share", "percent", "%"),
    meterColumn("previous_total", "Compared period", meter, isDecimal),
    column("previous_rank", "Rank in the compared period", "integer"),
  ];
  const cells = rows.map((row): ReportCell[] => [
    row.rank,
    row.key,
    row.name,
    row.total,
    sharePercent(row.share),
    row.previous_total,
    row.previous_rank,
  ]);
  return section(`top_${dimension}s`, title, columns, cells);
}

/** A part of 1 in percent, without the digits that a double would add. */
export function sharePercent(share: number | null): number | null {
  return share === null ? null : Number((share * 100).toFixed(4));
}
