/**
 * What a session was resolved to, as lines of TabSeparated in the order of columns that the INSERT of the table names:
 * written by hand, because rendering and reading them as JSON costs a multiple for every interval.
 */
import { peakOf, type ResolvedSession } from "../metrics/resolve-session.ts";
import { escapeColumn } from "./event-row.ts";
import type { MinuteEdges, Place } from "./minute-slots.ts";
import { presenceDays } from "./presence-days.ts";

export interface SessionPlace extends Place {
  session: string;
  room: string;
}

/** A row of level_edges. */
export function renderEdgeRow(
  session: SessionPlace,
  minute: number,
  level: string,
  edges: Pick<MinuteEdges, "edge_ms" | "edge_delta" | "edge_starts">,
  version: number,
): string {
  const arrays = `[${edges.edge_ms}]\t[${edges.edge_delta}]\t[${edges.edge_starts}]`;
  return `${placeColumns(session)}\t${version}\t${minute}\t${escapeColumn(level)}\t${arrays}\n`;
}

/** A row of sessions. */
export function renderSessionRow(
  session: SessionPlace,
  { spans, edges, orphans, inverted }: ResolvedSession,
  earlierDays: readonly number[],
  version: number,
): string {
  const peak = peakOf(edges.filter((edge) => edge.level === "participants"));
  const present = spans.filter((span) => span.level === "participants");
  const isOpen = present.some((span) => span.endMs === undefined);
  const startedMs = present.reduce((first, span) => Math.min(first, span.startMs), present[0]?.startMs ?? 0);
  const endedMs = isOpen ? 0 : present.reduce((last, span) => Math.max(last, span.endMs ?? 0), 0);
  return `${[
    placeColumns(session),
    version,
    escapeColumn(session.room),
    startedMs,
    endedMs,
    spans.filter((span) => span.endMs === undefined).length,
    nextDeadline(spans),
    peak.value,
    peak.atMs,
    orphans,
    inverted,
    spans.filter((span) => span.timedOut).length,
    texts(spans.map((span) => span.level)),
    texts(spans.map((span) => span.interval)),
    texts(spans.map((span) => span.user)),
    texts(spans.map((span) => span.agent)),
    texts(spans.map((span) => span.dims)),
    `[${spans.map((span) => span.startMs)}]`,
    `[${spans.map((span) => span.endMs ?? 0)}]`,
    `[${spans.map((span) => Number(span.timedOut))}]`,
    texts(edges.map((edge) => edge.level)),
    `[${edges.map((edge) => edge.atMs)}]`,
    `[${edges.map((edge) => edge.delta)}]`,
    `[${edges.map((edge) => edge.starts)}]`,
    `[${presenceDays(spans, earlierDays)}]`,
  ].join("\t")}\n`;
}

/**
 * A row of open_sessions: a session stays listed while an interval is open, or while its last end lies ahead: then it is
 * looked at again.
 */
export function renderOpenRow(
  { organization, session }: SessionPlace,
  { spans }: ResolvedSession,
  version: number,
  nowMs: number,
): string {
  const lastEndMs = spans.reduce((last, span) => Math.max(last, span.endMs ?? 0), 0);
  const deadlineMs = nextDeadline(spans) || (lastEndMs > nowMs ? lastEndMs : 0);
  const isDeleted = deadlineMs === 0 ? 1 : 0;
  return `${escapeColumn(organization)}\t${escapeColumn(session)}\t${version}\t${deadlineMs}\t${isDeleted}\n`;
}

function nextDeadline(spans: readonly { deadlineMs: number | undefined }[]): number {
  let next = 0;
  for (const { deadlineMs } of spans)
    if (deadlineMs !== undefined && (next === 0 || deadlineMs < next)) next = deadlineMs;
  return next;
}

const placeColumns = ({ organization, session, partner, reseller }: SessionPlace) =>
  `${escapeColumn(organization)}\t${escapeColumn(session)}\t${escapeColumn(partner)}\t${escapeColumn(reseller)}`;

const quote = /'/g;
/** An Array(String): quoted texts, escaped as a column is, and the quote itself. */
function texts(values: readonly string[]): string {
  let list = "";
  for (const value of values) {
    const escaped = value === "" ? "" : escapeColumn(value);
    list += `${list === "" ? "'" : ",'"}${escaped.includes("'") ? escaped.replace(quote, "\\'") : escaped}'`;
  }
  return `[${list}]`;
}
