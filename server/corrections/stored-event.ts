/** One event as storage holds it, by its identity. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { limits } from "../contract/events.ts";

const millis = z.coerce.number();

/** The columns of usage_events that an event decides; instants in ms since 1970, UTC. */
export const eventRowSchema = z.object({
  organization: z.string(),
  id: z.string(),
  /** UInt64 as decimal digits. */
  body_hash: z.string(),
  time_ms: millis,
  received_ms: millis,
  type: z.string(),
  partner: z.string(),
  reseller: z.string(),
  agent: z.string(),
  user: z.string(),
  session: z.string(),
  room: z.string(),
  interval: z.string(),
  job: z.string(),
  started_ms: millis,
  value: z.string().nullable(),
  properties: z.string(),
  dims: z.string(),
  level: z.string(),
  level_action: z.string(),
  alive_within_ms: millis,
  key: z.string(),
});
export type EventRow = z.output<typeof eventRowSchema>;

const storedEvent = defineQuery(
  "stored_event",
  z.object({ organization: z.string(), id: z.string(), from_ms: z.number(), to_ms: z.number() }),
  eventRowSchema.extend({ batch: millis, sign: millis }),
);

export interface StoredEvent {
  /** As it counts now; undefined when it was voided. */
  current: EventRow | undefined;
  /** The batch of its newest row. */
  batch: number;
}

/** Undefined when there never was such an event. `timeMs`: its time, where the caller knows it; else all time is searched. */
export async function findStoredEvent(
  clickhouse: ClickHouse,
  organization: string,
  id: string,
  timeMs: number | undefined,
): Promise<StoredEvent | undefined> {
  const from_ms = timeMs ?? Date.parse(limits.oldestTime);
  const to_ms = timeMs === undefined ? Date.now() + limits.maxAheadMs + 1 : timeMs + 1;
  const rows = await storedEvent(clickhouse, { organization, id, from_ms, to_ms });
  const newest = rows.reduce<number>((latest, row) => Math.max(latest, row.batch), 0);
  if (rows.length === 0) return undefined;
  const counting = rows.find((row) => row.sign === 1);
  return { current: counting && eventRowSchema.parse(counting), batch: newest };
}
