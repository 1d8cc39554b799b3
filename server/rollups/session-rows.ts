/**
 * What a session was resolved to, as lines of TabSeparated in the order of columns that the INSERT of the table names:
 * written by hand, because rendering and reading them as JSON costs a multiple for every interval.
 */

import { escapeColumn } from "../ingest/accept/event-row.ts";
import type { EdgeColumns } from "./minute-changes.ts";
import { unionOfDays } from "./presence-days.ts";
import type { Edge, ResolvedSession, Span } from "./resolve-session.ts";
import type { SessionIntervals, SessionPath } from "./session-intervals.ts";
import { isWhole, isWithin, orphansWithin, roomWithin, type SessionPart, spansWithin } from "./session-parts.ts";
import { type SpanSummary, summarize } from "./span-summary.ts";

/** A row of level_edges. `path`: as `renderPath` has it. */
export function renderEdgeRow(
  path: string,
  part: number,
  minute: number,
  level: string,
  edges: EdgeColumns,
  version: number,
): string {
  const arrays = `[${numbers(edges.edge_ms)}]\t[${edges.edge_delta}]\t[${edges.edge_starts}]`;
  return `${path}\t${part}\t${version}\t${minute}\t${escapeColumn(level)}\t${arrays}\n`;
}

/** A row of sessions, by the names of its columns. */
export type SessionRow = ReturnType<typeof sessionRow>;
/** Its columns that are no lists of intervals or edges. */
export type SessionHead = ReturnType<typeof sessionHead>;
/** Columns that are lists, as they are written, without the brackets. */
export type SpanLists = Readonly<typeof emptyPlaces & typeof emptyEnds>;
export type EdgeLists = Readonly<typeof emptyEdges>;

export function sessionRow(
  session: Pick<SessionIntervals, "organization" | "session" | "room" | "rooms" | "intervals">,
  { spans, orphans, invertedAt }: ResolvedSession,
  part: SessionPart,
  earlierDays: readonly number[],
  version: number,
) {
  const within = spansWithin(spans, part);
  const whole = summarize(spans);
  const own = within === spans ? whole : summarize(within);
  // Who had the organization in one part learns nothing of what came in another.
  const faults = isWhole(part)
    ? { orphans, inverted: invertedAt.length }
    : { orphans: orphansWithin(session.intervals, part), inverted: invertedAt.filter(isWithin(part)).length };
  const room = isWhole(part) ? session.room : roomWithin(session, part);
  const head = sessionHead({ ...session, room }, { whole, own, ...faults }, part, earlierDays, version);
  return { ...head, ...spanPlaceColumns(spans), ...spanEndColumns(spans), ...edgeColumns(part.edges) };
}

/** `own`: of the intervals clipped to the part. */
export function sessionHead(
  { organization, session, room }: Omit<SessionPath, "partner" | "reseller">,
  { whole, own, orphans, inverted }: { whole: SpanSummary; own: SpanSummary; orphans: number; inverted: number },
  { part, parts, sinceMs, untilMs, partner, reseller, peak }: Omit<SessionPart, "edges">,
  earlierDays: readonly number[],
  version: number,
) {
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
    started_ms: own.startedMs ?? 0,
    ended_ms: own.openPresences > 0 ? 0 : own.leftMs,
    open_spans: own.openSpans,
    deadline_ms: whole.deadlineMs,
    peak_participants: peak.value,
    peak_at_ms: peak.atMs,
    orphans,
    inverted,
    timed_out: whole.timedOut,
    days: unionOfDays([earlierDays, own.days]),
  };
}

/** What stays as it is where an interval ends. */
export const spanPlaceColumns = (spans: readonly Span[]) => ({
  span_level: spans.map((span) => span.level),
  span_interval: spans.map((span) => span.interval),
  span_user: spans.map((span) => span.user),
  span_agent: spans.map((span) => span.agent),
  span_dims: spans.map((span) => span.dims),
  span_start_ms: spans.map((span) => span.startMs),
});

export const spanEndColumns = (spans: readonly Span[]) => ({
  span_end_ms: spans.map((span) => span.endMs ?? 0),
  span_timed_out: spans.map((span) => Number(span.timedOut)),
});

const edgeColumns = (edges: readonly Edge[]) => ({
  edge_level: edges.map((edge) => edge.level),
  edge_ms: edges.map((edge) => edge.atMs),
  edge_delta: edges.map((edge) => edge.delta),
  edge_starts: edges.map((edge) => edge.starts),
});

/** The lists of a row, as they are written: a step for each of them. */
export const listSteps = ({ span_level, span_interval, span_user, span_agent, span_dims, ...row }: SessionRow) =>
  renderSteps({
    span_level,
    span_interval,
    span_user,
    span_agent,
    span_dims,
    span_start_ms: row.span_start_ms,
    span_end_ms: row.span_end_ms,
    span_timed_out: row.span_timed_out,
    edge_level: row.edge_level,
    edge_ms: row.edge_ms,
    edge_delta: row.edge_delta,
    edge_starts: row.edge_starts,
  });

