import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import type { UsageEvent, Verdict } from "../../../server/contract/events.ts";
import { backoffMs, Emitter, RequestRefusedError } from "../../../server/demo/emitter.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve).closeAllConnections());
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const event = (id: string): UsageEvent => ({
  id,
  type: "chat.posted",
  organization: "acme",
  time: "2026-01-01T00:00:00Z",
});
const verdict = (accepted: number, duplicates = 0): Verdict => ({
  accepted,
  duplicates,
  rejected: [],
  warnings: [],
  watermark: "2026-01-01T00:00:00Z",
});
const events = Array.from({ length: 25 }, (_, index) => event(`e${index}`));

describe("an emitter", () => {
  it("repeats the same bytes after a refusal that may pass or a broken connection, and counts what came of it", async () => {
    const bodies: string[] = [];
    const url = await listen(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      bodies.push(gunzipSync(Buffer.concat(chunks)).toString());
      if (bodies.length === 1) return void response.writeHead(503, { "retry-after": "0" }).end();
      if (bodies.length === 2) return void request.socket.destroy();
      response.writeHead(202).end(JSON.stringify(verdict(0, 1)));
    });
    const emitter = new Emitter({ url, key: "k", random: () => 0 });
    await emitter.send([event("e1")]);
    expect(await emitter.flush()).toMatchObject({ requests: 1, retries: 2, accepted: 0, duplicates: 1, rejected: 0 });
    expect(bodies).toEqual(Array(3).fill(JSON.stringify(event("e1"))));
  });

  it("keeps no more requests on their way than it was told, and sends every event once", async () => {
    const ids: string[] = [];
    const waiting: (() => void)[] = [];
    let most = 0;
    const url = await listen(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const lines = gunzipSync(Buffer.concat(chunks)).toString().split("\n");
      ids.push(...lines.map((line) => (JSON.parse(line) as UsageEvent).id));
      waiting.push(() => response.writeHead(202).end(JSON.stringify(verdict(lines.length))));
      most = Math.max(most, waiting.length);
      // Answered only when as many wait as may, or nothing else can come.
      if (waiting.length === 2 || ids.length === events.length) for (const answer of waiting.splice(0)) answer();
    });
    const emitter = new Emitter({ url, key: "k", eventsPerRequest: 5, concurrency: 2 });
    await emitter.send(events);
    expect((await emitter.flush()).accepted).toBe(25);
    expect(ids.sort()).toEqual(events.map(({ id }) => id).sort());
    expect(most).toBeLessThanOrEqual(2);
  });

  it("tells its caller of a request that was refused for good", async () => {
    const url = await listen((request, response) => {
      request.resume();
      response.writeHead(403).end("no right");
    });
    const emitter = new Emitter({ url, key: "k" });
    await emitter.send([event("e1")]);
    await expect(emitter.flush()).rejects.toThrow(RequestRefusedError);
    await expect(emitter.flush()).rejects.toThrow("403");
  });

  it("gives up when it is told to stop", async () => {
    const stop = new AbortController();
    const url = await listen((request, response) => {
      request.resume();
      response.writeHead(503).end();
      stop.abort();
    });
    const emitter = new Emitter({ url, key: "k", signal: stop.signal });
    await emitter.send([event("e1")]);
    await expect(emitter.flush()).rejects.toThrow();
  });
});

describe("the wait before another attempt", () => {
  it("is spread evenly below a bound that doubles up to ten seconds", () => {
    expect(backoffMs(0, null, 0, () => 1)).toBe(100);
    expect(backoffMs(3, null, 0, () => 0.5)).toBe(400);
    expect(backoffMs(50, null, 0, () => 1)).toBe(10_000);
    expect(backoffMs(3, null, 0, () => 0)).toBe(0);
  });

  it("is never shorter than the service asked, in seconds or as a date", () => {
    expect(backoffMs(0, "7", 0, () => 0)).toBe(7_000);
    expect(backoffMs(0, new Date(9_000).toUTCString(), 4_000, () => 0)).toBe(5_000);
    expect(backoffMs(0, "soon", 0, () => 0)).toBe(0);
  });
});
