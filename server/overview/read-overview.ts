/** A node's month: what its organizations used, how it grows, where it will end, and who and what stands out. */

import { cyclesUntil } from "../billing/billing-cycle.ts";
import { modelsKnownAt } from "../billing/models.ts";
import type { PeriodSource } from "../billing/period.ts";
import { courseOf } from "../billing/quotas.ts";
import { dimensionsOf, meterByName, overviewMeters } from "../catalog/catalog.ts";
import type { Meter } from "../catalog/meter.ts";
import { isSumOverTime } from "../catalog/rule-traits.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Growth, Overview } from "../contract/overview.ts";
import type { MeterUsage, WindowKind } from "../contract/usage.ts";
import { type Comparison, comparedRange, compareFigures } from "../metrics/comparison.ts";
import { forecast } from "../metrics/forecast.ts";
import { answerTogether, answerUsage, totalsBy, zeroOf } from "../metrics/usage.ts";
import { cycleContaining, formatInstant } from "../metrics/windows.ts";
import { compareDecimals, trimDecimal } from "../numbers/figures.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { AccountState } from "./account-state.ts";
import { averages, type RankedTotal, ranked, type Totals } from "./ranks.ts";
import { readAdoption } from "./read-adoption.ts";
import { readUserActivity } from "./read-user-activity.ts";

export interface OverviewSource extends PeriodSource {
  tree: NodeTree;
}

export interface OverviewQuestion {
  node: NodeAddress;
  meter: Meter;
  tz: string;
  /** Entries in each ranking. */
  limit: number;
}

/** The figures that are read from usage; the rest of an overview follows from accounts. */
export type MonthFigures = Pick<
  Overview,
  "month" | "usage" | "days" | "months" | "peak_day" | "averages" | "forecast" | "top" | "adoption"
>;

const pastMonths = 12;
/** How many past months a projection learns from. */
const testedMonths = 3;

export async function readMonth(
  source: OverviewSource,
  state: AccountState,
  question: OverviewQuestion,
  nowMs: number,
): Promise<MonthFigures> {
  const { node, meter, tz } = question;
  const { tree } = source;
  const monthly = { tz, anchor: 1, startsAt: new Date(0) };
  const months = cyclesUntil(monthly, nowMs, pastMonths);
  const month = cycleContaining(nowMs, tz, 1);
  const [firstMs, testedMs] = [months.at(-1)?.startMs ?? 0, months[testedMonths]?.startMs ?? 0];
  const organizations = tree.list([node], { kind: "organization", limit: Number.POSITIVE_INFINITY });
  const span = { node, fromMs: month.startMs, toMs: nowMs };
  const whole = { fromMs: month.startMs, toMs: month.endMs, window: "month" as const, anchor: 1, tz };
  const before = comparedRange(whole, { with: "previous", match: "date", partial: "same" }, nowMs);
  const both = async (dimension: string): Promise<[Totals, Totals]> =>
    dimensionsOf(meter).has(dimension)
      ? await Promise.all([
          totalsBy(source.clickhouse, meter, dimension, span),
          totalsBy(source.clickhouse, meter, dimension, { node, fromMs: before.fromMs, toMs: before.toMs }),
        ])
      : [new Map(), new Map()];
  const ask = async (fromMs: number, window: WindowKind) => {
    const rest = { node, toMs: month.endMs, anchor: 1, tz, fill: "zero" as const, filters: [], groupBy: undefined };
    const answer = await answerUsage(
      source.clickhouse,
      { meters: [meter], fromMs, window, ...rest },
      new Date(nowMs),
      nowMs,
    );
    return (answer.meters[0] as MeterUsage).series.filter(({ start }) => Date.parse(start) <= nowMs);
  };
  const [usage, days, monthSeries, byOrganization, byUser, byLanguage, byModel, adoption] = await Promise.all([
    readGrowth(source, question, whole, nowMs),
    ask(testedMs, "day"),
    ask(firstMs, "month"),
    both("organization"),
    both("user"),
    both("language"),
    both("model"),
    readAdoption(source.clickhouse, node, span, organizations.length, tz),
  ]);
  const shownFromMs = months[1]?.startMs ?? month.startMs;
  const thisMonth = days.filter(({ start }) => Date.parse(start) >= month.startMs);
  const peak = thisMonth.reduce<(typeof days)[number] | undefined>(
    (best, one) => (compareDecimals(String(one.value ?? 0), String(best?.value ?? 0)) > 0 ? one : best),
    undefined,
  );
  const figures = [...byOrganization[0].values()];
  const [users, models] = await Promise.all([
    describeUsers(source, question, byUser, span),
    describeModels(source, state, question, byModel, span),
  ]);
  const names = new Map(organizations.map(({ id, name }) => [id, name]));
  const nameOf = (id: string) => names.get(id) ?? tree.get(nodeAddress("organization", id))?.name ?? id;
  return {
    month: { start: formatInstant(month.startMs, tz), end: formatInstant(month.endMs, tz) },
    usage,
    days: days.filter(({ start }) => Date.parse(start) >= shownFromMs).map(point),
    months: monthSeries.map(point),
    peak_day: peak ? { date: peak.start.slice(0, 10), value: peak.value } : null,
    averages: {
      all: averages(figures, Math.max(organizations.length, figures.length)),
      active: averages(figures, figures.length),
    },
    forecast: projected(meter, days, months, usage[0]?.total ?? 0, nowMs),
    top: {
      organizations: named(ranked(...byOrganization, question.limit), nameOf),
      users,
      languages: named(ranked(...byLanguage, question.limit), (key) => key),
      models,
    },
    adoption,
  };
}

