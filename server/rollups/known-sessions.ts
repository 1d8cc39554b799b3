/**
 * What is known of sessions and of named intervals without asking storage: of which no event was ever stored, and whose organizations have
 * scattered intervals: some events of such an interval name another session than the others, or none. Where it is not known, or not yet, it
 * counts as the other, and storage is asked.
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
const intervalHashesSql = readSql("queries/interval_hashes.sql");
const organizationsWithScatteredIntervals = defineQuery(
  "organizations_with_scattered_intervals",
  z.object({}),
  z.object({ organization: z.string() }),
);

const retryAfterMs = 1_000;
/** Tells six million sessions apart with 1% asked in vain, */
const sessionBytes = 8 * 1024 * 1024;
/** and as many intervals. */
const intervalBytes = 8 * 1024 * 1024;

/** A named interval; events of one name may be in several sessions. */
export interface IntervalName {
  organization: string;
  level: string;
  interval: string;
}

export interface KnownSessions {
  /** Whether no event of the session was stored before now. Its events are stored by the time somebody asks about it again. */
  meet(organization: string, session: string): boolean;
  /** The same of an interval, of events that name a session. */
  meetInterval(name: IntervalName): boolean;
  mayHaveScattered(organization: string): boolean;
  addScattered(organization: string): void;
  /** Others may have stored what is not known here: it is read again, and until then nothing is new. */
  forget(): void;
}

/** It knows nothing before `forget` was called once. */
export function createKnownSessions(clickhouse: ClickHouse): KnownSessions {
  const nothing = () => ({
    sessions: new IdFilter(sessionBytes),
    intervals: new IdFilter(intervalBytes),
    scattered: new Set<string>(),
  });
  let known = nothing();
  let isComplete = false;
  let generation = 0;

  async function read(ofGeneration: number, into: typeof known): Promise<void> {
    while (ofGeneration === generation) {
      try {
        for await (const hashes of selectHashes(clickhouse, sessionHashesSql))
          for (const hash of hashes) into.sessions.add(hash);
        for await (const hashes of selectHashes(clickhouse, intervalHashesSql))
          for (const hash of hashes) into.intervals.add(hash);
        for (const { organization } of await organizationsWithScatteredIntervals(clickhouse, {}))
          into.scattered.add(organization);
        if (ofGeneration === generation) isComplete = true;
        return;
      } catch {
        // Storage is away: whoever derives says so, and is slower until it is back.
        await delay(retryAfterMs, undefined, { ref: false });
      }
    }
  }

  const meetIn = (filter: IdFilter, text: string): boolean => {
    const hash = hashText(text);
    const isNew = isComplete && !filter.has(hash);
    filter.add(hash);
    return isNew;
  };

  return {
    meet: (organization, session) => meetIn(known.sessions, identityOf(organization, session)),
    // The same as queries/interval_hashes.sql. No name has U+0000 in it.
    meetInterval: ({ organization, level, interval }) =>
      meetIn(known.intervals, `${organization}\0${level}\0${interval}`),
    mayHaveScattered: (organization) => !isComplete || known.scattered.has(organization),
    addScattered: (organization) =>
      void (known.scattered.has(organization) || known.scattered.add(detachString(organization))),
    forget() {
      isComplete = false;
      known = nothing();
      void read(++generation, known);
    },
  };
}
