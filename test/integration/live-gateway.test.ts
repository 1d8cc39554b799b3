import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo, Socket as Connection } from "node:net";
import { promisify } from "node:util";
import type { Redis } from "ioredis";
import { pino } from "pino";
import { io as connect, type Socket } from "socket.io-client";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type {
  ClientToServerEvents,
  LiveChanged,
  LiveSnapshot,
  ServerToClientEvents,
  WatchResult,
} from "../../server/contract/live.ts";
import type { Actor } from "../../server/identity/actor.ts";
import { createLiveGateway, type LiveGateway } from "../../server/live/live-gateway.ts";
import { connectRedis } from "../../server/redis/connect-redis.ts";
import { Accounts, Figures } from "../support/live-figures.ts";
import { patienceMs } from "../support/patience.ts";
import { ownRedis } from "../support/stores.ts";
import { unheldMs } from "../support/unheld-time.ts";

type Client = Socket<ServerToClientEvents, ClientToServerEvents>;

const silent = pino({ level: "silent" });
const mine = "reseller:north";
const below = "organization:alpha";
const foreign = "organization:other";

const mayWatch = (actor: Actor, node: string | null): string | undefined => {
  if (node === null || node === actor.node) return actor.node;
  return actor.node === mine && node === below ? below : undefined;
};

interface Running {
  url: string;
  gateway: LiveGateway;
  /** How many TCP connections are open. */
  connections(): Promise<number>;
}

let figures: Figures;
let accounts: Accounts;

beforeEach(() => {
  figures = new Figures();
  accounts = new Accounts([["good", mine]]);
});

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start(options: { figures?: Figures; redis?: Redis } = {}): Promise<Running> {
  const httpServer: HttpServer = createServer((_, response) => response.end());
  const gateway = createLiveGateway({
    httpServer,
    authenticate: accounts.authenticate,
    mayWatch,
    isKnown: async (node) => !node.startsWith("agent:"),
    tenantOf: () => mine,
    addressOf: (request) => request.socket.remoteAddress,
    readLive: (options.figures ?? figures).read,
    redis: options.redis,
    log: silent,
  });
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  stops.push(async () => {
    await gateway.close();
    httpServer.closeAllConnections();
    await new Promise((resolve) => httpServer.close(resolve));
  });
  const connections = promisify(httpServer.getConnections.bind(httpServer));
  return { url: `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`, gateway, connections };
}

interface Viewer {
  client: Client;
  changes: LiveChanged[];
  snapshots: LiveSnapshot[];
  watch(node: string | null): Promise<WatchResult>;
}

function open(url: string, options: Parameters<typeof connect>[1] = { auth: { token: "good" } }): Viewer {
  const client: Client = connect(url, { transports: ["websocket"], reconnection: false, forceNew: true, ...options });
  onTestFinished(() => void client.disconnect());
  const changes: LiveChanged[] = [];
  const snapshots: LiveSnapshot[] = [];
  client.on("live:changed", (change) => changes.push(change));
  client.on("live:snapshot", (snapshot) => snapshots.push(snapshot));
  return { client, changes, snapshots, watch: (node) => client.timeout(60_000).emitWithAck("live:watch", node) };
}

async function snapshotOf(viewer: Viewer, node: string | null): Promise<LiveSnapshot> {
  const result = await viewer.watch(node);
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  return result.snapshot;
}

/** Sets the figure and says so, as the ingest does after a batch. */
function change({ gateway }: Running, node: string, participants: number): void {
  figures.participants.set(node, participants);
  gateway.announce([node]);
}

const untilChange = (viewer: Viewer, participants: number) =>
  vi.waitUntil(() => viewer.changes.find(({ levels }) => levels.live_participants === participants), {
    timeout: patienceMs,
    interval: 5,
  });

const untilClosed = (viewer: Viewer) =>
  vi.waitUntil(() => !viewer.client.connected, { timeout: patienceMs, interval: 20 });

