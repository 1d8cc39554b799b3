/** Intervals that count nowhere, or otherwise than they were sent, as of now: one whose start arrives leaves the list. */
import { z } from "zod";
import { type Filter, filterParams, paramsOfFilters } from "../catalog/filters.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { instantKeySchema } from "../contract/cursors.ts";
import { type Orphan, orphanKinds } from "../contract/orphans.ts";
import { nodeFilter, nodeParams } from "../metrics/node-filter.ts";

const orphanRow = z.object({
  found_kind: z.enum(orphanKinds),
  organization: z.string(),
  placed: z.string(),
  level: z.string(),
  interval: z.string(),
  user: z.string(),
  agent: z.string(),
  room: z.string(),
  started_ms: numberColumn,
  ended_ms: numberColumn,
  seen_ms: numberColumn,
});
type OrphanRow = z.output<typeof orphanRow>;

const orphans = defineQuery(
  "orphans",
  nodeParams.extend({
    ...filterParams.shape,
    kinds: z.array(z.string()),
    from_ms: z.number(),
    to_ms: z.number(),
    before_ms: z.number(),
    before_key: z.array(z.string()),
    most: z.number(),
  }),
  orphanRow,
);

export const orphanDimensions: ReadonlySet<string> = new Set([
  "level",
  "organization",
  "session",
  "room",
  "user",
  "agent",
  "interval",
]);

/** The key in the order of the list: what comes before it stands on later pages. */
export const orphanKeySchema = z.tuple([instantKeySchema, z.array(z.string())]);
export type OrphanKey = z.infer<typeof orphanKeySchema>;

export interface OrphansQuestion {
  node: string;
  kinds: readonly Orphan["kind"][];
  filters: readonly Filter[];
  fromMs: number | undefined;
  /** Exclusive. */
  toMs: number | undefined;
  /** Only what comes after this one in the list. */
  after: OrphanKey | undefined;
}

/** At most `most`, by their last sign of life, newest first. */
export async function readOrphans(
  clickhouse: ClickHouse,
  question: OrphansQuestion,
  most: number,
): Promise<{ orphan: Orphan; key: OrphanKey }[]> {
  const [beforeMs, beforeKey] = question.after ?? [Number.MAX_SAFE_INTEGER, []];
  const rows = await orphans(clickhouse, {
    ...nodeFilter(question.node),
    ...paramsOfFilters(question.filters),
    kinds: [...question.kinds],
    from_ms: question.fromMs ?? 0,
    to_ms: question.toMs ?? Number.MAX_SAFE_INTEGER,
    before_ms: beforeMs,
    before_key: beforeKey,
    most,
  });
  return rows.map((row) => ({
    orphan: orphanOf(row),
    key: [row.seen_ms, [row.organization, row.placed, row.level, row.interval, row.user]],
  }));
}

function reasonOf({ found_kind, started_ms, seen_ms }: OrphanRow): Orphan["reason"] {
  if (found_kind === "orphan") return "no_start";
  if (found_kind === "inverted") return "ends_before_start";
  return seen_ms > started_ms ? "fell_silent" : "no_sign_of_life";
}

function orphanOf(row: OrphanRow): Orphan {
  const isoOf = (ms: number) => (ms === 0 ? null : new Date(ms).toISOString());
  const isPlaced = row.interval === "" || row.placed !== `interval:${row.interval}`;
  return {
    kind: row.found_kind,
    reason: reasonOf(row),
    organization: row.organization,
    session: isPlaced ? row.placed : null,
    room: row.room || null,
    level: row.level,
    interval: row.interval || null,
    user: row.user || null,
    agent: row.agent || null,
    started_at: isoOf(row.started_ms),
    ended_at: isoOf(row.ended_ms),
    seen_at: new Date(row.seen_ms).toISOString(),
  };
}
