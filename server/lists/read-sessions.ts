/**
 * Sessions and their intervals as storage has resolved them (server/rollups/resolve-session.ts has the rules). Each page
 * shows sessions as they are when it is made: one whose start moves because an earlier one arrived late moves in the list.
 */
import { z } from "zod";
import { type Filter, filterParams, paramsOfFilters } from "../catalog/filters.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { countKeySchema, instantKeySchema } from "../contract/cursors.ts";
import type { SessionAnswer, SessionState, SessionSummary } from "../contract/sessions.ts";
import { parseJson } from "../json/parse-json.ts";
import { nodeFilter, nodeParams } from "../metrics/node-filter.ts";

const sessionRow = z.object({
  organization: z.string(),
  session: z.string(),
  partner: z.string(),
  reseller: z.string(),
  room: z.string(),
  first_ms: numberColumn,
  last_ms: numberColumn,
  is_open: numberColumn,
  peak: numberColumn,
  peak_ms: numberColumn,
  orphans: numberColumn,
  inverted: numberColumn,
  participants: numberColumn,
  open_intervals: numberColumn,
  timed_out: numberColumn,
  spans: z.array(
    z.tuple([z.string(), z.string(), z.string(), z.string(), z.string(), numberColumn, numberColumn, numberColumn]),
  ),
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
    max_spans: z.number(),
    spans_from_ms: z.number(),
    spans_after: z.number(),
  }),
  sessionRow,
);

/** What sessions can be filtered by; `user` and `agent` by those of any interval in them. */
export const sessionDimensions: ReadonlySet<string> = new Set(["room", "user", "agent", "session", "organization"]);

/** The key of a session in the order of the list: sessions before it come on later pages. */
export const sessionKeySchema = z.tuple([instantKeySchema, z.string(), z.string()]);
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
    max_spans: 0,
    spans_from_ms: 0,
    spans_after: 0,
  });
  return rows.map((row) => ({
    summary: summaryOf(row, node.agent !== "", nowMs),
    key: [row.first_ms, row.organization, row.session],
  }));
}

/** Where the intervals of a session go on: ms since 1970, UTC, and how many that start then were shown. */
export const intervalKeySchema = z.tuple([instantKeySchema, countKeySchema.max(1_000_000_000)]);
export type IntervalKey = z.infer<typeof intervalKeySchema>;

/**
 * One session with the next `limit` intervals of `node` in it, in the order of their starts, and where the ones after them
 * begin; undefined where the node has none of that name. No more of them than that are read.
 */
export async function readSession(
  clickhouse: ClickHouse,
  { node, organization, session }: { node: string; organization: string; session: string },
  { after, limit }: { after: IntervalKey | undefined; limit: number },
  nowMs: number,
): Promise<{ session: SessionSummary & Pick<SessionAnswer, "intervals">; next: IntervalKey | undefined } | undefined> {
  const [fromMs, shown] = after ?? [0, 0];
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
    max_spans: limit + 1,
    spans_from_ms: fromMs,
    spans_after: shown,
  });
  if (!row) return undefined;
  const page = row.spans.slice(0, limit);
  const found = { ...summaryOf(row, filter.agent !== "", nowMs), intervals: page.map(intervalOf(nowMs)) };
  return { session: found, next: row.spans.length > limit ? keyAfter(page, after) : undefined };
}

/** What late events bring in before it moves nothing that was shown: only those of one instant are counted. */
function keyAfter(page: SessionRow["spans"], after: IntervalKey | undefined): IntervalKey | undefined {
  const startMs = page.at(-1)?.[5];
  if (startMs === undefined) return undefined;
  const inPage = page.filter((span) => span[5] === startMs).length;
  return [startMs, inPage + (after?.[0] === startMs ? after[1] : 0)];
}

/** `isOfAgent`: the row has only one agent's intervals, so what storage keeps of the whole session says nothing of it. */
function summaryOf(row: SessionRow, isOfAgent: boolean, nowMs: number): SessionSummary {
  const { first_ms: firstMs, last_ms: lastMs } = row;
  const isOpen = row.is_open === 1;
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
    peak_participants: row.peak,
    peak_at: row.peak === 0 ? null : isoOf(row.peak_ms),
    open_intervals: row.open_intervals,
    timed_out: row.timed_out,
    orphans: isOfAgent ? null : row.orphans,
    inverted: isOfAgent ? null : row.inverted,
  };
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
