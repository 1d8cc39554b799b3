/** The rejected events, as far as a caller may see them, and the marks of those that were sent again. */
import { z } from "zod";
import { type Filter, filterParams, paramsOfFilters } from "../catalog/filters.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { countKeySchema, instantKeySchema } from "../contract/cursors.ts";
import { rejectionCodes } from "../contract/events.ts";
import { parseNode } from "../contract/node-address.ts";
import {
  type QuarantinedEvent,
  quarantineIdPattern,
  type ReplayResult,
  replayOutcomes,
} from "../contract/quarantine.ts";
import type { NodeTree } from "../tree/node-tree.ts";

const quarantineRow = z.object({
  batch: numberColumn,
  row: numberColumn,
  received_ms: numberColumn,
  organization: z.string(),
  id: z.string(),
  code: z.enum(rejectionCodes),
  field: z.string(),
  message: z.string(),
  key: z.string(),
  raw: z.string(),
  outcome: z.enum(["", ...replayOutcomes]),
  outcome_code: z.enum(["", ...rejectionCodes]),
  outcome_field: z.string(),
  outcome_message: z.string(),
  outcome_ms: numberColumn,
});
type QuarantineRow = z.output<typeof quarantineRow>;

const visibleParams = z.object({ everything: z.number(), organizations: z.array(z.string()), own_key: z.string() });
const idParams = z.object({ received: z.array(z.number()), batches: z.array(z.number()), rows: z.array(z.number()) });
const quarantine = defineQuery(
  "quarantine",
  visibleParams.extend({
    ...filterParams.shape,
    ...idParams.shape,
    status: z.string(),
    from_ms: z.number(),
    to_ms: z.number(),
    before_ms: z.number(),
    before_batch: z.number(),
    before_row: z.number(),
    most: z.number(),
  }),
  quarantineRow,
);
const markQuarantine = defineStatement(
  "mark_quarantine",
  idParams.extend({
    from_ms: z.number(),
    to_ms: z.number(),
    outcomes: z.array(z.string()),
    codes: z.array(z.string()),
    fields: z.array(z.string()),
    messages: z.array(z.string()),
    at_ms: z.number(),
  }),
);

export const quarantineDimensions: ReadonlySet<string> = new Set(["code", "key", "organization", "id"]);

/** Which events a caller may see: those of its organizations, and those without one that its own key has sent. */
export type Visible = z.infer<typeof visibleParams>;

/**
 * What is visible at `nodes` to the caller with this id. Events without an organization belong to no node: only the root
 * and who sent them see them. An agent's node has no events of its own: quarantine does not know agents.
 */
export function visibleAt(nodes: readonly string[], callerId: string, tree: Pick<NodeTree, "list">): Visible {
  const organizations = nodes.flatMap((node) => {
    const { kind, id } = parseNode(node);
    if (kind === "organization") return [id];
    if (kind === "agent" || kind === "all") return [];
    return tree.list([node], { kind: "organization", limit: Number.POSITIVE_INFINITY }).map((record) => record.id);
  });
  return { everything: nodes.includes("all") ? 1 : 0, organizations, own_key: callerId };
}

/** When it was received (ms since 1970), its batch, its row: the key in the order of the list. */
export const quarantineKeySchema = z.tuple([instantKeySchema, countKeySchema, countKeySchema]);
export type QuarantineKey = z.infer<typeof quarantineKeySchema>;

/** Throws on what `quarantineIdPattern` does not match. */
export function keyOfQuarantineId(id: string): QuarantineKey {
  const [, receivedMs, batch, row] = quarantineIdPattern.exec(id) ?? [];
  if (row === undefined) throw new Error(`not the ID of an event in quarantine: ${id}`);
  return [Number(receivedMs), Number(batch), Number(row)];
}

