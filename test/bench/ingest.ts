/**
 * `npm run bench`: how many events a second go from HTTP in to queryable, beside what ClickHouse itself takes into the same
 * tables with the same views in the same run; then how fresh answers are. Use the ratios: a machine's speed varies by the
 * minute. Everything is in a temporary folder and takes less than five minutes.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { io, type Socket } from "socket.io-client";
import { z } from "zod";
import { connectClickHouse } from "../../server/clickhouse/client.ts";
import { defineInsert } from "../../server/clickhouse/define-query.ts";
import { migrateClickHouse } from "../../server/clickhouse/migrate.ts";
import type { ClientToServerEvents, LiveAnswer, ServerToClientEvents } from "../../server/contract/live.ts";
import { startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { UsageApi } from "../../server/programs/usage-api.ts";
import { agent, freePort, post, startService, stop } from "./bench-service.ts";
import { asLineProtocol, startInflux } from "./influx.ts";
import { asBody, makeEvents } from "./made-events.ts";
import { asRows } from "./made-rows.ts";
import { measureStages } from "./stages.ts";

const requestSizes = [1, 100, 1_000, 5_000];
const bestInsertRows = 10_000;
/** For one size; whichever comes first. */
const postForMs = 6_000;
const maxEventsPerSize = (size: number) => (size === 1 ? 20_000 : 200_000);
const insertForMs = 3_000;
const lanesOf = (size: number) => (size === 1 ? 32 : 4);

const freshnessForMs = 30_000;
const probeEveryMs = 100;
const backgroundEventsPerSecond = 10_000;
const queryEveryMs = 250;
const stageBatches = 8;
const stageBatchEvents = 20_000;
const influxEvents = 100_000;
const influxBatchEvents = 5_000;

/** Repeats `once` in `lanes` lanes until the time or the events are used up; answers the events and the ms it took. */
async function repeat(
  lanes: number,
  forMs: number,
  size: number,
  most: number,
  once: () => Promise<void>,
): Promise<{ events: number; ms: number }> {
  const startedAt = performance.now();
  let events = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (performance.now() - startedAt < forMs && events < most) {
        events += size;
        await once();
      }
    }),
  );
  return { events, ms: performance.now() - startedAt };
}

interface Freshness {
  answered: number[];
  queryable: number[];
  pushed: number[];
  /** That the others really sent meanwhile. */
  backgroundPerSecond: number;
}

/** As many requests of others may wait for their answer before one is left out. */
const backgroundLanes = 8;

