/** What many intervals come to together: of lists of them it can be merged, so that only the lists that changed are looked through. */
import { presenceDays, unionOfDays } from "./presence-days.ts";
import type { Span } from "./resolve-session.ts";

/** Times are ms since 1970, UTC. */
export interface SpanSummary {
  /** The first participant's start; undefined: there was none. */
  startedMs: number | undefined;
  /** The last end of a participant; 0: nobody left. */
  leftMs: number;
  openPresences: number;
  openSpans: number;
  timedOut: number;
  /** When the next open interval times out; 0: none is open. */
  deadlineMs: number;
  /** The last end of all; 0: none ended. */
  lastEndMs: number;
  /** As `presenceDays` has them. */
  days: readonly number[];
}

export function summarize(spans: readonly Span[]): SpanSummary {
  const summary = { ...nothing, days: presenceDays(spans) };
  for (const { level, startMs, endMs, deadlineMs, timedOut } of spans) {
    const isPresence = level === "participants";
    if (isPresence) summary.startedMs = earlier(summary.startedMs, startMs);
    if (timedOut) summary.timedOut++;
    if (deadlineMs !== undefined) summary.deadlineMs = sooner(summary.deadlineMs, deadlineMs);
    if (endMs === undefined) {
      summary.openSpans++;
      if (isPresence) summary.openPresences++;
      continue;
    }
    summary.lastEndMs = Math.max(summary.lastEndMs, endMs);
    if (isPresence) summary.leftMs = Math.max(summary.leftMs, endMs);
  }
  return summary;
}

/** Over all their intervals. */
export function mergeSummaries(summaries: readonly SpanSummary[]): SpanSummary {
  const [only] = summaries;
  if (only && summaries.length === 1) return only;
  const merged = { ...nothing, days: unionOfDays(summaries.map(({ days }) => days)) };
  for (const one of summaries) {
    merged.startedMs = earlier(merged.startedMs, one.startedMs);
    merged.leftMs = Math.max(merged.leftMs, one.leftMs);
    merged.openPresences += one.openPresences;
    merged.openSpans += one.openSpans;
    merged.timedOut += one.timedOut;
    merged.deadlineMs = sooner(merged.deadlineMs, one.deadlineMs);
    merged.lastEndMs = Math.max(merged.lastEndMs, one.lastEndMs);
  }
  return merged;
}

const nothing: SpanSummary = {
  startedMs: undefined,
  leftMs: 0,
  openPresences: 0,
  openSpans: 0,
  timedOut: 0,
  deadlineMs: 0,
  lastEndMs: 0,
  days: [],
};

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** 0 stands for never. */
const sooner = (a: number, b: number) => (a === 0 || b === 0 ? a + b : Math.min(a, b));
