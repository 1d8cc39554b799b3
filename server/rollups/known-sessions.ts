/**
 * What is known of sessions without asking storage: of which no event was ever stored, and whose organizations have unassigned
 * intervals. Where it is not known, or not yet, it counts as the other, and storage is asked.
 */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type ClickHouse, readSql } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { hashText, identityOf } from "../ingest/accept/event-hash.ts";
import { IdFilter } from "../ingest/accept/id-filter.ts";
import { selectHashes } from "../ingest/accept/known-events.ts";
import { detachString } from "./detach-string.ts";

const sessionHashesSql = readSql("queries/session_hashes.sql");
const organizationsWithUnassignedIntervals = defineQuery(
  "organizations_with_unassigned_intervals",
  z.object({}),
  z.object({ organization: z.string() }),
);

const retryAfterMs = 1_000;
/** Tells six million sessions apart with 1% asked in vain. */
const filterBytes = 8 * 1024 * 1024;

export interface KnownSessions {
  /** Whether no event of the session was stored before now. Its events are stored by the time somebody asks about it again. */
  meet(organization: string, session: string): boolean;
  mayHaveUnassigned(organization: string): boolean;
  addUnassigned(organization: string): void;
  /** Others may have stored what is not known here: it is read again, and until then nothing is new. */
  forget(): void;
}

/** It knows nothing before `forget` was called once. */
export function createKnownSessions(clickhouse: ClickHouse): KnownSessions {
  let filter = new IdFilter(filterBytes);
  let unassigned = new Set<string>();
  let isComplete = false;
  let generation = 0;

  async function read(ofGeneration: number, into: { filter: IdFilter; unassigned: Set<string> }): Promise<void> {
    while (ofGeneration === generation) {
      try {
        for await (const hashes of selectHashes(clickhouse, sessionHashesSql))
          for (const hash of hashes) into.filter.add(hash);
        for (const { organization } of await organizationsWithUnassignedIntervals(clickhouse, {}))
          into.unassigned.add(organization);
        if (ofGeneration === generation) isComplete = true;
        return;
      } catch {
        // Storage is away: whoever derives says so, and is slower until it is back.
        await delay(retryAfterMs, undefined, { ref: false });
      }
    }
  }

  return {
    meet(organization, session) {
      const hash = hashText(identityOf(organization, session));
      const isNew = isComplete && !filter.has(hash);
      filter.add(hash);
      return isNew;
    },
    mayHaveUnassigned: (organization) => !isComplete || unassigned.has(organization),
    addUnassigned: (organization) => void (unassigned.has(organization) || unassigned.add(detachString(organization))),
    forget() {
      isComplete = false;
      filter = new IdFilter(filterBytes);
      unassigned = new Set();
      void read(++generation, { filter, unassigned });
    },
  };
}