/** One participant after another joins an organization that a socket watches, while others send at a bounded rate. */
async function measureFreshness(url: string, key: string): Promise<Freshness> {
  const node = "organization:bench-fresh";
  const authorization = `Bearer ${key}`;
  const join = (number: number) => ({
    id: `fresh-${number}`,
    type: "participant.joined",
    organization: "bench-fresh",
    session: "fresh",
    user: `user-${number}`,
    interval: `fresh-${number}`,
  });
  await post(url, key, asBody([join(0)]));
  await new UsageApi({ url, key }).whenVisible(60_000);
  const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url, {
    transports: ["websocket"],
    extraHeaders: { authorization },
  });
  const watched = await socket.timeout(10_000).emitWithAck("live:watch", node);
  if (!watched.ok) throw new Error(`the socket may not watch: ${watched.message}`);
  const waiting = new Map<number, () => void>();
  socket.on("live:changed", ({ levels }) => {
    for (const [count, resolve] of waiting) if (levels.live_participants >= count) resolve();
  });
  const pushedTo = (count: number) =>
    new Promise<void>((resolve) => {
      waiting.set(count, () => {
        waiting.delete(count);
        resolve();
      });
    });
  const queryableAt = async (count: number): Promise<void> => {
    for (;;) {
      const response = await fetch(`${url}/v1/live?node=${node}`, { headers: { authorization } });
      const live = (await response.json()) as LiveAnswer;
      if (live.levels.live_participants >= count) return;
      await delay(5);
    }
  };

  const freshness: Freshness = { answered: [], queryable: [], pushed: [], backgroundPerSecond: 0 };
  const startedAtMs = performance.now();
  const endsAt = startedAtMs + freshnessForMs;
  let sent = 0;
  const background = (async () => {
    const onTheWay = new Set<Promise<unknown>>();
    const eventsPerRequest = backgroundEventsPerSecond / 10;
    // By the clock and not by the answers: a slow answer must not make the load smaller.
    for (let dueAtMs = startedAtMs; dueAtMs < endsAt; dueAtMs += 100) {
      await delay(Math.max(0, dueAtMs - performance.now()));
      if (onTheWay.size >= backgroundLanes) continue;
      const request: Promise<unknown> = post(url, key, asBody(makeEvents(eventsPerRequest)))
        .then(() => {
          sent += eventsPerRequest;
        })
        .finally(() => onTheWay.delete(request));
      onTheWay.add(request);
    }
    await Promise.all(onTheWay);
    freshness.backgroundPerSecond = sent / ((performance.now() - startedAtMs) / 1000);
  })();
  const api = new UsageApi({ url, key });
  const asking = (async () => {
    while (performance.now() < endsAt) {
      const next = delay(queryEveryMs);
      await api.usage({
        meter: "participation_minutes,max_concurrent_participants",
        from: new Date(Date.now() - 90 * 86_400_000).toISOString(),
        to: "now",
        window: "day",
      });
      await next;
    }
  })();
  for (let number = 1; performance.now() < endsAt; number++) {
    const next = delay(probeEveryMs);
    const startedAt = performance.now();
    const since = (times: number[]) => () => void times.push(performance.now() - startedAt);
    const pushed = pushedTo(number + 1).then(since(freshness.pushed));
    await post(url, key, asBody([join(number)])).then(since(freshness.answered));
    await Promise.all([queryableAt(number + 1).then(since(freshness.queryable)), pushed]);
    await next;
  }
  await Promise.all([background, asking]);
  socket.close();
  return freshness;
}

const number = (value: number) => new Intl.NumberFormat("en", { maximumFractionDigits: 0 }).format(value);
const perSecond = ({ events, ms }: { events: number; ms: number }) => events / (ms / 1000);
const row = (...cells: string[]) =>
  console.log(cells.map((cell, index) => (index ? cell.padStart(18) : cell.padEnd(20))).join(""));

function percentile(times: readonly number[], share: number): string {
  const sorted = [...times].sort((a, b) => a - b);
  return `${number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN)} ms`;
}

/** The kernel's own record of the largest resident size; "unknown" where there is no /proc. */
function peakMemoryMb(pid: number | undefined): string {
  const path = `/proc/${pid}/status`;
  const peak = existsSync(path) ? /VmHWM:\s+(\d+) kB/.exec(readFileSync(path, "utf8"))?.[1] : undefined;
  return peak === undefined ? "unknown" : number(Number(peak) / 1024);
}

async function compareWithInflux(own: number): Promise<void> {
  const influx = await startInflux(folder, [await freePort(), await freePort()]);
  if (!influx) {
    console.log(
      "\nInfluxDB is not installed; `apt-get install influxdb` on Debian brings it, and it is compared then.",
    );
    return;
  }
  try {
    const bodies = Array.from({ length: influxEvents / influxBatchEvents }, () =>
      asLineProtocol(makeEvents(influxBatchEvents)),
    );
    const written = await repeat(4, Number.POSITIVE_INFINITY, influxBatchEvents, influxEvents, async () => {
      const body = bodies.pop();
      if (body) await influx.write(body);
    });
    const speed = perSecond({ events: influxEvents, ms: written.ms });
    console.log(
      `\nInfluxDB, first write of ${number(influxEvents)} such events: ${number(speed)} a second; Tidemark's best is ${(own / speed).toFixed(2)} times that`,
    );
  } finally {
    await influx.stop();
  }
}

