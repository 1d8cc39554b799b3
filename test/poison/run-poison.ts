/**
 * `npm run poison`: POISON_BODIES (default 1,000,000) mutated bodies, a hundredth of them over HTTP beside senders that never
 * finish, the others straight into the way of an event. Each event must be accepted, known or in quarantine, storage must
 * say the same, nothing may be answered 5xx and no batch may be stalled. POISON_SEED repeats a run.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { connectClickHouse } from "../../server/clickhouse/client.ts";
import { migrateClickHouse } from "../../server/clickhouse/migrate.ts";
import type { Verdict } from "../../server/contract/events.ts";
import type { Problem } from "../../server/contract/problem.ts";
import { startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { startIngest } from "../../server/ingest/flush/start-ingest.ts";
import { UsageApi } from "../../server/programs/usage-api.ts";
import { SmallTree } from "../support/accepting.ts";
import { startService, type TestService } from "../support/service.ts";
import { feedPoison, type PoisonBooks } from "./feed-poison.ts";
import { imbalances, poisonIngest } from "./poison-ingest.ts";

const bodies = Number(process.env.POISON_BODIES ?? 1_000_000);
const seed = Number(process.env.POISON_SEED ?? Math.floor(Math.random() * 1e9));
const bodiesOverHttp = Math.ceil(bodies / 100);
const slowSenders = 50;
const slowSendersEndWithinMs = 45_000;
const storeWithinMs = 120_000;

async function overHttp(): Promise<PoisonBooks> {
  const service = await startService({ LOG_LEVEL: "error", TIDEMARK_EVENTS_PER_SECOND: "100000000" });
  try {
    const slow = await Promise.all(Array.from({ length: slowSenders }, () => sendSlowly(service)));
    const books = await feedPoison(
      async ({ headers, body }) => {
        const response = await fetch(`${service.url}/v1/events`, {
          method: "POST",
          headers: { ...headers, authorization: `Bearer ${service.rootKey}` },
          body: new Uint8Array(body),
        });
        const answer = (await response.json()) as Verdict & Problem;
        if (response.status === 202) return { ...answer, rejected: answer.rejected.length };
        if (response.status >= 500) throw new Error(`answered ${response.status}: ${JSON.stringify(answer)}`);
        return { refused: answer.code };
      },
      { bodies: bodiesOverHttp, seed: seed + 1, lanes: 8 },
    );
    const ended = await Promise.race([Promise.all(slow.map((one) => one.ended)), delay(slowSendersEndWithinMs)]);
    if (!ended) books.wrong.push(`slow senders still held a connection after ${slowSendersEndWithinMs} ms`);
    for (const { socket } of slow) socket.destroy();
    await new UsageApi({ url: service.url, key: service.rootKey }).whenVisible(storeWithinMs);
    await service.stopServer();
    const store = await startEmbeddedClickHouse({ dataDir: service.dataDir, log: pino({ level: "silent" }) });
    const clickhouse = connectClickHouse(store.connection);
    books.wrong.push(...(await imbalances(clickhouse, books)));
    await clickhouse.close();
    await store.stop();
    return books;
  } finally {
    await service.stop();
  }
}

/** Announces a body, sends its first bytes, and no more. */
async function sendSlowly({ url, rootKey }: TestService): Promise<{ socket: Socket; ended: Promise<unknown> }> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => undefined).resume();
  socket.write(
    `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${rootKey}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n[{`,
  );
  return { socket, ended: once(socket, "data") };
}

async function straightIn(): Promise<PoisonBooks> {
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-poison-"));
  const logger = pino({ level: "error" });
  const store = await startEmbeddedClickHouse({ dataDir, log: logger });
  const clickhouse = connectClickHouse(store.connection);
  await migrateClickHouse(clickhouse);
  const ingest = await startIngest({
    dataDir,
    walMaxBytes: 4e9,
    eventsPerSecond: 1e9,
    clickhouse,
    announce: () => undefined,
    onFatal: (error) => {
      throw error;
    },
    logger,
  });
  try {
    return await poisonIngest(ingest, new SmallTree(), clickhouse, { bodies: bodies - bodiesOverHttp, seed });
  } finally {
    await ingest.stop(10_000);
    await clickhouse.close();
    await store.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

let isBalanced = true;
for (const [way, feed] of Object.entries({ "over HTTP": overHttp, "straight in": straightIn })) {
  const startedAtMs = Date.now();
  const { bodies: fed, accepted, duplicates, rejected, sound, refused, wrong } = await feed();
  const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1);
  const refusals = [...refused].map(([code, count]) => `${count} × ${code}`).join(", ");
  console.log(
    `${way}: ${fed} bodies in ${seconds} s (seed ${seed}): ${accepted} events accepted, ${duplicates} duplicates, ${rejected} in quarantine, ${sound} sound ones among poison all stored; bodies refused: ${refusals}; peak RSS of this process ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`,
  );
  for (const line of wrong) console.log(`  WRONG ${line}`);
  if (wrong.length > 0) isBalanced = false;
}
console.log(isBalanced ? "the books balance" : "the books DO NOT balance");
process.exit(isBalanced ? 0 : 1);
