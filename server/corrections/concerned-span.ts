/** The time whose figures an event can change, by coming late or by being corrected, and with it those whose figures they are. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import type { EventRow } from "../clickhouse/event-columns.ts";
import { limits } from "../contract/events.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { amountOf } from "../ingest/accept/amount-unit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { ownersWithin } from "../tree/past-owners.ts";

const millis = z.coerce.number();
const sessionSpan = defineQuery(
  "session_span",
  z.object({ organization: z.string(), session: z.string(), interval: z.string() }),
  z.object({ first_ms: millis, last_ms: millis }),
);

/** A range of an organization's time: ms since 1970, UTC, both ends included. */
export interface ConcernedSpan {
  organization: string;
  fromMs: number;
  toMs: number;
}

/**
 * An event that begins, keeps alive or ends something concerns the whole session: without its end an interval ends at its
 * last sign of life, which may lie long before.
 */
export async function concernedSpan(
  { clickhouse, tree }: { clickhouse: ClickHouse; tree: Pick<NodeTree, "pathsBetween"> },
  row: EventRow,
  nowMs: number,
): Promise<ConcernedSpan> {
  const { organization, time_ms, started_ms, session, interval } = row;
  const instants = [time_ms, ...(started_ms === 0 ? [] : [started_ms, endOfSpan(row, nowMs)])];
  const span = { organization, fromMs: Math.min(...instants), toMs: Math.max(...instants) };
  const hasMoved =
    tree.pathsBetween(nodeAddress("organization", organization), Date.parse(limits.oldestTime), nowMs).length > 1;
  if (!hasMoved || row.level === "" || (session === "" && interval === "")) return span;
  const [known] = await sessionSpan(clickhouse, { organization, session, interval });
  if (!known || known.last_ms === 0) return span;
  return { organization, fromMs: Math.min(span.fromMs, known.first_ms), toMs: Math.max(span.toMs, known.last_ms) };
}

/** A span lasts as long as its amount says; what is still to come is nobody's past. */
function endOfSpan({ level_action, started_ms, time_ms, value, dims }: EventRow, nowMs: number): number {
  if (level_action !== "span" || value === null) return time_ms;
  const lengthMs = Number(value) * (amountOf(value, dims).seconds === undefined ? 60_000 : 1_000);
  return Math.min(started_ms + lengthMs, Math.max(nowMs, time_ms));
}

/** All that the organization was, or stood below, in the span. */
export function ownersOf(tree: Pick<NodeTree, "pathsBetween">, span: ConcernedSpan): NodeAddress[] {
  return ownersWithin(tree, nodeAddress("organization", span.organization), span.fromMs, span.toMs);
}
