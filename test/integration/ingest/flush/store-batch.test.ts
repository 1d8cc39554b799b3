import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EventLines } from "../../../../server/ingest/accept/event-lines.ts";
import { OutcomeTally } from "../../../../server/ingest/accept/event-outcomes.ts";
import { type LineColumn, lineColumns } from "../../../../server/ingest/accept/event-row.ts";
import { batchFiles, type Manifest, type SealedBatch } from "../../../../server/ingest/flush/seal-batch.ts";
import { storeBatch } from "../../../../server/ingest/flush/store-batch.ts";
import { createSequence } from "../../../../server/ingest/log/sequence.ts";
import { type OwnClickHouse, ownClickHouse } from "../../../support/stores.ts";

let store: OwnClickHouse;
let directory: string;
beforeAll(async () => {
  store = await ownClickHouse();
  directory = await mkdtemp(join(tmpdir(), "tidemark-batches-"));
});
afterAll(async () => {
  await store.drop();
  await rm(directory, { recursive: true, force: true });
});

const sequence = createSequence(0);
const timeMs = Date.UTC(2026, 0, 1);
const receivedMs = Date.now();

const line = (id: string, value: string) => lineOf({ id, value });

/** Of what is not given: a call of acme's. */
function lineOf(given: Partial<Record<LineColumn, string | number>>): string {
  const columns: Partial<Record<LineColumn, string | number>> = {
    ...{ checked: 1, organization: "acme", body_hash: 1, time_ms: timeMs, received_ms: receivedMs },
    ...{ type: "call.completed", user: "u", started_ms: 0, value: 1, properties: "{}", dims: "{}" },
    ...{ alive_within_ms: 0, key: "k", ...given },
  };
  return lineColumns.map((name) => columns[name] ?? "").join("\t");
}

function sealed(rows: string[]): SealedBatch {
  const batch = sequence.next();
  const manifest: Manifest = {
    batch,
    from: null,
    to: { segment: 1, offset: 1 },
    duplicates: [],
    conflicts: [],
    parts: [{ batch, from: 0, to: rows.length }],
    refused: [],
  };
  return {
    manifest,
    rows: EventLines.of(rows),
    quarantined: [],
    outcomes: new OutcomeTally(),
    receipts: [],
    organizations: new Set(["acme"]),
  };
}

const context = () => ({
  clickhouse: store.clickhouse,
  files: batchFiles(directory),
  sequence,
  log: pino({ level: "silent" }),
  signal: new AbortController().signal,
});

async function totals(): Promise<unknown> {
  const [row] = await store.clickhouse.select(
    `SELECT toString((SELECT count() FROM usage_events FINAL)) AS stored,
            toString((SELECT sum(events) FROM usage_per_15m FINAL)) AS counted,
            toString((SELECT sum(amount) FROM usage_per_15m FINAL)) AS amount`,
    {},
  );
  return row;
}

test("a batch that is sent five times, among others and in any order, counts once", async () => {
  const batches = ["a", "b", "c"].map((name) => sealed([line(`${name}1`, "1.5"), line(`${name}2`, "0.000000001")]));
  const order = [0, 1, 0, 2, 1, 2, 0, 2, 1, 0, 2, 1, 1, 0, 2];
  for (const index of order) await storeBatch(context(), batches[index] as SealedBatch, true);
  expect(await totals()).toEqual({ stored: "6", counted: "6", amount: "4.500000003" });
});

test("when ClickHouse refuses a batch, the event at fault goes to quarantine and all others are stored, once", async () => {
  const rows = Array.from({ length: 33 }, (_, index) => line(`p${index}`, index === 20 ? "not a number" : "1"));
  const batch = sealed(rows);
  await storeBatch(context(), batch, false);
  expect(await totals()).toEqual({ stored: "38", counted: "38", amount: "36.500000003" });
  const quarantine = await store.clickhouse.select(
    "SELECT organization, id, code, position(raw, 'not a number') > 0 AS has_raw FROM quarantine FINAL",
    {},
  );
  expect(quarantine).toEqual([{ organization: "acme", id: "p20", code: "refused_by_storage", has_raw: 1 }]);
  // What a restart would do with the manifest as it was left.
  const [left] = await batchFiles(directory).readManifests();
  await storeBatch(context(), { ...batch, manifest: left as Manifest }, true);
  expect(await totals()).toEqual({ stored: "38", counted: "38", amount: "36.500000003" });
});

test("events that were logged before a column was added are stored with its default, beside those that were logged after", async () => {
  const before = line("before", "2").split("\t").slice(0, -1).join("\t");
  await storeBatch(context(), sealed([before, line("after", "3")]), false);
  const keys = await store.clickhouse.select(
    "SELECT id, key FROM usage_events FINAL WHERE id IN ('before', 'after') ORDER BY id",
    {},
  );
  expect(keys).toEqual([
    { id: "after", key: "k" },
    { id: "before", key: "" },
  ]);
});

test("a batch writes no two rows of one key into any table: storing it looks for none", async () => {
  const signs = ["start", "alive", "alive", "end"].flatMap((level_action, sign) => {
    const said = { level: "participants", level_action, session: "s", time_ms: timeMs + sign, alive_within_ms: 60_000 };
    return [
      lineOf({ ...said, id: `named-${sign}`, interval: "i" }),
      lineOf({ ...said, id: `unnamed-${sign}` }),
      lineOf({ ...said, id: `elsewhere-${sign}`, interval: "i", session: "t" }),
      lineOf({ ...said, id: `unassigned-${sign}`, interval: "i", session: "" }),
      lineOf({ id: `job-${sign}`, job: "j", type: "transcription.completed", reseller: "r", partner: "p", agent: "a" }),
    ];
  });
  await storeBatch(context(), sealed(signs), false);
  const tables = (await store.clickhouse.select(
    "SELECT name, sorting_key FROM system.tables WHERE database = currentDatabase() AND match(engine, '(Replacing|Aggregating)') AND total_rows > 0 ORDER BY name",
    {},
  )) as { name: string; sorting_key: string }[];
  const written = ["event_ids", "interval_sessions", "intervals", "job_events", "node_usage_per_15m", "usage_events"];
  expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining([...written, "usage_per_15m"]));
  for (const { name, sorting_key } of tables) {
    const [count] = (await store.clickhouse.select(
      `SELECT count() AS rows, uniqExact(_part, ${sorting_key}) AS keys FROM ${name}`,
      {},
    )) as { rows: number; keys: number }[];
    expect(count, name).toEqual({ rows: count?.rows, keys: count?.rows });
  }
});
