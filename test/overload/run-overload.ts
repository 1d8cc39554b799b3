/**
 * `npm run overload`: noisy keys offer three times what the service can take for OVERLOAD_SECONDS (default 300), then go on
 * while ClickHouse stands still for STOPPED_SECONDS (default 120). A quiet key beside them must keep being answered, memory
 * must stay flat, what does not fit must be refused by 429 and 503, and nothing that was acknowledged may be lost. Then the
 * disk of the log is filled.
 */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { CreatedKey } from "../../server/contract/accounts.ts";
import { UsageApi } from "../../server/programs/usage-api.ts";
import { startService } from "../support/service.ts";
import { fillDisk } from "./fill-disk.ts";
import { describe, expectAtMost, faults, newTally, post, type Tally } from "./offer-events.ts";
import { clickHousePid } from "./stand-still.ts";

const overloadSeconds = Number(process.env.OVERLOAD_SECONDS ?? 300);
const stoppedSeconds = Number(process.env.STOPPED_SECONDS ?? 120);
const capacitySeconds = 10;
const noisyKeys = 3;
const lanesPerKey = 8;
const eventsPerRequest = 1_000;
const quietEveryMs = 200;
const maxRssMb = 400;
const recoverWithinMs = 30_000;
const drainWithinMs = 600_000;
/** Small enough to be full while ClickHouse stands still. */
const walMaxBytes = 256 * 1024 * 1024;

/** Offers `perSecond` events a second in `lanes` lanes until `untilMs`, whatever the answers are. */
async function offer(url: string, key: string, perSecond: number, untilMs: number, tally: Tally): Promise<void> {
  const everyMs = (eventsPerRequest * lanesPerKey * 1000) / perSecond;
  await Promise.all(
    Array.from({ length: lanesPerKey }, async (_, lane) => {
      await delay((everyMs * lane) / lanesPerKey);
      for (let dueMs = Date.now(); dueMs < untilMs; dueMs = Math.max(dueMs + everyMs, Date.now() - everyMs)) {
        await delay(Math.max(0, dueMs - Date.now()));
        await post(url, key, eventsPerRequest, tally);
      }
    }),
  );
}

async function whisper(url: string, key: string, signal: AbortSignal, tally: Tally): Promise<void> {
  while (!signal.aborted) {
    await post(url, key, 10, tally);
    await delay(quietEveryMs);
  }
}

function watchMemory(pid: () => number): { highestMb(): number; stop(): void } {
  let highest = 0;
  const timer = setInterval(async () => {
    const status = await readFile(`/proc/${pid()}/status`, "utf8").catch(() => "");
    highest = Math.max(highest, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }, 200);
  return {
    highestMb() {
      const sofar = highest;
      highest = 0;
      return Math.round(sofar);
    },
    stop: () => clearInterval(timer),
  };
}

// What it can take, without a limit per key.
const measured = await startService({ LOG_LEVEL: "error", TIDEMARK_EVENTS_PER_SECOND: "100000000" });
const capacity = newTally();
const startedAtMs = Date.now();
await offer(measured.url, measured.rootKey, 1_000_000, startedAtMs + capacitySeconds * 1000, capacity);
await new UsageApi({ url: measured.url, key: measured.rootKey }).whenVisible(drainWithinMs);
const perSecond = Math.round((capacity.acknowledged * 1000) / (Date.now() - startedAtMs));
await measured.stop();
console.log(`capacity: ${perSecond} events a second from HTTP to queryable`);

// Each key may send two thirds of it, and offers all of it.
const service = await startService({
  LOG_LEVEL: "error",
  TIDEMARK_EVENTS_PER_SECOND: String(Math.max(1, Math.round((perSecond * 2) / 3))),
  TIDEMARK_WAL_MAX_BYTES: String(walMaxBytes),
});
const api = new UsageApi({ url: service.url, key: service.rootKey });
const memory = watchMemory(service.pid);
const tallies: Tally[] = [];
try {
  const keys = await Promise.all(Array.from({ length: noisyKeys }, (_, index) => makeKey(`noisy ${index}`)));
  const quietKey = await makeKey("quiet");
  const overload = async (title: string, seconds: number) => {
    const quiet = newTally();
    const noisy = keys.map(newTally);
    const hush = new AbortController();
    const whispering = whisper(service.url, quietKey, hush.signal, quiet);
    const untilMs = Date.now() + seconds * 1000;
    await Promise.all(keys.map((key, index) => offer(service.url, key, perSecond, untilMs, noisy[index] as Tally)));
    hush.abort();
    await whispering;
    tallies.push(quiet, ...noisy);
    console.log(`${title}, ${seconds} s:`);
    for (const [index, tally] of noisy.entries()) console.log(`  noisy key ${index + 1}: ${describe(tally)}`);
    console.log(`  quiet key: ${describe(quiet)}`);
    expectAtMost("highest RSS of the server, MB", memory.highestMb(), maxRssMb);
    return { quiet, noisy };
  };

  const { quiet, noisy } = await overload("three times what it can take", overloadSeconds);
  const quietRefused = [...quiet.answers].reduce((sum, [status, count]) => sum + (status === "202" ? 0 : count), 0);
  expectAtMost("requests of the quiet key that were not taken", quietRefused, 0);
  const shares = noisy.map(({ acknowledged }) => acknowledged);
  expectAtMost("largest share of a noisy key over the smallest", Math.max(...shares) / Math.min(...shares), 1.5);

  const pid = await clickHousePid(service.dataDir);
  process.kill(pid, "SIGSTOP");
  try {
    await overload("the same while ClickHouse stands still", stoppedSeconds);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  const mendedAtMs = Date.now();
  const afterwards = newTally();
  while (!(await post(service.url, quietKey, 1, afterwards))) await delay(100);
  tallies.push(afterwards);
  expectAtMost("ms until events are taken again", Date.now() - mendedAtMs, recoverWithinMs);
  await api.whenVisible(drainWithinMs);
  console.log(`  everything can be queried after ${Date.now() - mendedAtMs} ms`);
  expectAtMost("highest RSS of the server while it catches up, MB", memory.highestMb(), maxRssMb);

  const acknowledged = tallies.reduce((sum, tally) => sum + tally.acknowledged, 0);
  const { meters } = await api.usage({ meter: "api_calls", from: "2000-01-01", to: "2100-01-01", window: "total" });
  // What was cut off without an answer may have been taken; what was acknowledged must have been.
  const missing = acknowledged - Number(meters[0]?.total);
  expectAtMost("acknowledged events that are missing", missing, 0);
} finally {
  memory.stop();
  await service.stop();
}
await fillDisk();
for (const fault of faults) console.log(`FAULT ${fault}`);
console.log(faults.length === 0 ? "overload does no harm" : "overload DOES HARM");
process.exit(faults.length === 0 ? 0 : 1);

async function makeKey(name: string): Promise<string> {
  const response = await fetch(`${service.url}/v1/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${service.rootKey}`, "content-type": "application/json" },
    body: JSON.stringify({ name, node: "all", scopes: ["ingest"], create_organizations: true }),
  });
  if (response.status !== 201)
    throw new Error(`POST /v1/keys was answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as CreatedKey).key;
}
