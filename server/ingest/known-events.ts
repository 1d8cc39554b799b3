/** Reads from storage which events were taken before, and with which body. */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { limits } from "../contract/events.ts";

const found = z.object({ organization: z.string(), id: z.string(), body_hash: z.string() });
const keys = z.object({ organizations: z.array(z.string()), ids: z.array(z.string()) });
const knownIds = defineQuery("known_ids", keys, found);
const knownOldEvents = defineQuery("known_old_events", keys.extend({ times: z.array(z.number()) }), found);

export interface EventIdentity {
  organization: string;
  id: string;
  timeMs: number;
}

export const identityKey = ({ organization, id }: { organization: string; id: string }) => `${organization}\0${id}`;

/**
 * The body hashes (UInt64 as digits) of those events that are stored, by `identityKey`. By id alone for what was received
 * in the last 35 days, by id and time for older events.
 */
export async function findStoredEvents(
  clickhouse: ClickHouse,
  events: readonly EventIdentity[],
  nowMs: number,
): Promise<Map<string, string>> {
  const oldBeforeMs = nowMs - limits.dedupeByIdDays * 24 * 60 * 60 * 1000;
  const old = events.filter((event) => event.timeMs < oldBeforeMs);
  const columns = (list: readonly EventIdentity[]) => ({
    organizations: list.map((event) => event.organization),
    ids: list.map((event) => event.id),
  });
  const [byId, byTime] = await Promise.all([
    events.length > 0 ? knownIds(clickhouse, columns(events)) : [],
    old.length > 0 ? knownOldEvents(clickhouse, { ...columns(old), times: old.map((event) => event.timeMs) }) : [],
  ]);
  return new Map([...byTime, ...byId].map((row) => [identityKey(row), row.body_hash]));
}