const named = (rows: readonly RankedTotal[], nameOf: (key: string) => string) =>
  rows.map((row) => ({ ...row, name: nameOf(row.key) }));
const point = ({ start, end, value, partial }: MeterUsage["series"][number]) => ({ start, end, value, partial });

/** The asked meter and those that every overview shows, beside the month before and the year before. */
async function readGrowth(
  { clickhouse }: OverviewSource,
  { node, meter, tz }: OverviewQuestion,
  whole: { fromMs: number; toMs: number; window: WindowKind; anchor: number; tz: string },
  nowMs: number,
): Promise<Overview["usage"]> {
  const others = overviewMeters.filter((name) => name !== meter.meter).flatMap((name) => meterByName(name) ?? []);
  const meters = [meter, ...others];
  const rest = { node, meters, anchor: 1, tz, fill: "zero" as const, filters: [], groupBy: undefined };
  const beside = (choice: Comparison["with"]) =>
    comparedRange(whole, { with: choice, match: "date", partial: "same" }, nowMs);
  const [previous, year] = [beside("previous"), beside("year")];
  // A span that the clock has not reached, such as the month before at its first instant, has no windows and counts 0.
  const questions = [whole, previous, year].map(({ fromMs, toMs }) => {
    return { ...rest, fromMs, toMs, window: "total" as const };
  });
  const answers = await answerTogether(clickhouse, questions, new Date(nowMs), nowMs);
  const [now = [], then = [], aYearAgo = []] = answers.map((answer) => answer.meters.map(({ total }) => total));
  return meters.map((one, index) => {
    const total = now[index] ?? zeroOf(one);
    const growth = (span: { fromMs: number; toMs: number }, figures: readonly (typeof total | null)[]): Growth => {
      const compared = figures[index] ?? zeroOf(one);
      const [from, to] = [formatInstant(span.fromMs, tz), formatInstant(span.toMs, tz)];
      return { from, to, total: compared, ...compareFigures(total, compared) };
    };
    return {
      meter: one.meter,
      title: one.title,
      unit: one.unit,
      total,
      month_over_month: growth(previous, then),
      year_over_year: growth(year, aYearAgo),
    };
  });
}

function projected(
  meter: Meter,
  days: MeterUsage["series"],
  [month, ...past]: ReturnType<typeof cyclesUntil>,
  used: string | number,
  nowMs: number,
): Overview["forecast"] {
  if (!month || !isSumOverTime(meter.rule)) return null;
  const courses = past.slice(0, testedMonths).map((one) => courseOf(days, one));
  const found = forecast(courseOf(days, month), Number(used), nowMs, courses);
  if (!found) return null;
  const estimate = (value: number) => trimDecimal(value.toFixed(2));
  return {
    value: estimate(found.value),
    low: found.low === null ? null : estimate(found.low),
    high: found.high === null ? null : estimate(found.high),
    error_percent: found.errorPercent === null ? null : Number(found.errorPercent.toFixed(1)),
  };
}

interface Span {
  node: NodeAddress;
  fromMs: number;
  toMs: number;
}

async function describeUsers(
  { clickhouse }: OverviewSource,
  { node, tz, limit }: OverviewQuestion,
  [now, before]: [Totals, Totals],
  span: Span,
): Promise<Overview["top"]["users"]> {
  // Usage without a user belongs to none.
  const known = new Map([...now].filter(([user]) => user !== ""));
  const rows = ranked(known, new Map([...before].filter(([user]) => user !== "")), limit);
  const users = rows.map(({ key }) => key);
  const activity = await readUserActivity(clickhouse, node, users, span);
  return rows.map((row) => {
    const found = activity.get(row.key);
    return {
      ...row,
      name: row.key,
      organization: found?.organization ?? null,
      minutes: found?.minutes ?? "0",
      documents: found?.documents ?? 0,
      last_active: found ? formatInstant(found.lastMs, tz) : null,
    };
  });
}

async function describeModels(
  { clickhouse, tree }: OverviewSource,
  { models }: AccountState,
  { node, limit }: OverviewQuestion,
  [now, before]: [Totals, Totals],
  span: Span,
): Promise<Overview["top"]["models"]> {
  if (now.size === 0) return [];
  const by = (name: string) => {
    const meter = meterByName(name);
    if (!meter) throw new Error(`the catalog has no meter ${name}`);
    return totalsBy(clickhouse, meter, "model", span);
  };
  const [documents, accuracy] = await Promise.all([by("documents"), by("transcription_accuracy")]);
  const known = modelsKnownAt(models, node, tree);
  return ranked(now, before, limit).map((row) => {
    const found = known.get(row.key);
    const accurate = accuracy.get(row.key);
    return {
      ...row,
      name: found?.name ?? row.key,
      tier: found?.tier ?? null,
      documents: Number(documents.get(row.key) ?? 0),
      accuracy: accurate === undefined ? null : String(accurate),
    };
  });
}
