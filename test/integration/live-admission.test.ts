/** Who is let in by the gateway of the live view, and what a connection may cost that nobody is known on. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { io, Manager, type Socket } from "socket.io-client";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { liveLimits } from "../../server/contract/live.ts";
import { createLiveGateway } from "../../server/live/live-gateway.ts";
import { Accounts, Figures } from "../support/live-figures.ts";
import { patienceMs } from "../support/patience.ts";
import { unheldMs } from "../support/unheld-time.ts";

let accounts: Accounts;
beforeEach(() => {
  accounts = new Accounts([["good", "reseller:north"]]);
});
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start(options: { now?: () => number } = {}) {
  const httpServer = createServer((_, response) => response.end());
  const gateway = createLiveGateway({
    httpServer,
    authenticate: accounts.authenticate,
    mayWatch: (actor) => actor.node,
    isKnown: async () => true,
    tenantOf: (node) => node,
    addressOf: (request) => request.headers["x-from"]?.toString() ?? request.socket.remoteAddress,
    readLive: new Figures().read,
    log: pino({ level: "silent" }),
    ...options,
  });
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  stops.push(async () => {
    await gateway.close();
    httpServer.closeAllConnections();
    await new Promise((resolve) => httpServer.close(resolve));
  });
  return { url: `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`, gateway };
}

function open(url: string): Socket {
  const options = { transports: ["websocket"], reconnection: false, forceNew: true, auth: { token: "good" } };
  const client = io(url, options);
  onTestFinished(() => void client.disconnect());
  return client;
}

/** A connection that nobody has said anything on; `said`: what came to it. */
async function raw(url: string, from?: string) {
  const extraHeaders: Record<string, string> = from === undefined ? {} : { "x-from": from };
  const manager = new Manager(url, { transports: ["websocket"], reconnection: false, forceNew: true, extraHeaders });
  const { engine } = manager;
  onTestFinished(() => void engine.close());
  const said: string[] = [];
  engine.on("message", (message) => said.push(String(message)));
  const closed = new Promise<void>((resolve) => engine.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    engine.once("open", () => resolve());
    engine.once("error", reject);
  });
  return { said, closed, send: (packet: string) => engine.write(packet) };
}

const connectPacket = (token: string) => `0${JSON.stringify({ token })}`;

test("one by polling counts until the server has closed it, whatever becomes of the connections it is asked on", async () => {
  const { url } = await start();
  const handshake = () =>
    fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { connection: "close", "x-from": "192.0.2.1" } });
  const statuses: number[] = [];
  while (statuses.length < liveLimits.maxOpeningOfNetwork + 50)
    statuses.push(...(await Promise.all(Array.from({ length: 50 }, async () => (await handshake()).status))));
  const open = statuses.filter((status) => status === 200).length;
  expect([...new Set(statuses)].sort()).toEqual([200, 403]);
  // Those of the first seconds may have been closed meanwhile.
  expect(open).toBeLessThan(statuses.length);
  await vi.waitUntil(async () => (await handshake()).status === 200, { timeout: patienceMs, interval: 200 });
});

test("who comes by polling is admitted as who comes by WebSocket", async () => {
  const { url, gateway } = await start();
  const client = io(url, { transports: ["polling"], reconnection: false, forceNew: true, auth: { token: "good" } });
  onTestFinished(() => void client.disconnect());
  await vi.waitUntil(() => client.connected, { timeout: patienceMs });
  expect(gateway.sockets).toBe(1);
});

test("one that says nothing is closed within a few seconds", async () => {
  const { url } = await start();
  const silentOne = await raw(url);
  expect(await unheldMs(() => silentOne.closed)).toBeLessThan(10_000);
});

test("each says once who it is: after a refusal it is closed, and so is one that says it twice", async () => {
  const { url } = await start();
  const forger = await raw(url);
  forger.send(connectPacket("forged"));
  await forger.closed;
  expect(forger.said.some((packet) => packet.includes("unauthenticated"))).toBe(true);
  const guesser = await raw(url);
  for (let guess = 0; guess < 50; guess++) guesser.send(connectPacket(`forged-${guess}`));
  await guesser.closed;
  expect(accounts.seen).toHaveLength(2);
});

test("a network whose credentials nobody has is asked no more for a while, and others are", async () => {
  // With a clock that stands still nothing is forgiven meanwhile, however slow the machine is.
  const { url } = await start({ now: () => 0 });
  const refused = async (from: string) => {
    const one = await raw(url, from);
    one.send(connectPacket("forged"));
    await one.closed;
    return one.said.at(-1) ?? "";
  };
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 20 }, () => refused("192.0.2.1")));
  expect(accounts.seen.length).toBeLessThan(330);
  expect(await refused("192.0.2.1")).toContain("too_fast");
  expect(await refused("192.0.2.2")).toContain("unauthenticated");
});

test("those who are admitted at once overrun no limit, and who has left leaves room", async () => {
  const { url } = await start();
  const most = liveLimits.maxSocketsOfCaller;
  const all = Array.from({ length: most + 50 }, () => open(url));
  const outcomes = await Promise.all(
    all.map(
      (client) =>
        new Promise<string>((resolve) => {
          client.once("connect", () => resolve("connected"));
          client.once("connect_error", (error) => resolve((error as { data?: { code: string } }).data?.code ?? "?"));
        }),
    ),
  );
  expect(outcomes.filter((outcome) => outcome === "connected")).toHaveLength(most);
  expect(new Set(outcomes)).toEqual(new Set(["connected", "too_many_sockets"]));
  for (const client of all) client.disconnect();
  const later = open(url);
  await vi.waitUntil(() => later.connected || void later.connect(), {
    timeout: patienceMs,
    interval: 200,
  });
});