describe("what a viewer sees", () => {
  test("a snapshot first, then every change with the next sequence and no other", async () => {
    const running = await start();
    const viewer = open(running.url);
    figures.participants.set(mine, 3);
    const snapshot = await snapshotOf(viewer, null);
    expect(snapshot).toMatchObject({ node: mine, levels: { live_participants: 3 } });
    for (const participants of [4, 5, 6]) {
      change(running, mine, participants);
      await untilChange(viewer, participants);
    }
    expect(viewer.changes.map(({ sequence }) => sequence - snapshot.sequence)).toEqual([1, 2, 3]);
    expect(viewer.snapshots).toEqual([snapshot]);
  });

  test("who comes later goes on from its own snapshot, in step with those who were there", async () => {
    const running = await start();
    const early = open(running.url);
    await snapshotOf(early, mine);
    change(running, mine, 1);
    await untilChange(early, 1);
    const late = open(running.url);
    const snapshot = await snapshotOf(late, mine);
    change(running, mine, 2);
    const seen = await untilChange(late, 2);
    expect(seen.sequence).toBe(snapshot.sequence + 1);
    expect((await untilChange(early, 2)).sequence).toBe(seen.sequence);
  });

  test("the node asked for last, and no change of the one before", async () => {
    const running = await start();
    const viewer = open(running.url);
    await snapshotOf(viewer, mine);
    await snapshotOf(viewer, below);
    change(running, mine, 7);
    change(running, below, 8);
    await untilChange(viewer, 8);
    expect(viewer.changes.map(({ node }) => node)).toEqual([below]);
  });

  test("a client that asks without an answer function gets its snapshot as an event", async () => {
    const running = await start();
    const viewer = open(running.url);
    (viewer.client as Socket).emit("live:watch", mine);
    await vi.waitUntil(() => viewer.snapshots.length > 0, { timeout: patienceMs });
    expect(viewer.snapshots).toMatchObject([{ node: mine }]);
  });

  test("its own node where a client names none, with an answer function or without", async () => {
    const running = await start();
    const viewer = open(running.url);
    const client = (viewer.client as Socket).timeout(60_000);
    expect(await client.emitWithAck("live:watch")).toMatchObject({ ok: true, snapshot: { node: mine } });
    expect(await client.emitWithAck("live:watch", undefined)).toMatchObject({ ok: true, snapshot: { node: mine } });
    (viewer.client as Socket).emit("live:watch");
    await vi.waitUntil(() => viewer.snapshots.length === 3, { timeout: patienceMs });
    expect(viewer.snapshots.map(({ node }) => node)).toEqual([mine, mine, mine]);
  });

  test("the age of the figures at least every five seconds when nothing changes, and silence while they cannot be read", async () => {
    const running = await start();
    const viewer = open(running.url);
    const snapshot = await snapshotOf(viewer, mine);
    const received = () => vi.waitUntil(() => viewer.changes.length > 0, { timeout: patienceMs, interval: 20 });
    expect(await unheldMs(received)).toBeLessThan(5_000);
    expect(viewer.changes).toMatchObject([{ sequence: snapshot.sequence + 1, levels: snapshot.levels }]);
    figures.isDown = true;
    const reads = figures.readsOf(mine);
    await vi.waitUntil(() => figures.readsOf(mine) >= reads + 2, { timeout: patienceMs, interval: 20 });
    expect(viewer.changes).toHaveLength(1);
    figures.isDown = false;
    await vi.waitUntil(() => viewer.changes.length === 2, { timeout: patienceMs, interval: 20 });
  });
});

describe("what storage is asked", () => {
  test("nothing for nodes that nobody watches, or nobody watches any more", async () => {
    const running = await start();
    const viewer = open(running.url);
    await snapshotOf(viewer, mine);
    viewer.client.disconnect();
    const other = open(running.url);
    await snapshotOf(other, below);
    const reads = figures.readsOf(mine);
    change(running, mine, 1);
    change(running, foreign, 1);
    change(running, below, 1);
    await untilChange(other, 1);
    expect(figures.readsOf(foreign)).toBe(0);
    expect(figures.readsOf(mine)).toBe(reads);
  });

  test("at most four times a second for a node, however much is announced, and the last figure arrives", async () => {
    const running = await start();
    const viewers = Array.from({ length: 5 }, () => open(running.url));
    for (const viewer of viewers) await snapshotOf(viewer, mine);
    const reads = figures.readsOf(mine);
    const fromMs = performance.now();
    let participants = 0;
    await vi.waitUntil(
      () => {
        change(running, mine, ++participants);
        return performance.now() - fromMs > 2_000 && participants > 100;
      },
      { timeout: patienceMs, interval: 1 },
    );
    for (const viewer of viewers) await untilChange(viewer, participants);
    const seconds = (performance.now() - fromMs) / 1_000;
    expect(figures.readsOf(mine) - reads).toBeLessThanOrEqual(Math.ceil(4 * seconds) + 1);
  });
});

describe("who may see it", () => {
  test("without valid credentials the connection is refused and says why", async () => {
    const running = await start();
    for (const auth of [{}, { token: "forged" }]) {
      const viewer = open(running.url, { auth });
      const error = await new Promise<Error>((resolve) => viewer.client.once("connect_error", resolve));
      expect(error).toMatchObject({ data: { code: "unauthenticated" } });
    }
  });

  test("a session cookie is as good as a key", async () => {
    const running = await start();
    const viewer = open(running.url, { extraHeaders: { cookie: "session=good" } });
    expect(await snapshotOf(viewer, null)).toMatchObject({ node: mine });
  });

  test("a page of another origin is refused, with a cookie or not", async () => {
    const running = await start();
    const viewer = open(running.url, { extraHeaders: { cookie: "session=good", origin: "https://evil.example" } });
    await new Promise((resolve) => viewer.client.once("connect_error", resolve));
    expect(accounts.seen).toEqual([]);
  });

  test.each([foreign, "no address", { node: mine }])(
    "%j is refused, and what was watched before is left",
    async (node) => {
      const running = await start();
      const viewer = open(running.url);
      await snapshotOf(viewer, mine);
      expect(await viewer.watch(node as string)).toMatchObject({ ok: false, code: "forbidden" });
      expect(figures.readsOf(foreign)).toBe(0);
      const other = open(running.url);
      await snapshotOf(other, mine);
      change(running, mine, 9);
      await untilChange(other, 9);
      expect(viewer.changes).toEqual([]);
    },
  );

  test("a revoked key is cut within five seconds, others stay", async () => {
    accounts.nodes.set("revoked", mine);
    const running = await start();
    const viewer = open(running.url, { auth: { token: "revoked" } });
    const other = open(running.url);
    await Promise.all([snapshotOf(viewer, mine), snapshotOf(other, mine)]);
    accounts.nodes.delete("revoked");
    expect(await unheldMs(() => untilClosed(viewer))).toBeLessThan(5_000);
    expect(other.client.connected).toBe(true);
  });

  test("a key that lost the node it watches is cut within five seconds", async () => {
    const running = await start();
    const viewer = open(running.url);
    await snapshotOf(viewer, mine);
    accounts.nodes.set("good", foreign);
    expect(await unheldMs(() => untilClosed(viewer))).toBeLessThan(5_000);
  });
});

