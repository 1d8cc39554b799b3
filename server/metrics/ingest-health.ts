/** Outcomes of the events that keys sent, and how soon queries saw them: the answer of GET /v1/ingest-health. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { minuteMs } from "../contract/durations.ts";
import type { RejectionCode, WarningCode } from "../contract/events.ts";
import type { IngestCounts, IngestHealth, IngestWindow, LatenessReason } from "../contract/ingest-health.ts";
import { nodeFilter, nodeParams } from "./node-filter.ts";
import { formatInstant, windowsInSlices } from "./windows.ts";

const ingestOutcomes = defineQuery(
  "ingest_outcomes",
  nodeParams.extend({ from_ms: z.number(), to_ms: z.number(), bounds: z.array(z.number()), by: z.string() }),
  z.object({
    window_ms: numberColumn,
    group_key: z.string(),
    outcome: z.enum(["accepted", "duplicate", "rejected", "late", "unmatched", "warned"]),
    reason: z.string(),
    events: numberColumn,
  }),
);
const freshnessRow = z.object({
  p50_ms: numberColumn.nullable(),
  p99_ms: numberColumn.nullable(),
  events: numberColumn,
});
const readFreshness = defineQuery("freshness", z.object({ from_ms: z.number(), to_ms: z.number() }), freshnessRow);

export interface IngestQuestion {
  node: string;
  /** Whole minutes, ms since 1970; see `wholeMinutes`. */
  fromMs: number;
  toMs: number;
  window: IngestWindow;
  tz: string;
  groupBy: "key" | "organization" | undefined;
  /** What the groups that the reader may not know of are called together, by their keys; default: all are named. */
  namesOf?: ((keys: readonly string[]) => Promise<ReadonlyMap<string, string>>) | undefined;
}

const maxGroups = 100;

/** The minutes that the range touches, for outcomes are counted by whole minutes. */
export function wholeMinutes(fromMs: number, toMs: number): { fromMs: number; toMs: number } {
  return { fromMs: Math.floor(fromMs / minuteMs) * minuteMs, toMs: Math.ceil(toMs / minuteMs) * minuteMs };
}

/** Throws InvalidTimeError where the range has too many windows. */
export async function answerIngestHealth(
  clickhouse: ClickHouse,
  { node, fromMs, toMs, window, tz, groupBy, namesOf }: IngestQuestion,
  watermark: Date,
  nowMs: number,
): Promise<IngestHealth> {
  const windows = await windowsInSlices({ fromMs, toMs, window, tz, anchor: 1 });
  const range = { from_ms: fromMs, to_ms: toMs };
  const [rows, [freshness]] = await Promise.all([
    ingestOutcomes(clickhouse, {
      ...nodeFilter(node),
      ...range,
      bounds: windows.map(({ startMs }) => startMs),
      by: groupBy ?? "",
    }),
    readFreshness(clickhouse, range),
  ]);
  const names = namesOf && (await namesOf([...new Set(rows.map((row) => row.group_key))]));
  const total = noCounts();
  const byWindow = new Map(windows.map(({ startMs }) => [startMs, noCounts()]));
  const byGroup = new Map<string, IngestCounts>();
  for (const row of rows) {
    add(total, row);
    add(byWindow.get(row.window_ms) ?? noCounts(), row);
    const name = names?.get(row.group_key) ?? row.group_key;
    const group = byGroup.get(name) ?? noCounts();
    add(group, row);
    byGroup.set(name, group);
  }
  const sizeOf = ({ accepted, duplicates, rejected }: IngestCounts) => accepted + duplicates + rejected;
  return {
    node,
    from: formatInstant(fromMs, tz),
    to: formatInstant(toMs, tz),
    tz,
    window,
    watermark: watermark.toISOString(),
    total,
    series: windows.map(({ startMs, endMs, isPartial }) => {
      const { rejected_by: _, late_by: __, warned_by: ___, ...counts } = byWindow.get(startMs) ?? noCounts();
      return {
        start: formatInstant(startMs, tz),
        end: formatInstant(endMs, tz),
        partial: isPartial || endMs > nowMs,
        ...counts,
      };
    }),
    ...(groupBy && {
      groups: [...byGroup]
        .map(([key, counts]) => ({ key, ...counts }))
        .sort((a, b) => sizeOf(b) - sizeOf(a) || (a.key < b.key ? -1 : 1))
        .slice(0, maxGroups),
    }),
    freshness: freshnessOf(freshness, node === "all" ? undefined : total.accepted),
  };
}

/** Freshness is the same for all nodes; the number of events is that of the node alone. */
function freshnessOf(
  measured: z.infer<typeof freshnessRow> | undefined,
  ownEvents = measured?.events ?? 0,
): IngestHealth["freshness"] {
  if (!measured || measured.events === 0 || ownEvents === 0) return null;
  return { p50_ms: measured.p50_ms ?? 0, p99_ms: measured.p99_ms ?? 0, events: ownEvents };
}

function noCounts(): IngestCounts {
  return {
    accepted: 0,
    duplicates: 0,
    rejected: 0,
    late: 0,
    unmatched: 0,
    warned: 0,
    rejected_by: {},
    late_by: {},
    warned_by: {},
  };
}

function add(counts: IngestCounts, { outcome, reason, events }: { outcome: string; reason: string; events: number }) {
  switch (outcome) {
    case "accepted":
      counts.accepted += events;
      break;
    case "duplicate":
      counts.duplicates += events;
      break;
    case "unmatched":
      counts.unmatched += events;
      break;
    case "rejected": {
      const code = reason as RejectionCode;
      counts.rejected += events;
      counts.rejected_by[code] = (counts.rejected_by[code] ?? 0) + events;
      break;
    }
    case "warned": {
      const code = reason as WarningCode;
      counts.warned += events;
      counts.warned_by[code] = (counts.warned_by[code] ?? 0) + events;
      break;
    }
    case "late": {
      const bound = reason as LatenessReason;
      counts.late += events;
      counts.late_by[bound] = (counts.late_by[bound] ?? 0) + events;
      break;
    }
  }
}
