/**
 * What deriving an event costs this process, with a storage that takes everything and has nothing: `npx tsx test/bench/derive.ts`.
 * `BENCH_BATCH` says how many events a batch has (20,000); batches of 1,000 are what a steady stream makes.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { ClickHouse } from "../../server/clickhouse/client.ts";
import { createSequence } from "../../server/ingest/log/sequence.ts";
import { createLevelMaterializer } from "../../server/rollups/derive-levels.ts";
import { makeEvents } from "./made-events.ts";
import { asRows } from "./made-rows.ts";

const eventsPerBatch = Number(process.env.BENCH_BATCH ?? 20_000);
const events = 400_000;
const eventsPerRequest = 1_000;

let bytes = 0;
const nothing = { writtenRows: 0 };
const storage: Partial<ClickHouse> = {
  select: async () => [],
  selectColumns: async () => [],
  selectBytes: async function* () {},
  command: async () => nothing,
  async insertBytes(_, body) {
    for (const piece of body) bytes += piece.length;
    return nothing;
  },
};
const sequence = createSequence(0);
const materializer = createLevelMaterializer({
  clickhouse: storage as ClickHouse,
  nextVersion: () => sequence.next(),
  currentEpoch: () => ({ number: 1, leftSince: undefined }),
});
// It reads what storage knows of sessions first, which is nothing.
await materializer.derive([], Date.now());
await delay(100);

let collectingMs = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) collectingMs += duration;
}).observe({ entryTypes: ["gc"] });

const used = { cpuUs: 0, wallMs: 0 };
for (let derived = -events / 4; derived < events; derived += eventsPerBatch) {
  if (derived <= 0) Object.assign(used, { cpuUs: 0, wallMs: 0 });
  if (derived <= 0) collectingMs = bytes = 0;
  const lines = Array.from({ length: eventsPerBatch / eventsPerRequest }, () => asRows(makeEvents(eventsPerRequest)));
  const cpu = process.cpuUsage();
  const startedAtMs = performance.now();
  await materializer.deriveEvents({ lines, stored: Promise.resolve([1]) }, Date.now());
  const { user, system } = process.cpuUsage(cpu);
  used.cpuUs += user + system;
  used.wallMs += performance.now() - startedAtMs;
}
const perEvent = (all: number) => (all / events).toFixed(2);
console.log(
  `${perEvent(used.cpuUs)} µs of CPU an event, ${perEvent(used.wallMs * 1000)} µs of time; ${perEvent(bytes)} bytes written; ${perEvent(collectingMs * 1000)} µs of collecting, with what makes the events`,
);
const { sessions } = materializer.held();
console.log(`${sessions} sessions are held; ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MB`);
