/**
 * `npm run bench:live`: how long it takes from POST until a viewer's socket shows it, by how many watch, and what that costs in
 * CPU and memory. `BENCH_CASES=20,200` measures some cases alone, `BENCH_SECONDS` says for how long each (30). Viewers and senders run on the same
 * machine, in this process: use the ratios of one run.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { io, type Socket } from "socket.io-client";
import type { UsageEvent, Verdict } from "../../server/contract/events.ts";
import type { ClientToServerEvents, ServerToClientEvents } from "../../server/contract/live.ts";
import { startService, type TestService } from "../support/service.ts";
import { makeEvents } from "./made-events.ts";
import { cpuOf } from "./stages.ts";

interface Case {
  /** Each watches an organization of its own. */
  viewers: number;
  joinsPerSecond: number;
  joinsPerRequest: number;
  /** Events of organizations that nobody watches, in requests of a thousand. */
  othersPerSecond: number;
}

const cases: Readonly<Record<string, Case>> = {
  "20": { viewers: 20, joinsPerSecond: 87, joinsPerRequest: 1, othersPerSecond: 0 },
  "200": { viewers: 200, joinsPerSecond: 82, joinsPerRequest: 1, othersPerSecond: 0 },
  "200-busy": { viewers: 200, joinsPerSecond: 750, joinsPerRequest: 5, othersPerSecond: 0 },
  "1-at-10000": { viewers: 1, joinsPerSecond: 10, joinsPerRequest: 1, othersPerSecond: 10_000 },
  "2000": { viewers: 2_000, joinsPerSecond: 1_000, joinsPerRequest: 10, othersPerSecond: 0 },
};
const largeSession = { participants: 50_000, perSecond: 2_000, perRequest: 200, reportEach: 5_000 };

const chosen = process.env.BENCH_CASES?.split(",") ?? [...Object.keys(cases), "large-session"];
const forMs = Number(process.env.BENCH_SECONDS ?? 30) * 1_000;
/** As many sockets as one key may have. */
const viewersPerReseller = 200;
const patienceMs = 30_000;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function post(service: TestService, path: string, key: string, body: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const sent = request(`${service.url}${path}`, { method: "POST", agent, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => {
        if ((response.statusCode ?? 500) >= 300)
          reject(new Error(`${path} was answered ${response.statusCode}: ${text}`));
        else resolve(JSON.parse(text));
      });
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(body));
  });
}

const sendEvents = async (service: TestService, key: string, events: readonly Partial<UsageEvent>[]) =>
  (await post(service, "/v1/events", key, events)) as Verdict;

interface Watched {
  organization: string;
  key: string;
  sent: number;
  /** Joins that its viewer has not seen yet, and when they were posted. */
  waiting: { count: number; postedAtMs: number }[];
}

const joinOf = (watched: Watched): Partial<UsageEvent> => {
  const number = ++watched.sent;
  const { organization } = watched;
  return {
    id: `${organization}-${number}`,
    type: "participant.joined",
    organization,
    session: "live",
    user: `user-${number}`,
    interval: `interval-${number}`,
  };
};

async function openViewers(service: TestService, name: string, viewers: number, lagsMs: number[]) {
  const sockets: Socket[] = [];
  const all: Watched[] = [];
  for (let first = 0; first < viewers; first += viewersPerReseller) {
    const reseller = `bench-${name}-${first}`;
    await post(service, "/v1/nodes", service.rootKey, {
      kind: "reseller",
      id: reseller,
      name: reseller,
      parent: "all",
    });
    const scopes = ["read", "ingest"];
    const made = { name: reseller, node: `reseller:${reseller}`, scopes, create_organizations: true };
    const { key } = (await post(service, "/v1/keys", service.rootKey, made)) as { key: string };
    const own = Array.from({ length: Math.min(viewersPerReseller, viewers - first) }, (_, index): Watched => {
      return { organization: `${reseller}-${index}`, key, sent: 0, waiting: [] };
    });
    await sendEvents(service, key, own.map(joinOf));
    for (const watched of own) sockets.push(await openViewer(service, watched, lagsMs));
    all.push(...own);
  }
  return { sockets, all };
}

async function openViewer(service: TestService, watched: Watched, lagsMs: number[]): Promise<Socket> {
  const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(service.url, {
    transports: ["websocket"],
    forceNew: true,
    auth: { token: watched.key },
  });
  socket.on("live:changed", ({ levels }) => {
    const nowMs = performance.now();
    while (watched.waiting[0] && watched.waiting[0].count <= levels.live_participants)
      lagsMs.push(nowMs - (watched.waiting.shift()?.postedAtMs ?? nowMs));
  });
  const answer = await socket.timeout(patienceMs).emitWithAck("live:watch", `organization:${watched.organization}`);
  if (!answer.ok) throw new Error(`the socket may not watch: ${answer.message}`);
  return socket as unknown as Socket;
}

