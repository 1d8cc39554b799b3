/** Why a figure is what it is: how many events are behind one window of a meter, and which. */
import { z } from "zod";
import { typesBehind } from "../catalog/catalog.ts";
import type { Filter } from "../catalog/filters.ts";
import type { Meter } from "../catalog/meter.ts";
import { traitsOf } from "../catalog/rule-traits.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { storedColumnsSchema } from "../clickhouse/event-columns.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { instantKeySchema } from "../contract/cursors.ts";
import { eventNameSchema, nameOfStored, storedId } from "../ingest/accept/event-identity.ts";
import { nodeFilter } from "../metrics/node-filter.ts";
import { chosenBy, chosenParams } from "../metrics/scope.ts";

const asked = chosenParams.extend({
  types: z.array(z.string()),
  levels: z.array(z.string()),
  custom: z.number(),
  from_ms: z.number(),
  to_ms: z.number(),
  since_ms: z.number(),
});
const eventRow = storedColumnsSchema.extend({ declared_dims: z.string() });
export type ExplainedRow = z.output<typeof eventRow>;

const explainEvents = defineQuery(
  "explain_events",
  asked.extend({ before_ms: z.number(), before_organization: z.string(), before_id: z.string() }),
  eventRow,
);
const explainCount = defineQuery(
  "explain_count",
  asked,
  z.object({ events: numberColumn, last_received_ms: numberColumn }),
);

export const explainKeySchema = z.tuple([instantKeySchema, z.string(), eventNameSchema]);
export type ExplainKey = z.infer<typeof explainKeySchema>;

export interface ExplainQuestion {
  meter: Meter;
  node: string;
  filters: readonly Filter[];
  fromMs: number;
  /** Exclusive, not after now. */
  toMs: number;
  /** Only events after this one in the list, which has the newest first. */
  after: ExplainKey | undefined;
  limit: number;
}

export interface Explanation {
  events: number;
  /** When the newest of them was received, ms since 1970; undefined when there are none. */
  lastReceivedMs: number | undefined;
  sample: ExplainedRow[];
  next: ExplainKey | undefined;
}

export async function explainFigure(clickhouse: ClickHouse, question: ExplainQuestion): Promise<Explanation> {
  const { meter, node, filters, fromMs, toMs, after, limit } = question;
  const { rule, custom } = meter;
  const scope = {
    node: nodeFilter(node),
    filters: [...filters, ...(custom?.filters ?? [])],
    split: undefined,
    isCustom: custom !== undefined,
    range: { fromMs, toMs, windows: [] },
  };
  const levels = traitsOf(rule).levels();
  const params = {
    ...chosenBy(scope),
    types: [...new Set([...typesBehind(rule), ...(levels.length > 0 ? ["session.ended"] : [])])],
    levels,
    custom: custom ? 1 : 0,
    from_ms: fromMs,
    to_ms: toMs,
    since_ms: rule.kind === "value_level" ? 0 : fromMs,
  };
  const [before_ms, before_organization, before] = after ?? [Number.MAX_SAFE_INTEGER, "", { id: "" }];
  const [[counted], rows] = await Promise.all([
    explainCount(clickhouse, params),
    explainEvents(clickhouse, {
      ...params,
      before_ms,
      before_organization,
      before_id: storedId(before),
      most: limit + 1,
    }),
  ]);
  const sample = rows.slice(0, limit);
  const last = sample.at(-1);
  return {
    events: counted?.events ?? 0,
    lastReceivedMs: counted && counted.events > 0 ? counted.last_received_ms : undefined,
    sample,
    next: rows.length > limit && last ? [last.time_ms, last.organization, nameOfStored(last.id)] : undefined,
  };
}
