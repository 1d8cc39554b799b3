/**
 * What a session was resolved to, as lines of TabSeparated in the order of columns that the INSERT of the table names:
 * written by hand, because rendering and reading them as JSON costs a multiple for every interval.
 */

import { escapeColumn } from "../ingest/accept/event-row.ts";
import type { EdgeColumns } from "./minute-changes.ts";
import { presenceDays } from "./presence-days.ts";
import type { ResolvedSession } from "./resolve-session.ts";
import type { SessionPath } from "./session-members.ts";
import { type SessionPart, spansWithin } from "./session-parts.ts";

/** A row of level_edges. */
export function renderEdgeRow(
  session: Omit<SessionPath, "room"> & { part: number },
  minute: number,
  level: string,
  edges: EdgeColumns,
  version: number,
): string {
  const arrays = `[${edges.edge_ms}]\t[${edges.edge_delta}]\t[${edges.edge_starts}]`;
  return `${pathColumns(session)}\t${session.part}\t${version}\t${minute}\t${escapeColumn(level)}\t${arrays}\n`;
}

/** A row of sessions, by the names of its columns. */
export type SessionRow = ReturnType<typeof sessionRow>;

export function sessionRow(
  { organization, session, room }: Omit<SessionPath, "partner" | "reseller">,
  { spans, orphans, inverted }: ResolvedSession,
  { part, parts, sinceMs, untilMs, partner, reseller, edges, peak }: SessionPart,
  earlierDays: readonly number[],
  version: number,
) {
  const within = spansWithin(spans, { sinceMs, untilMs });
  const present = within.filter((span) => span.level === "participants");
  const isOpen = present.some((span) => span.endMs === undefined);
  return {
    organization,
    session,
    partner,
    reseller,
    part,
    parts,
    since_ms: sinceMs,
    until_ms: untilMs,
    version,
    room,
    started_ms: present.reduce((first, span) => Math.min(first, span.startMs), present[0]?.startMs ?? 0),
    ended_ms: isOpen ? 0 : present.reduce((last, span) => Math.max(last, span.endMs ?? 0), 0),
    open_spans: within.filter((span) => span.endMs === undefined).length,
    deadline_ms: nextDeadline(spans),
    peak_participants: peak.value,
    peak_at_ms: peak.atMs,
    orphans,
    inverted,
    timed_out: spans.filter((span) => span.timedOut).length,
    span_level: spans.map((span) => span.level),
    span_interval: spans.map((span) => span.interval),
    span_user: spans.map((span) => span.user),
    span_agent: spans.map((span) => span.agent),
    span_dims: spans.map((span) => span.dims),
    span_start_ms: spans.map((span) => span.startMs),
    span_end_ms: spans.map((span) => span.endMs ?? 0),
    span_timed_out: spans.map((span) => Number(span.timedOut)),
    edge_level: edges.map((edge) => edge.level),
    edge_ms: edges.map((edge) => edge.atMs),
    edge_delta: edges.map((edge) => edge.delta),
    edge_starts: edges.map((edge) => edge.starts),
    days: presenceDays(within, earlierDays),
  };
}

export function renderSessionRow(row: SessionRow): string {
  return `${[
    pathColumns(row),
    row.part,
    row.parts,
    row.since_ms,
    row.until_ms,
    row.version,
    escapeColumn(row.room),
    row.started_ms,
    row.ended_ms,
    row.open_spans,
    row.deadline_ms,
    row.peak_participants,
    row.peak_at_ms,
    row.orphans,
    row.inverted,
    row.timed_out,
    texts(row.span_level),
    texts(row.span_interval),
    texts(row.span_user),
    texts(row.span_agent),
    texts(row.span_dims),
    `[${row.span_start_ms}]`,
    `[${row.span_end_ms}]`,
    `[${row.span_timed_out}]`,
    texts(row.edge_level),
    `[${row.edge_ms}]`,
    `[${row.edge_delta}]`,
    `[${row.edge_starts}]`,
    `[${row.days}]`,
  ].join("\t")}\n`;
}

/** A row of open_sessions, by the names of its columns. */
export type OpenRow = ReturnType<typeof openRow>;

/** A session stays listed while an interval is open, or while its last end lies in the future: then it is resolved again. */
export function openRow(
  { organization, session }: Pick<SessionPath, "organization" | "session">,
  { spans }: ResolvedSession,
  version: number,
  nowMs: number,
) {
  const lastEndMs = spans.reduce((last, span) => Math.max(last, span.endMs ?? 0), 0);
  const deadlineMs = nextDeadline(spans) || (lastEndMs > nowMs ? lastEndMs : 0);
  return { organization, session, version, deadline_ms: deadlineMs, is_deleted: deadlineMs === 0 ? 1 : 0 };
}

export function renderOpenRow({ organization, session, version, deadline_ms, is_deleted }: OpenRow): string {
  return `${escapeColumn(organization)}\t${escapeColumn(session)}\t${version}\t${deadline_ms}\t${is_deleted}\n`;
}

function nextDeadline(spans: readonly { deadlineMs: number | undefined }[]): number {
  let next = 0;
  for (const { deadlineMs } of spans)
    if (deadlineMs !== undefined && (next === 0 || deadlineMs < next)) next = deadlineMs;
  return next;
}

const pathColumns = ({ organization, session, partner, reseller }: Omit<SessionPath, "room">) =>
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