/** Calls `once` by the clock and not by the answers: a slow answer must not make the load smaller. */
async function atRate(perSecond: number, untilMs: number, once: () => Promise<unknown>): Promise<void> {
  const onTheWay = new Set<Promise<unknown>>();
  for (let dueAtMs = performance.now(); dueAtMs < untilMs; dueAtMs += 1_000 / perSecond) {
    await delay(Math.max(0, dueAtMs - performance.now()));
    const sent: Promise<unknown> = once().finally(() => onTheWay.delete(sent));
    onTheWay.add(sent);
  }
  await Promise.all(onTheWay);
}

async function measure(service: TestService, name: string, { viewers, ...load }: Case): Promise<void> {
  const lagsMs: number[] = [];
  const { sockets, all } = await openViewers(service, name, viewers, lagsMs);
  await delay(2_000);
  lagsMs.length = 0;
  const before = usedBy(service);
  const startedAtMs = performance.now();
  const untilMs = startedAtMs + forMs;
  let next = 0;
  const joining = atRate(load.joinsPerSecond / load.joinsPerRequest, untilMs, async () => {
    const postedAtMs = performance.now();
    const reseller = all[next % all.length]?.key ?? "";
    const events = Array.from({ length: load.joinsPerRequest }, () => all[next++ % all.length] as Watched)
      .filter(({ key }) => key === reseller)
      .map((watched) => {
        const event = joinOf(watched);
        watched.waiting.push({ count: watched.sent, postedAtMs });
        return event;
      });
    await sendEvents(service, reseller, events);
  });
  const others =
    load.othersPerSecond === 0
      ? undefined
      : atRate(load.othersPerSecond / 1_000, untilMs, () => sendEvents(service, service.rootKey, makeEvents(1_000)));
  await Promise.all([joining, others]);
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const isWaiting = () => all.some(({ waiting }) => waiting.length > 0);
  for (let waitedMs = 0; isWaiting() && waitedMs < patienceMs; waitedMs += 50) await delay(50);
  const used = usedBy(service);
  const cores = (after: number, earlier: number) => `${(((after - earlier) / seconds) * 100).toFixed(0)}%`;
  const unseen = all.reduce((sum, { waiting }) => sum + waiting.length, 0);
  row(
    name,
    `${lagsMs.length}${unseen > 0 ? ` (${unseen} unseen)` : ""}`,
    ...[0.5, 0.99, 1].map((share) => milliseconds(lagsMs, share)),
    cores(used.server, before.server),
    cores(used.clickhouse, before.clickhouse),
    peakMemory(service.pid()),
  );
  for (const socket of sockets) socket.disconnect();
}

async function measureLargeSession(service: TestService): Promise<void> {
  const { participants, perSecond, perRequest, reportEach } = largeSession;
  const watched: Watched = { organization: "bench-webinar", key: service.rootKey, sent: 0, waiting: [] };
  const before = usedBy(service);
  const startedAtMs = performance.now();
  let reported = 0;
  await atRate(perSecond / perRequest, startedAtMs + (participants / perSecond) * 1_000, async () => {
    const verdict = await sendEvents(
      service,
      watched.key,
      Array.from({ length: perRequest }, () => joinOf(watched)),
    );
    const lagMs = Date.now() - Date.parse(verdict.watermark);
    const due = Math.floor(watched.sent / reportEach);
    if (due > reported) {
      reported = due;
      console.log(`  after ${due * reportEach} participants the watermark is ${lagMs} ms old`);
    }
  });
  const used = usedBy(service);
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const perEvent = (after: number, earlier: number) => (((after - earlier) * 1e6) / watched.sent).toFixed(0);
  console.log(
    `  ${watched.sent} joins in ${seconds.toFixed(1)} s; CPU an event: server ${perEvent(used.server, before.server)} µs, ClickHouse ${perEvent(used.clickhouse, before.clickhouse)} µs; server ${peakMemory(service.pid())} MB`,
  );
}

/** CPU seconds of the server and of its embedded ClickHouse so far. */
function usedBy(service: TestService): { server: number; clickhouse: number } {
  const children = readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || !existsSync(`/proc/${pid}/stat`)) return false;
    const [, parent] = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return Number(parent) === service.pid() && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("clickhouse");
  });
  return {
    server: cpuOf(service.pid()) / 1e6,
    clickhouse: children.reduce((sum, pid) => sum + cpuOf(Number(pid)) / 1e6, 0),
  };
}

/** The kernel's own record of the largest resident size since the start, MB. */
function peakMemory(pid: number): string {
  return (Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024).toFixed(0);
}

function milliseconds(timesMs: readonly number[], share: number): string {
  const sorted = [...timesMs].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(0);
}

const row = (...cells: string[]) =>
  console.log(cells.map((cell, index) => (index ? cell.padStart(12) : cell.padEnd(14))).join(""));

row("viewers", "joins seen", "p50 ms", "p99 ms", "longest", "server", "ClickHouse", "peak MB");
for (const name of chosen) {
  const one = cases[name];
  if (!one && name !== "large-session") throw new Error(`there is no case ${name}`);
  const service = await startService({ TIDEMARK_EVENTS_PER_SECOND: "100000000" });
  try {
    if (one) await measure(service, name, one);
    else await measureLargeSession(service);
  } finally {
    await service.stop();
  }
}
agent.destroy();
