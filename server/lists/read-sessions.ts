/**
 * Sessions and their intervals as storage has resolved them (server/rollups/resolve-session.ts has the rules). Each page
 * shows sessions as they are when it is made: one whose start moves because an earlier one arrived late moves in the list.
 */
import { z } from "zod";
import { type Filter, filterParams, paramsOfFilters } from "../catalog/filters.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import type { SessionAnswer, SessionState, SessionSummary } from "../contract/sessions.ts";
import { parseJson } from "../json/parse-json.ts";
import { nodeFilter, nodeParams } from "../metrics/node-filter.ts";
import { edgesOf, peakOf } from "../rollups/resolve-session.ts";

const millis = z.coerce.number();
const sessionRow = z.object({
  organization: z.string(),
  session: z.string(),
  partner: z.string(),
  reseller: z.string(),
  room: z.string(),
  first_ms: millis,
  last_ms: millis,
  is_open: millis,
  peak_participants: millis,
  peak_at_ms: millis,
  orphans: millis,
  inverted: millis,
  participants: millis,
  open_intervals: millis,
  timed_out: millis,
  spans: z.array(z.tuple([z.string(), z.string(), z.string(), z.string(), z.string(), millis, millis, millis])),
});
type SessionRow = z.output<typeof sessionRow>;

const sessions = defineQuery(
  "sessions",
  nodeParams.extend({
    ...filterParams.shape,
    organization: z.string(),
    session: z.string(),
    state: z.string(),
    from_ms: z.number(),
    to_ms: z.number(),
    now_ms: z.number(),
    before_ms: z.number(),
    before_organization: z.string(),
    before_session: z.string(),
    most: z.number(),
    with_spans: z.number(),
  }),
  sessionRow,
);

/** What sessions can be filtered by; `user` and `agent` by those of any interval in them. */
export const sessionDimensions: ReadonlySet<string> = new Set(["room", "user", "agent", "session", "organization"]);

/** The key of a session in the order of the list: sessions before it come on later pages. */
export const sessionKeySchema = z.tuple([z.number(), z.string(), z.string()]);
export type SessionKey = z.infer<typeof sessionKeySchema>;

export interface SessionsQuestion {
  node: string;
  filters: readonly Filter[];
  state: SessionState | undefined;
  fromMs: number | undefined;
  /** Exclusive. */
  toMs: number | undefined;
  /** Only what comes after this one in the list. */
  after: SessionKey | undefined;
}

const noFilters = paramsOfFilters([]);

/** The sessions of a question with their keys, newest first, at most `most`. */
export async function readSessions(
  clickhouse: ClickHouse,
  question: SessionsQuestion,
  most: number,
  nowMs: number,
): Promise<{ summary: SessionSummary; key: SessionKey }[]> {
  const node = nodeFilter(question.node);
  const [beforeMs, beforeOrganization, beforeSession] = question.after ?? [Number.MAX_SAFE_INTEGER, "", ""];
  const rows = await sessions(clickhouse, {
    ...node,
    ...paramsOfFilters(question.filters),
    organization: "",
    session: "",
    state: question.state ?? "",
    from_ms: question.fromMs ?? 0,
    to_ms: question.toMs ?? Number.MAX_SAFE_INTEGER,
    now_ms: nowMs,
    before_ms: beforeMs,
    before_organization: beforeOrganization,
    before_session: beforeSession,
    most,
    with_spans: node.agent === "" ? 0 : 1,
  });
  return rows.map((row) => ({
    summary: summaryOf(row, node.agent !== "", nowMs),
    key: [row.first_ms, row.organization, row.session],
  }));
}

/** One session with the intervals of `node` in it; undefined where the node has none of that name. */
export async function readSession(
  clickhouse: ClickHouse,
  node: string,
  { organization, session }: { organization: string; session: string },
  nowMs: number,
): Promise<Omit<SessionAnswer, "watermark"> | undefined> {
  const filter = nodeFilter(node);
  const [row] = await sessions(clickhouse, {
    ...filter,
    ...noFilters,
    organization,
    session,
    state: "",
    from_ms: 0,
    to_ms: Number.MAX_SAFE_INTEGER,
    now_ms: nowMs,
    before_ms: Number.MAX_SAFE_INTEGER,
    before_organization: "",
    before_session: "",
    most: 1,
    with_spans: 1,
  });
  return row && { ...summaryOf(row, filter.agent !== "", nowMs), intervals: row.spans.map(intervalOf(nowMs)) };
}

/** `isOfAgent`: the row has only one agent's intervals, so what storage keeps of the whole session says nothing of it. */
function summaryOf(row: SessionRow, isOfAgent: boolean, nowMs: number): SessionSummary {
  const { first_ms: firstMs, last_ms: lastMs } = row;
  const isOpen = row.is_open === 1;
  const peak = isOfAgent ? peakOfSpans(row.spans) : { value: row.peak_participants, atMs: row.peak_at_ms };
  return {
    organization: row.organization,
    session: row.session,
    room: row.room || null,
    partner: row.partner || null,
    reseller: row.reseller || null,
    state: isOpen ? "open" : "ended",
    started_at: firstMs === 0 ? null : isoOf(firstMs),
    ended_at: isOpen || firstMs === 0 ? null : isoOf(lastMs),
    duration_ms: firstMs === 0 ? 0 : Math.max(0, (isOpen ? nowMs : lastMs) - firstMs),
    participants: row.participants,
    peak_participants: peak.value,
    peak_at: peak.value === 0 ? null : isoOf(peak.atMs),
    open_intervals: row.open_intervals,
    timed_out: row.timed_out,
    orphans: isOfAgent ? null : row.orphans,
    inverted: isOfAgent ? null : row.inverted,
  };
}

function peakOfSpans(spans: SessionRow["spans"]): { value: number; atMs: number } {
  const edges = edgesOf(
    spans.map(([level, , , , , startMs, endMs]) => ({ level, startMs, endMs: endMs === 0 ? undefined : endMs })),
  );
  return peakOf(edges.filter((edge) => edge.level === "participants"));
}

function intervalOf(nowMs: number) {
  return ([level, interval, user, agent, dims, startMs, endMs, timedOut]: SessionRow["spans"][number]) => ({
    level,
    interval: interval || null,
    user: user || null,
    agent: agent || null,
    dimensions: dims === "" ? {} : (parseJson(dims) as Record<string, string>),
    start: isoOf(startMs),
    end: endMs === 0 ? null : isoOf(endMs),
    open: endMs === 0,
    timed_out: timedOut === 1,
    duration_ms: Math.max(0, (endMs === 0 ? nowMs : endMs) - startMs),
  });
}

const isoOf = (ms: number) => new Date(ms).toISOString();