export function renderSessionRow(row: SessionHead, lists: SpanLists & EdgeLists): string {
  return `${[
    renderPath(row),
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
    `[${lists.span_level}]`,
    `[${lists.span_interval}]`,
    `[${lists.span_user}]`,
    `[${lists.span_agent}]`,
    `[${lists.span_dims}]`,
    `[${lists.span_start_ms}]`,
    `[${lists.span_end_ms}]`,
    `[${lists.span_timed_out}]`,
    `[${lists.edge_level}]`,
    `[${lists.edge_ms}]`,
    `[${lists.edge_delta}]`,
    `[${lists.edge_starts}]`,
    `[${row.days}]`,
  ].join("\t")}\n`;
}

/** A row of open_sessions, by the names of its columns. */
export type OpenRow = ReturnType<typeof openRow>;

/** A session stays listed while an interval is open, or while its last end lies in the future: then it is resolved again. */
export function openRow(
  { organization, session }: Pick<SessionPath, "organization" | "session">,
  { deadlineMs: nextMs, lastEndMs }: Pick<SpanSummary, "deadlineMs" | "lastEndMs">,
  version: number,
  nowMs: number,
) {
  const deadlineMs = nextMs || (lastEndMs > nowMs ? lastEndMs : 0);
  return { organization, session, version, deadline_ms: deadlineMs, is_deleted: deadlineMs === 0 ? 1 : 0 };
}

export function renderOpenRow({ organization, session, version, deadline_ms, is_deleted }: OpenRow): string {
  return `${escapeColumn(organization)}\t${escapeColumn(session)}\t${version}\t${deadline_ms}\t${is_deleted}\n`;
}

/** The columns of what a session is called, and of where it stands. */
export const renderPath = ({ organization, session, partner, reseller }: Omit<SessionPath, "room">) =>
  `${escapeColumn(organization)}\t${escapeColumn(session)}\t${escapeColumn(partner)}\t${escapeColumn(reseller)}`;

/** Each list as it is written, without the brackets: so that one can be appended to another. */
export function renderLists<Columns extends Record<string, readonly string[] | readonly number[]>>(
  columns: Columns,
): Record<keyof Columns, string> {
  const rendered = {} as Record<keyof Columns, string>;
  for (const name in columns) rendered[name] = renderList(columns[name] as readonly string[] | readonly number[]);
  return rendered;
}

/** The same, a step for each list. */
function* renderSteps<Columns extends Record<string, readonly string[] | readonly number[]>>(
  columns: Columns,
): Generator<undefined, Record<keyof Columns, string>> {
  const rendered = {} as Record<keyof Columns, string>;
  for (const name in columns) {
    rendered[name] = renderList(columns[name] as readonly string[] | readonly number[]);
    yield;
  }
  return rendered;
}

const renderList = (values: readonly string[] | readonly number[]) =>
  typeof values[0] === "string" ? texts(values as readonly string[]) : numbers(values as readonly number[]);

/** Lists as they are written, one behind the other; `empty` where there are none. */
export function joinLists<Name extends string>(
  empty: Readonly<Record<Name, string>>,
  lists: readonly Readonly<Record<Name, string>>[],
): Readonly<Record<Name, string>> {
  const [first = empty] = lists;
  if (lists.length < 2) return first;
  const names = Object.keys(empty) as Name[];
  const joined = names.map((name) => [name, lists.map((list) => list[name]).join(",")]);
  return Object.fromEntries(joined) as Record<Name, string>;
}

export const emptyPlaces = renderLists(spanPlaceColumns([]));
export const emptyEnds = renderLists(spanEndColumns([]));
export const emptyEdges = renderLists(edgeColumns([]));

/** Larger than all but instants. */
const leastInstant = 1e12;
const threeDigits = Array.from({ length: 1_000 }, (_, value) => String(value).padStart(3, "0"));

/** An instant is written in two parts: by one large number the text of it takes more than twice the time. */
function numbers(values: readonly number[]): string {
  const list = values.map((value) => {
    if (value < leastInstant) return value;
    const seconds = Math.floor(value / 1_000);
    return `${seconds}${threeDigits[value - seconds * 1_000]}`;
  });
  return list.join(",");
}

const quote = /'/g;
/** Quoted texts, escaped as a column is, and the quote itself. */
function texts(values: readonly string[]): string {
  let last: string | undefined;
  let written = "";
  const list = values.map((value) => {
    if (value === last) return written;
    const escaped = value === "" ? "" : escapeColumn(value);
    last = value;
    written = `'${escaped.includes("'") ? escaped.replace(quote, "\\'") : escaped}'`;
    return written;
  });
  // Not by concatenation: what is kept of that is a tree of its pieces, which is walked again by all that it becomes a part of.
  return list.join(",");
}