const folder = await mkdtemp(join(tmpdir(), "tidemark-bench-"));
const log = pino({ level: "silent" });
const embedded = await startEmbeddedClickHouse({ dataDir: folder, log });
const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true }), () => embedded.stop()];
try {
  const { connection } = embedded;
  const server = connectClickHouse(connection);
  await server.command("CREATE DATABASE bench_direct");
  await server.command("CREATE DATABASE bench_service");
  await server.close();
  const direct = connectClickHouse({ ...connection, database: "bench_direct" });
  undo.push(() => direct.close());
  await migrateClickHouse(direct);
  const storeEvents = defineInsert("store_events", z.object({ batch: z.number() }));
  let batch = 0;
  const insertAtSize = async (size: number) => {
    // Rendered before the clock starts: this is ClickHouse's speed, not that of the one who asks.
    const bodies = Array.from({ length: Math.min(400, Math.ceil(100_000 / size)) }, () => asRows(makeEvents(size)));
    return repeat(Math.min(4, lanesOf(size)), insertForMs, size, Number.POSITIVE_INFINITY, async () => {
      const body = bodies[batch % bodies.length] as Buffer;
      await storeEvents(direct, [body], { batch: ++batch });
    });
  };

  const serviceUrl = new URL(connection.url);
  Object.assign(serviceUrl, {
    username: connection.username,
    password: connection.password,
    pathname: "/bench_service",
  });
  const key = randomBytes(24).toString("hex");
  const { url, service } = await startService(join(folder, "service"), serviceUrl.href, key);
  undo.push(() => stop(service));
  const api = new UsageApi({ url, key });

  await post(url, key, asBody(makeEvents(1_000)));
  await api.whenVisible(60_000);
  await insertAtSize(1_000);

  console.log("Events a second, HTTP in to queryable, beside inserts into the same tables with the same views\n");
  row("events a request", "acknowledged", "queryable", "ClickHouse alone", "ratio", "to its best");
  const best = perSecond(await insertAtSize(bestInsertRows));
  let fastest = 0;
  for (const size of requestSizes) {
    const own = perSecond(await insertAtSize(size));
    const most = maxEventsPerSize(size);
    // Rendered before the clock starts, as for ClickHouse: the emitter is not what is measured.
    const bodies = Array.from({ length: Math.ceil(most / size) + lanesOf(size) }, () => asBody(makeEvents(size)));
    const startedAt = performance.now();
    const posted = await repeat(lanesOf(size), postForMs, size, most, async () => {
      await post(url, key, bodies.pop() as Buffer);
    });
    await api.whenVisible(120_000);
    const whole = perSecond({ events: posted.events, ms: performance.now() - startedAt });
    row(
      number(size),
      number(perSecond(posted)),
      number(whole),
      number(own),
      (whole / own).toFixed(2),
      (whole / best).toFixed(2),
    );
    fastest = Math.max(fastest, whole);
  }
  row(`inserts of ${number(bestInsertRows)}`, "", "", number(best));

  await compareWithInflux(fastest);

  const { answered, queryable, pushed, backgroundPerSecond } = await measureFreshness(url, key);
  console.log(
    `\nFreshness of ${answered.length} events, each alone in a request, beside queries and ${number(backgroundPerSecond)} events/s of others (meant: ${number(backgroundEventsPerSecond)})\n`,
  );
  row("from POST until", "p50", "p99", "worst", "wanted at p99");
  const stages = [
    ["answered", answered, ""],
    ["in GET /v1/live", queryable, "below 2,000 ms"],
    ["in live:changed", pushed, "below 1,000 ms"],
  ] as const;
  for (const [name, times, wanted] of stages)
    row(name, percentile(times, 0.5), percentile(times, 0.99), percentile(times, 1), wanted);
  console.log(`\nMost memory that the server process has held: ${peakMemoryMb(service.pid)} MB`);

  console.log("\nCPU per event and stage, one stage at a time\n");
  row("stage", "server µs", "ClickHouse µs", "share");
  const costs = await measureStages(direct, embedded.pid() ?? 0, stageBatches, stageBatchEvents);
  const whole = costs.reduce((sum, { node, clickhouse }) => sum + node + clickhouse, 0);
  for (const { stage, node, clickhouse } of costs)
    row(stage, node.toFixed(2), clickhouse.toFixed(2), `${((100 * (node + clickhouse)) / whole).toFixed(0)} %`);
  row("in all", "", whole.toFixed(2), "");
} finally {
  agent.destroy();
  for (const step of undo.reverse()) await step();
}
