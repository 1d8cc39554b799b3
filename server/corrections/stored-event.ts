/** One event as storage holds it, by its identity. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { type EventRow, eventRowSchema, storedColumnsSchema } from "../clickhouse/event-columns.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import { limits } from "../contract/events.ts";
import { type EventName, nameOfStored, storedId } from "../ingest/accept/event-identity.ts";

const storedEvent = defineQuery(
  "stored_event",
  z.object({
    organization: z.string(),
    id: z.string(),
    any_source: z.number(),
    from_ms: z.number(),
    to_ms: z.number(),
  }),
  storedColumnsSchema.extend({ batch: numberColumn, sign: numberColumn }),
);

export interface StoredEvent {
  /** With the source that it has. */
  name: EventName;
  /** As it counts now; undefined when it was voided. */
  current: EventRow | undefined;
  /** The batch of its newest row. */
  batch: number;
}

/** Several sources have an event with the id, so the caller may have meant another one. */
export class SeveralSourcesError extends Error {}

/**
 * Undefined when there never was such an event. `timeMs`: its time, where the caller knows it; else all time is searched.
 * Without a source it is the event that was sent without one, else the only one of that id. Throws SeveralSourcesError.
 */
export async function findStoredEvent(
  clickhouse: ClickHouse,
  organization: string,
  { id, source }: EventName,
  timeMs: number | undefined,
): Promise<StoredEvent | undefined> {
  const from_ms = timeMs ?? Date.parse(limits.oldestTime);
  const to_ms = timeMs === undefined ? Date.now() + limits.maxAheadMs + 1 : timeMs + 1;
  const asked = {
    organization,
    id: storedId({ id, source }),
    any_source: source === undefined ? 1 : 0,
    from_ms,
    to_ms,
  };
  const found = await storedEvent(clickhouse, asked);
  const named = found.some((row) => row.id === id) ? found.filter((row) => row.id === id) : found;
  if (new Set(named.map((row) => row.id)).size > 1)
    throw new SeveralSourcesError("several sources have an event with this ID; set `source`");
  const rows = named.map((row) => ({ ...row, ...nameOfStored(row.id) }));
  const [first] = rows;
  if (!first) return undefined;
  const newest = rows.reduce<number>((latest, row) => Math.max(latest, row.batch), 0);
  const counting = rows.find((row) => row.sign === 1);
  const name = { id: first.id, source: first.source };
  return { name, current: counting && eventRowSchema.parse(counting), batch: newest };
}
