/**
 * `npm run bench:light`: what a service costs that has little to do. Three requests a second of three events each, for as long as
 * LIGHT_SECONDS says (60), beside the same time without any; seconds of CPU a minute of the server and of its ClickHouse.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { connectClickHouse } from "../../server/clickhouse/client.ts";
import { startEmbeddedClickHouse } from "../../server/embedded/embedded-clickhouse.ts";
import { UsageApi } from "../../server/programs/usage-api.ts";
import { post, startService, stop } from "./bench-service.ts";
import { asBody, makeEvents } from "./made-events.ts";
import { cpuOf } from "./stages.ts";

const requestsPerSecond = 3;
const eventsPerRequest = 3;
const seconds = Number(process.env.LIGHT_SECONDS ?? 60);

/** CPU seconds of a process so far by the name of its threads, which separates merges from statements. */
async function cpuByThread(pid: number): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, "utf8").catch(() => undefined);
    if (stat === undefined) continue;
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    found.set(name, (found.get(name) ?? 0) + (Number(fields[11]) + Number(fields[12])) / 100);
  }
  return found;
}

const folder = await mkdtemp(join(tmpdir(), "tidemark-light-"));
const embedded = await startEmbeddedClickHouse({ dataDir: folder, log: pino({ level: "silent" }) });
const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true }), () => embedded.stop()];
try {
  const { connection } = embedded;
  const url = new URL(connection.url);
  Object.assign(url, { username: connection.username, password: connection.password, pathname: connection.database });
  const key = randomBytes(24).toString("hex");
  const { url: serviceUrl, service } = await startService(join(folder, "service"), url.href, key);
  undo.push(() => stop(service));
  const clickhouse = connectClickHouse(connection);
  undo.push(() => clickhouse.close());
  const clickhousePid = embedded.pid() ?? 0;
  const send = () => post(serviceUrl, key, asBody(makeEvents(eventsPerRequest)));
  await send();
  await new UsageApi({ url: serviceUrl, key }).whenVisible(60_000);
  await delay(5_000);

  async function measure(name: string, work: (untilMs: number) => Promise<void>): Promise<void> {
    const counters = async () =>
      new Map(
        (
          (await clickhouse.select("SELECT event, value FROM system.events", {})) as { event: string; value: number }[]
        ).map(({ event, value }) => [event, Number(value)]),
      );
    const before = {
      server: cpuOf(service.pid ?? 0),
      clickhouse: cpuOf(clickhousePid),
      threads: await cpuByThread(clickhousePid),
      counters: await counters(),
    };
    const startedAtMs = performance.now();
    await work(startedAtMs + seconds * 1_000);
    const perMinute = 60 / ((performance.now() - startedAtMs) / 1_000);
    const of = (earlier: number, now: number) => (((now - earlier) / 1_000_000) * perMinute).toFixed(1);
    console.log(
      `${name}: server ${of(before.server, cpuOf(service.pid ?? 0))} s, ClickHouse ${of(before.clickhouse, cpuOf(clickhousePid))} s of CPU a minute`,
    );
    const threads = [...(await cpuByThread(clickhousePid))]
      .map(([thread, used]): [string, number] => [thread, (used - (before.threads.get(thread) ?? 0)) * perMinute])
      .filter(([, used]) => used > 0.1)
      .sort(([, a], [, b]) => b - a);
    console.log(`  by thread: ${threads.map(([thread, used]) => `${thread} ${used.toFixed(1)}`).join(", ")}`);
    const after = await counters();
    const shown = [
      "InsertQuery",
      "SelectQuery",
      "Query",
      "InsertedRows",
      "MergeTreeDataWriterParts",
      "MergeTreeDataWriterBlocks",
      "Merge",
      "MergedRows",
      "MergeTotalMilliseconds",
      "FileSync",
      "DirectorySync",
      "InsertQueryTimeMicroseconds",
      "SelectQueryTimeMicroseconds",
      "MergeExecuteMilliseconds",
    ];
    console.log(
      `  a minute: ${shown.map((event) => `${event} ${Math.round(((after.get(event) ?? 0) - (before.counters.get(event) ?? 0)) * perMinute)}`).join(", ")}`,
    );
  }
  await measure("nothing sent", (untilMs) => delay(untilMs - performance.now()));
  await measure(`${requestsPerSecond} requests a second of ${eventsPerRequest} events`, async (untilMs) => {
    for (let dueAtMs = performance.now(); dueAtMs < untilMs; dueAtMs += 1_000 / requestsPerSecond) {
      await delay(Math.max(0, dueAtMs - performance.now()));
      await send();
    }
  });
} finally {
  for (const step of undo.reverse()) await step();
}
