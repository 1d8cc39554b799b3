import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClickHouse } from "../../../../server/clickhouse/client.ts";
import { identityOf } from "../../../../server/ingest/accept/event-hash.ts";
import { renderRequestRecord } from "../../../../server/ingest/accept/request-record.ts";
import { startFlushLoop } from "../../../../server/ingest/flush/flush-loop.ts";
import { batchFiles } from "../../../../server/ingest/flush/seal-batch.ts";
import { createSequence } from "../../../../server/ingest/log/sequence.ts";
import {
  comparePositions,
  type LogPosition,
  openWriteAheadLog,
} from "../../../../server/ingest/log/write-ahead-log.ts";
import { createLevelMaterializer } from "../../../../server/rollups/derive-levels.ts";
import { type OwnClickHouse, ownClickHouse } from "../../../support/stores.ts";

let store: OwnClickHouse;
let directory: string;
beforeAll(async () => {
  store = await ownClickHouse();
  directory = await mkdtemp(join(tmpdir(), "tidemark-flush-"));
});
afterAll(async () => {
  await store.drop();
  await rm(directory, { recursive: true, force: true });
});

/** Large enough that a thousand of them are more than a batch. */
const properties = JSON.stringify({ note: "n".repeat(15_000) });
const timeMs = Date.UTC(2026, 0, 1);

function line(checked: 0 | 1, id: string): string {
  const place = ["", "", "", "u", "", "", "", "", 0, "1"];
  const event = [
    checked,
    "acme",
    id,
    1,
    timeMs,
    Date.now(),
    "call.completed",
    ...place,
    properties,
    "{}",
    "",
    "",
    0,
    "k",
  ];
  return event.join("\t");
}

const record = (events: string[]) =>
  renderRequestRecord({ receivedAtMs: Date.now(), events, quarantined: [], outcomes: [] });

test("two full batches of a backlog are stored at once, settle in order, and a repeat is found in one that is still being stored", async () => {
  await mkdir(join(directory, "log"));
  const onFatal = (error: Error) => {
    throw error;
  };
  const log = await openWriteAheadLog({ directory: join(directory, "log"), maxBytes: 1e9, onFatal });
  let logged: LogPosition | undefined;
  for (let request = 0; request < 40; request++) {
    const events = Array.from({ length: 100 }, (_, index) => line(1, `${request}-${index}`));
    // Six requests fill a batch. One event of the last request is of the batch before, sent again while identities could not be checked.
    logged = await log.append(record(request === 39 ? [...events, line(0, "35-0")] : events));
  }

  let isStoring = 0;
  let most = 0;
  let open: () => void = () => undefined;
  const secondCame = new Promise<void>((resolve) => {
    open = resolve;
  });
  const clickhouse: ClickHouse = {
    ...store.clickhouse,
    async insertBytes(sql, body, params) {
      if (!sql.includes("INSERT INTO usage_events")) return await store.clickhouse.insertBytes(sql, body, params);
      most = Math.max(most, ++isStoring);
      if (isStoring === 2) open();
      // The first waits for a second to come.
      await secondCame;
      const summary = await store.clickhouse.insertBytes(sql, body, params);
      isStoring--;
      return summary;
    },
  };
  const sequence = createSequence(0);
  const settled: LogPosition[] = [];
  const askedWhileStoring: number[] = [];
  const flush = startFlushLoop(
    {
      log,
      clickhouse,
      materializer: createLevelMaterializer({
        clickhouse,
        nextVersion: () => sequence.next(),
        currentEpoch: () => ({ number: 1, leftSince: undefined }),
      }),
      files: batchFiles(directory),
      sequence,
      async findStored(events) {
        askedWhileStoring.push(isStoring);
        const rows = await store.clickhouse.select(
          "SELECT id, toString(body_hash) AS body_hash FROM event_ids WHERE id IN {ids:Array(String)}",
          { ids: events.map(({ id }) => id) },
        );
        const found = rows as { id: string; body_hash: string }[];
        return new Map(found.map(({ id, body_hash }) => [identityOf("acme", id), body_hash]));
      },
      announce: () => undefined,
      onSettled: (position) => settled.push(position),
      logger: pino({ level: "error" }),
      settledBatchBefore: 0,
      leftSinceMs: undefined,
    },
    null,
    [],
  );
  await flush.whenStored(logged as LogPosition);
  await flush.stop(10_000);
  await log.close();

  expect(most).toBe(2);
  expect(settled.length).toBeGreaterThan(2);
  expect([...settled].sort(comparePositions)).toEqual(settled);
  expect(askedWhileStoring).toEqual([0]);
  const [count] = (await store.clickhouse.select(
    "SELECT count() AS rows, uniqExact(id) AS ids FROM usage_events",
    {},
  )) as { rows: number; ids: number }[];
  expect(count).toEqual({ rows: 4_000, ids: 4_000 });
  const counted = await store.clickhouse.select("SELECT sum(events) AS events FROM usage_per_15m FINAL", {});
  expect(counted).toEqual([{ events: 4_000 }]);
});
