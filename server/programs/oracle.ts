/** Compares the service's answers with an independent sweep over the same rows. */
import { nodeAddress } from "../contract/node-address.ts";
import type { MeterUsage, UsageAnswer, UsagePoint } from "../contract/usage.ts";
import type { UsageApi } from "./usage-api.ts";

interface OracleDay {
  sessions_started: number;
  ms_split_at_midnight: number;
  peak: number;
}

/** The parts of expected.json that the service has an answer to; instants and durations in ms. */
export interface Oracle {
  rows: number;
  first_start_ms: number;
  last_end_ms: number;
  total_ms: number;
  peak_concurrency: number;
  peak_first_at_ms: number;
  peak_by_group: Record<string, number>;
  /** By time zone, then by day (YYYY-MM-DD); a day that is absent has nothing. */
  days: Record<string, Record<string, OracleDay>>;
}

export interface Comparison {
  passed: number;
  /** One line each. */
  differences: string[];
}

const dayMeters = "max_concurrent_participants,participation_minutes,sessions";
const dayMs = 24 * 60 * 60 * 1000;
const nothing: OracleDay = { sessions_started: 0, ms_split_at_midnight: 0, peak: 0 };

/** Asks for every day from the one before the first interval to the one after the last, in each zone, and for the whole set. */
export async function compareWithOracle(oracle: Oracle, api: Pick<UsageApi, "usage">): Promise<Comparison> {
  const comparison: Comparison = { passed: 0, differences: [] };
  const range = {
    from: new Date(oracle.first_start_ms - dayMs).toISOString().slice(0, 10),
    to: new Date(oracle.last_end_ms + 2 * dayMs).toISOString().slice(0, 10),
  };
  for (const [tz, days] of Object.entries(oracle.days)) {
    const answer = await api.usage({ meter: dayMeters, node: "all", window: "day", tz, ...range });
    compareDays(tz, days, answer, comparison);
  }
  const whole = await api.usage({ meter: dayMeters, node: "all", window: "total", ...range });
  const peak = meterOf(whole, "max_concurrent_participants");
  check(comparison, "whole set: peak", oracle.peak_concurrency, peak.total);
  check(comparison, "whole set: first instant of the peak", oracle.peak_first_at_ms, Date.parse(peak.at ?? ""));
  check(comparison, "whole set: ms", oracle.total_ms, msOf(meterOf(whole, "participation_minutes").total));
  check(comparison, "whole set: intervals", oracle.rows, meterOf(whole, "sessions").total);
  for (const [group, expected] of Object.entries(oracle.peak_by_group)) {
    const node = nodeAddress("organization", group);
    const answer = await api.usage({ meter: "max_concurrent_participants", node, window: "total", ...range });
    check(comparison, `${node}: peak`, expected, meterOf(answer, "max_concurrent_participants").total);
  }
  return comparison;
}

function compareDays(tz: string, days: Record<string, OracleDay>, answer: UsageAnswer, comparison: Comparison): void {
  const peaks = byDay(meterOf(answer, "max_concurrent_participants"));
  const minutes = byDay(meterOf(answer, "participation_minutes"));
  const starts = byDay(meterOf(answer, "sessions"));
  for (const day of new Set([...Object.keys(days), ...peaks.keys()])) {
    const expected = days[day] ?? nothing;
    check(comparison, `${tz} ${day}: peak`, expected.peak, peaks.get(day)?.value);
    check(comparison, `${tz} ${day}: ms`, expected.ms_split_at_midnight, msOf(minutes.get(day)?.value));
    check(comparison, `${tz} ${day}: intervals started`, expected.sessions_started, starts.get(day)?.value);
  }
}

/** By the date that a window's start has in the zone that was asked for. */
function byDay({ series }: MeterUsage): Map<string, UsagePoint> {
  return new Map(series.map((point) => [point.start.slice(0, 10), point]));
}

function meterOf(answer: UsageAnswer, name: string): MeterUsage {
  const found = answer.meters.find(({ meter }) => meter === name);
  if (!found) throw new Error(`the answer has no meter ${name}`);
  return found;
}

/** Minutes are rounded at the sixth decimal, far below a millisecond. */
function msOf(minutes: string | number | null | undefined): number | undefined {
  return minutes === null || minutes === undefined ? undefined : Math.round(Number(minutes) * 60_000);
}

function check(comparison: Comparison, what: string, expected: number, actual: unknown): void {
  if (actual === expected) comparison.passed++;
  else comparison.differences.push(`${what} should be ${expected}, is ${String(actual)}`);
}

const shownDifferences = 20;

/** The differences (the first of them) and the closing line with the counts. */
export function describeComparison({ passed, differences }: Comparison): string {
  const lines = differences.slice(0, shownDifferences);
  const hidden = differences.length - lines.length;
  if (hidden > 0) lines.push(`and ${hidden} more`);
  return [...lines, `${passed} passed, ${differences.length} failed`].join("\n");
}