describe("sockets that ask and do not take", () => {
  test("one that reads no answer is cut and its connection with it", async () => {
    const { url, gateway, connections } = await start();
    const reader = open(url);
    await snapshotOf(reader, mine);
    const viewer = open(url);
    await snapshotOf(viewer, mine);
    (viewer.client.io.engine.transport as unknown as { ws: { _socket: Connection } }).ws._socket.pause();
    await vi.waitUntil(
      () => {
        for (let ask = 0; ask < 5_000; ask++) viewer.client.emit("live:watch", null, () => undefined);
        return gateway.sockets === 1;
      },
      { timeout: patienceMs, interval: 20 },
    );
    await vi.waitUntil(async () => (await connections()) === 1, { timeout: patienceMs, interval: 20 });
    expect((await reader.watch(mine)).ok).toBe(true);
  });

  test("while figures cannot be read only the last question of a socket waits, and the ones before are answered", async () => {
    const running = await start();
    figures.isDown = true;
    const viewer = open(running.url);
    const first = viewer.watch(mine);
    const second = viewer.watch(mine);
    expect(await first).toMatchObject({ ok: false, code: "superseded" });
    figures.isDown = false;
    expect(await second).toMatchObject({ ok: true });
  });
});

describe("what is pushed besides figures", () => {
  test("is asked for once for a caller with its rights of now, and reaches each of its sockets and no other", async () => {
    accounts.nodes.set("other", below);
    const { url, gateway } = await start();
    const viewers = [...Array.from({ length: 5 }, () => open(url)), open(url, { auth: { token: "other" } })];
    const changesOf: number[] = viewers.map(() => 0);
    viewers.forEach(({ client }, index) => {
      client.on("alerts:changed", () => {
        changesOf[index] = (changesOf[index] ?? 0) + 1;
      });
    });
    await Promise.all(viewers.map((viewer) => snapshotOf(viewer, null)));
    const askedFor: string[] = [];
    await gateway.push("alerts:changed", async ({ node }) => {
      askedFor.push(node);
      return node === mine ? { alerts: ["alr_1"] } : undefined;
    });
    await vi.waitUntil(() => changesOf.slice(0, 5).every((times) => times > 0), { timeout: patienceMs, interval: 5 });
    expect(askedFor.toSorted()).toEqual([below, mine]);
    expect(changesOf).toEqual([1, 1, 1, 1, 1, 0]);
  });
});

describe("several processes with one Redis", () => {
  async function bus(): Promise<Redis> {
    const { url, stop } = await ownRedis();
    const redis = connectRedis(url, { name: "test", whenDown: "wait", log: silent });
    stops.push(async () => {
      redis.disconnect();
      await stop();
    });
    return redis;
  }

  test("viewers at other processes see what one process announces, each in its own sequence without a gap", async () => {
    const a = await start({ redis: await bus() });
    const elsewhere = new Figures();
    const b = await start({ redis: await bus(), figures: elsewhere });
    const viewer = open(b.url);
    const snapshot = await snapshotOf(viewer, mine);
    for (const participants of [11, 12, 13]) {
      elsewhere.participants.set(mine, participants);
      // Right after the start the other process may not listen yet; the heartbeat would bring it later.
      await vi.waitUntil(
        () => {
          a.gateway.announce([mine]);
          return viewer.changes.some(({ levels }) => levels.live_participants === participants);
        },
        { timeout: patienceMs, interval: 50 },
      );
    }
    expect(viewer.changes.map(({ sequence }) => sequence - snapshot.sequence)).toEqual([1, 2, 3]);
    expect(figures.reads).toEqual([]);
  });

  test("without Redis a process still serves its own viewers, and closes", async () => {
    const redis = connectRedis("redis://127.0.0.1:1", { name: "test", whenDown: "wait", log: silent });
    stops.push(async () => redis.disconnect());
    const running = await start({ redis });
    const viewer = open(running.url);
    await snapshotOf(viewer, mine);
    change(running, mine, 1);
    await untilChange(viewer, 1);
  });
});
