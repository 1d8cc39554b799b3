/** Poison straight into the way of an event, without HTTP: its whole books must balance in storage. */

import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { eventType } from "../../server/catalog/catalog.ts";
import { type ClickHouse, readSql } from "../../server/clickhouse/client.ts";
import { type AcceptingTree, acceptRequest } from "../../server/ingest/accept/accept-request.ts";
import type { Ingest } from "../../server/ingest/flush/start-ingest.ts";
import type { LogPosition } from "../../server/ingest/log/write-ahead-log.ts";
import { ProblemError } from "../../server/problem.ts";
import { rootKey } from "../support/accepting.ts";
import { recoveryPatienceMs } from "../support/patience.ts";
import { feedPoison, type PoisonBooks } from "./feed-poison.ts";

/** Resolves with the books, whatever does not balance in `wrong`; rejects when a batch is stalled. */
export async function poisonIngest(
  ingest: Ingest,
  tree: AcceptingTree,
  clickhouse: ClickHouse,
  { bodies, seed }: { bodies: number; seed: number },
): Promise<PoisonBooks> {
  let last: LogPosition | undefined;
  const books = await feedPoison(
    async ({ headers, body }) => {
      try {
        const { decision, position } = await acceptRequest(
          { ...ingest, tree, eventType, now: Date.now },
          { headers: new Headers(headers), body: Readable.from([body]), sendingKey: rootKey, isAtomic: false },
        );
        last = position ?? last;
        const { accepted, duplicates, rejected } = decision;
        return { accepted, duplicates, rejected: rejected.length };
      } catch (error) {
        if (error instanceof ProblemError) return { refused: error.code };
        throw error;
      }
    },
    { bodies, seed, lanes: 16 },
  );
  if (last)
    await Promise.race([
      ingest.flush.whenStored(last),
      delay(recoveryPatienceMs, undefined, { ref: false }).then(() => {
        throw new Error(`what was accepted was not stored within ${recoveryPatienceMs} ms`);
      }),
    ]);
  books.wrong.push(...(await imbalances(clickhouse, books)));
  return books;
}

/** Figures of storage that are not those of the books. Storage must have held nothing before. */
export async function imbalances(clickhouse: ClickHouse, books: PoisonBooks): Promise<string[]> {
  const [row] = (await clickhouse.select(readSql("../test/poison/sql/stored_of_poison.sql"), {})) as Record<
    string,
    unknown
  >[];
  const { accepted, duplicates, rejected, sound } = books;
  const expected = {
    stored: accepted,
    counted: accepted,
    sound,
    quarantined: rejected,
    accepted,
    duplicates,
    rejected,
  };
  return Object.entries(expected).flatMap(([name, count]) =>
    Number(row?.[name]) === count ? [] : [`${name}: expected ${count}, found ${row?.[name]}`],
  );
}