export interface QuarantineQuestion {
  visible: Visible;
  /** Only these; undefined: any. */
  ids?: readonly QuarantineKey[];
  status: "waiting" | "replayed" | "all";
  filters: readonly Filter[];
  /** Bounds of receipt; undefined: no bound. */
  fromMs: number | undefined;
  /** Exclusive. */
  toMs: number | undefined;
  /** Only what comes after this one in the list. */
  after: QuarantineKey | undefined;
}

export interface FoundQuarantined {
  event: QuarantinedEvent;
  key: QuarantineKey;
}

/** Later than every receipt: a bound that ClickHouse's times can hold. */
const endOfTimeMs = Date.UTC(2200, 0);

/** At most `most`, the latest received first. */
export async function readQuarantine(
  clickhouse: ClickHouse,
  question: QuarantineQuestion,
  most: number,
): Promise<FoundQuarantined[]> {
  const { ids = [], after, fromMs = 0, toMs = endOfTimeMs } = question;
  if (question.ids !== undefined && ids.length === 0) return [];
  const [beforeMs, beforeBatch, beforeRow] = after ?? [Number.MAX_SAFE_INTEGER, 0, 0];
  const rows = await quarantine(clickhouse, {
    ...question.visible,
    ...paramsOfFilters(question.filters),
    ...receiptsOf(ids, fromMs, Math.min(toMs, endOfTimeMs)),
    ...paramsOfIds(ids),
    status: question.status,
    before_ms: beforeMs,
    before_batch: beforeBatch,
    before_row: beforeRow,
    most,
  });
  return rows.map((row) => ({ event: eventOf(row), key: [row.received_ms, row.batch, row.row] }));
}

/** Records the outcome of sending these again. A repeat changes nothing but the time. */
export async function markReplayed(
  clickhouse: ClickHouse,
  results: readonly { key: QuarantineKey; result: ReplayResult }[],
  nowMs: number,
): Promise<void> {
  if (results.length === 0) return;
  const ids = results.map(({ key }) => key);
  await markQuarantine(clickhouse, {
    ...receiptsOf(ids, 0, endOfTimeMs),
    ...paramsOfIds(ids),
    outcomes: results.map(({ result }) => result.outcome),
    codes: results.map(({ result }) => result.code ?? ""),
    fields: results.map(({ result }) => result.field ?? ""),
    messages: results.map(({ result }) => result.message ?? ""),
    at_ms: nowMs,
  });
}

function paramsOfIds(ids: readonly QuarantineKey[]): z.infer<typeof idParams> {
  return { received: ids.map((id) => id[0]), batches: ids.map((id) => id[1]), rows: ids.map((id) => id[2]) };
}

/** The bounds of receipt within which these ids lie, so that only their part of the table is read. */
function receiptsOf(ids: readonly QuarantineKey[], fromMs: number, toMs: number): { from_ms: number; to_ms: number } {
  const received = ids.map(([receivedMs]) => receivedMs).filter((ms) => ms < endOfTimeMs);
  if (received.length === 0) return { from_ms: fromMs, to_ms: toMs };
  return { from_ms: Math.max(fromMs, Math.min(...received)), to_ms: Math.min(toMs, Math.max(...received) + 1) };
}

function eventOf(row: QuarantineRow): QuarantinedEvent {
  const isReplayed = row.outcome === "accepted" || row.outcome === "duplicate";
  return {
    id: `qtn_${row.received_ms}_${row.batch}_${row.row}`,
    received_at: new Date(row.received_ms).toISOString(),
    organization: row.organization || null,
    event_id: row.id || null,
    code: row.code,
    field: row.field || null,
    message: row.message,
    key: row.key,
    raw: row.raw,
    status: isReplayed ? "replayed" : "waiting",
    replay:
      row.outcome === ""
        ? null
        : {
            outcome: row.outcome,
            code: row.outcome_code || null,
            field: row.outcome_field || null,
            message: row.outcome_message || null,
            at: new Date(row.outcome_ms).toISOString(),
          },
  };
}
