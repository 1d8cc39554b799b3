/** Reads from storage which events were taken before, and with which body. */

import { z } from "zod";
import { type ClickHouse, readSql } from "../../clickhouse/client.ts";
import { defineQuery } from "../../clickhouse/define-query.ts";
import { dayMs } from "../../contract/durations.ts";
import { limits } from "../../contract/events.ts";
import { identityOf } from "./event-hash.ts";
import type { StoredIdentity } from "./known-ids.ts";

const found = z.object({ organization: z.string(), id: z.string(), body_hash: z.string() });
const keys = z.object({ organizations: z.array(z.string()), ids: z.array(z.string()) });
const knownIds = defineQuery("known_ids", keys, found);
const knownOldEvents = defineQuery("known_old_events", keys.extend({ times: z.array(z.number()) }), found);

/**
 * The body hashes (UInt64 as digits) of those events that are stored, by `identityOf`. By id alone for what was received
 * in the last 35 days, by id and time for older events.
 */
export async function findStoredEvents(
  clickhouse: ClickHouse,
  events: readonly StoredIdentity[],
  nowMs: number,
): Promise<Map<string, string>> {
  const oldBeforeMs = nowMs - limits.dedupeByIdDays * dayMs;
  const old = events.filter((event) => event.timeMs < oldBeforeMs);
  const columns = (list: readonly StoredIdentity[]) => ({
    organizations: list.map((event) => event.organization),
    ids: list.map((event) => event.id),
  });
  const [byId, byTime] = await Promise.all([
    events.length > 0 ? knownIds(clickhouse, columns(events)) : [],
    old.length > 0 ? knownOldEvents(clickhouse, { ...columns(old), times: old.map((event) => event.timeMs) }) : [],
  ]);
  return new Map([...byTime, ...byId].map((row) => [identityOf(row.organization, row.id), row.body_hash]));
}

const identityHashesSql = readSql("queries/identity_hashes.sql");

/** The identity hashes (server/ingest/accept/event-hash.ts) of all stored events, in chunks; for the filter of known ids. */
export function storedIdentityHashes(clickhouse: ClickHouse): AsyncGenerator<BigUint64Array> {
  return selectHashes(clickhouse, identityHashesSql);
}

/** What a SELECT of one UInt64 a row in RowBinary answers, in chunks. */
export async function* selectHashes(clickhouse: ClickHouse, sql: string): AsyncGenerator<BigUint64Array> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of clickhouse.selectBytes(sql, {})) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole = bytes.length - (bytes.length % 8);
    // A copy, because a typed array of 64-bit numbers needs memory aligned to 8 bytes.
    if (whole > 0) yield new BigUint64Array(new Uint8Array(bytes.subarray(0, whole)).buffer);
    rest = bytes.subarray(whole);
  }
}
