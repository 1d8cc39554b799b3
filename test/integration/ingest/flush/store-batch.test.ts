import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EventLines } from "../../../../server/ingest/accept/event-lines.ts";
import { OutcomeTally } from "../../../../server/ingest/accept/event-outcomes.ts";
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

function line(id: string, value: string): string {
  const columns = [
    1,
    "acme",
    id,
    1,
    timeMs,
    receivedMs,
    "call.completed",
    "",
    "",
    "",
    "u",
    "",
    "",
    "",
    "",
    0,
    value,
    "{}",
    "{}",
    "",
    "",
    0,
    "k",
  ];
  return columns.join("\t");
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
