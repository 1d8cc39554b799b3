/**
 * The usage events behind the figures, newest first by (time, organization, id). A list is bound to what could be queried
 * when it began (as-of.ts): events that are stored later, whatever their time, are in none of its pages. Pages go on from the last event's key, so none is skipped or repeated.
 */

import { z } from "zod";
import { type Filter, filterParams, paramsOfFilters } from "../catalog/filters.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { instantKeySchema } from "../contract/cursors.ts";
import { hourMs } from "../contract/durations.ts";
import { limits } from "../contract/events.ts";
import type { UsageRecord } from "../contract/records.ts";
import { eventOfRow } from "../corrections/amend-event.ts";
import type { GivenEvent } from "../ingest/accept/event-gate.ts";
import { eventNameSchema, nameOfStored, storedId } from "../ingest/accept/event-identity.ts";
import { type AsOf, asOfParams, paramsOfAsOf } from "../metrics/as-of.ts";
import { nodeFilter, nodeParams } from "../metrics/node-filter.ts";

const recordRow = z.object({
  organization: z.string(),
  id: z.string(),
  type: z.string(),
  agent: z.string(),
  user: z.string(),
  session: z.string(),
  room: z.string(),
  interval: z.string(),
  job: z.string(),
  started_ms: numberColumn,
  properties: z.string(),
  declared_dims: z.string(),
  partner: z.string(),
  reseller: z.string(),
  key: z.string(),
  sign: numberColumn,
  time_ms: numberColumn,
  received_ms: numberColumn,
  value: z.string().nullable(),
});
type RecordRow = z.output<typeof recordRow>;

const records = defineQuery(
  "records",
  nodeParams.extend({
    ...filterParams.shape,
    from_ms: z.number(),
    to_ms: z.number(),
    ...asOfParams.shape,
    voided: z.number(),
    before_ms: z.number(),
    before_organization: z.string(),
    before_id: z.string(),
    most: z.number(),
  }),
  recordRow,
);

/** The filters for events of every type, beside the dimensions that their types declare. */
export const recordDimensions = [
  "type",
  "organization",
  "agent",
  "user",
  "session",
  "room",
  "job",
  "interval",
  "key",
  "id",
  "source",
] as const;

/** The key of an event in the order of the list: events before it come on later pages. */
export const recordKeySchema = z.tuple([instantKeySchema, z.string(), eventNameSchema]);
export type RecordKey = z.infer<typeof recordKeySchema>;

export interface RecordsQuestion {
  node: string;
  filters: readonly Filter[];
  fromMs: number | undefined;
  /** Exclusive. */
  toMs: number | undefined;
  /** What could be queried when the list began. */
  asOf: AsOf;
  /** Includes events that do not count any more. */
  withVoided: boolean;
  /** Only what comes after this one in the list. */
  after: RecordKey | undefined;
}

/** The first look goes this far back; without enough events there, the next one 8 times as far. */
const firstSpanMs = hourMs;
const spanGrowth = 8;
const shortestSpanMs = 1_000;

/** As `UsageRecord`, its numbers exact; to be written by `stringifyExact`. */
export type ExactRecord = Omit<UsageRecord, "properties"> & Pick<Required<GivenEvent>, "properties">;

export interface ReadRecord {
  record: ExactRecord;
  key: RecordKey;
}

/**
 * The events of a question, newest first, in groups of up to `groupSize`; nothing is read before it is asked for. Each
 * look reads a span of time that is likely to hold one group, so that its cost does not grow with what lies before it.
 */
export async function* readRecords(
  clickhouse: ClickHouse,
  question: RecordsQuestion,
  groupSize: number,
  nowMs: number,
): AsyncGenerator<ReadRecord[]> {
  const fromMs = Math.max(question.fromMs ?? 0, Date.parse(limits.oldestTime));
  let toMs = Math.min(question.toMs ?? Number.MAX_SAFE_INTEGER, nowMs + limits.maxAheadMs + 1);
  let after: RecordKey = question.after ?? [toMs, "", { id: "" }];
  let spanMs = firstSpanMs;
  let group: ReadRecord[] = [];
  for (toMs = Math.min(toMs, after[0] + 1); toMs > fromMs; ) {
    // What lies ahead of now is little: it comes with the first look.
    const sinceMs = Math.max(fromMs, Math.min(toMs, nowMs) - spanMs);
    const most = groupSize - group.length;
    const rows = await records(clickhouse, {
      ...nodeFilter(question.node),
      ...paramsOfFilters(question.filters),
      from_ms: sinceMs,
      to_ms: toMs,
      ...paramsOfAsOf(question.asOf),
      voided: question.withVoided ? 1 : 0,
      before_ms: after[0],
      before_organization: after[1],
      before_id: storedId(after[2]),
      most,
    });
    group.push(...rows.map((row) => ({ record: recordOf(row), key: keyOf(row) })));
    const last = rows.at(-1);
    if (last) after = keyOf(last);
    if (last && rows.length === most) {
      spanMs = Math.max(shortestSpanMs, 2 * (toMs - last.time_ms));
      toMs = last.time_ms + 1;
      yield group;
      group = [];
    } else {
      spanMs *= spanGrowth;
      toMs = sinceMs;
    }
  }
  if (group.length > 0) yield group;
}

const keyOf = ({ time_ms, organization, id }: RecordRow): RecordKey => [time_ms, organization, nameOfStored(id)];

function recordOf(row: RecordRow): ExactRecord {
  const isoOf = (ms: number) => new Date(ms).toISOString();
  const name = nameOfStored(row.id);
  const { properties = {}, ...sent } = eventOfRow({ ...row, ...name, dims: row.declared_dims });
  return {
    ...name,
    ...sent,
    properties,
    received_at: isoOf(row.received_ms),
    partner: row.partner || null,
    reseller: row.reseller || null,
    key: row.key,
    ...(row.sign < 0 && { voided: true as const }),
  };
}
