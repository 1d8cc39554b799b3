/**
 * Sends a sealed batch to ClickHouse until it is whole there: one INSERT per part, whose views fan it out. Sending a part
 * again writes the same keys, so every doubt is answered by sending it again. Rows that ClickHouse refuses are found by
 * halving and go to quarantine; everything else about a refusal is the operator's to fix, and is retried for ever.
 */
import type { Logger } from "pino";
import { z } from "zod";
import { type ClickHouse, StatementRefusedError } from "../../clickhouse/client.ts";
import { defineInsert, defineQuery, defineStatement } from "../../clickhouse/define-query.ts";
import { numberColumn } from "../../clickhouse/number-column.ts";
import { recount } from "../accept/event-outcomes.ts";
import type { Sequence } from "../log/sequence.ts";
import { type BatchFiles, type BatchPart, quarantineOfEvent, type SealedBatch } from "./seal-batch.ts";
import { storeOutcomes } from "./store-outcomes.ts";
import { untilDone } from "./until-done.ts";

const batchParam = z.object({ batch: z.number() });
const storeEvents = defineInsert("store_events", batchParam);
const storeQuarantine = defineInsert("store_quarantine", batchParam);
const countBatch = defineQuery(
  "count_batch",
  batchParam,
  z.object({ events: numberColumn, counted: numberColumn, counted_for_nodes: numberColumn }),
);

/** In this order: identities are found by the events. */
const partRemovals = [
  defineStatement("remove_part_event_ids", batchParam),
  defineStatement("remove_part_job_events", batchParam),
  defineStatement("remove_part_usage_per_15m", batchParam),
  defineStatement("remove_part_node_usage_per_15m", batchParam),
  defineStatement("remove_part_usage_events", batchParam),
];

/** ClickHouse's codes for values that a column or a view cannot take. */
const refusedValueCodes: ReadonlySet<number> = new Set([
  6, 25, 26, 27, 32, 33, 34, 38, 41, 43, 53, 69, 70, 72, 117, 128, 131, 190, 321, 349, 395, 407, 469, 676, 691,
]);

export interface StoreContext {
  clickhouse: ClickHouse;
  files: BatchFiles;
  sequence: Sequence;
  log: Logger;
  signal: AbortSignal;
}

/**
 * Resolves when the batch is whole in ClickHouse. `isInDoubt`: an earlier process may have stored some of it.
 * Rejects only when `signal` is aborted.
 */
export async function storeBatch(context: StoreContext, sealed: SealedBatch, isInDoubt: boolean): Promise<void> {
  const { manifest } = sealed;
  const countOutcomes = (version: number) =>
    untilDone(context, "outcomes", () => storeOutcomes(context.clickhouse, sealed.outcomes, manifest.batch, version));
  const counted = manifest.refused.length === 0 ? countOutcomes(1) : undefined;
  // What it rejects with is seen below; parts may reject first.
  counted?.catch(() => undefined);
  // Parts are read anew each time: a refusal replaces one by its halves.
  for (let index = 0; index < manifest.parts.length; ) {
    const part = manifest.parts[index] as BatchPart;
    if (await storePart(context, sealed, part, isInDoubt)) index++;
  }
  await counted;
  if (manifest.refused.length > 0) {
    for (const { row } of manifest.refused)
      recount(sealed.outcomes, sealed.rows.line(row), "rejected", "refused_by_storage");
    await countOutcomes(2);
  }
  const refused = manifest.refused.map(({ row, message }) =>
    quarantineOfEvent(sealed.rows.line(row), "refused_by_storage", "", message),
  );
  const lines = [...sealed.quarantined, ...refused].map((line, row) => `${row}\t${line}\n`);
  if (lines.length > 0)
    await untilDone(context, "quarantine", async () => {
      await storeQuarantine(context.clickhouse, [Buffer.from(lines.join(""))], { batch: manifest.batch });
    });
}

/** True when the part is stored, false when it was replaced in the manifest. */
async function storePart(
  context: StoreContext,
  sealed: SealedBatch,
  part: BatchPart,
  isInDoubt: boolean,
): Promise<boolean> {
  const body = withoutSmall(sealed.rows.bytes(part.from, part.to));
  let hadErrors = isInDoubt;
  return await untilDone(context, `batch ${part.batch}`, async (attempt) => {
    hadErrors ||= attempt > 0;
    try {
      await storeEvents(context.clickhouse, body, { batch: part.batch });
    } catch (error) {
      if (!(error instanceof StatementRefusedError && refusedValueCodes.has(error.code))) throw error;
      await splitPart(context, sealed, part, error);
      return false;
    }
    if (hadErrors) await verifyPart(context, part);
    return true;
  });
}

const smallBytes = 64 * 1024;

/** Small pieces, one behind the other, as one: thousands of requests would be thousands of writes to the socket. A large one is not copied. */
function withoutSmall(pieces: readonly Buffer[]): Buffer[] {
  const body: Buffer[] = [];
  let small: Buffer[] = [];
  const join = () => {
    if (small.length > 0) body.push(Buffer.concat(small));
    small = [];
  };
  for (const piece of pieces)
    if (piece.length < smallBytes) small.push(piece);
    else {
      join();
      body.push(piece);
    }
  join();
  return body;
}

async function verifyPart({ clickhouse }: StoreContext, part: BatchPart): Promise<void> {
  const [count] = await countBatch(clickhouse, { batch: part.batch });
  const expected = part.to - part.from;
  if (count?.events !== expected || count.counted !== expected || count.counted_for_nodes !== expected)
    throw new Error(
      `batch ${part.batch} has ${expected} events, of which ${count?.events} are stored, ${count?.counted} counted and ${count?.counted_for_nodes} counted for nodes`,
    );
}

/**
 * Nothing of the refused part may stay under its id, or its halves, which get ids of their own, would be counted beside
 * it. The new manifest is on disk before a half is sent.
 */
async function splitPart(
  context: StoreContext,
  sealed: SealedBatch,
  part: BatchPart,
  refusal: StatementRefusedError,
): Promise<void> {
  const { manifest } = sealed;
  await removePart(context.clickhouse, part.batch);
  const at = manifest.parts.indexOf(part);
  if (part.to - part.from === 1) {
    context.log.error(
      { batch: part.batch, row: part.from, err: refusal },
      "storage refused an event; it is in quarantine",
    );
    manifest.refused.push({ row: part.from, message: refusal.message.slice(0, 1000) });
    manifest.parts.splice(at, 1);
  } else {
    const middle = Math.floor((part.from + part.to) / 2);
    manifest.parts.splice(
      at,
      1,
      { batch: context.sequence.next(), from: part.from, to: middle },
      { batch: context.sequence.next(), from: middle, to: part.to },
    );
  }
  await context.files.writeManifest(manifest);
}

/** Intervals are left as they are: what the halves write there says the same again. */
async function removePart(clickhouse: ClickHouse, batch: number): Promise<void> {
  for (const remove of partRemovals) await remove(clickhouse, { batch });
}
