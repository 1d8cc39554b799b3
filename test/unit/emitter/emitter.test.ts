import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { UsageEvent, Verdict } from "../../../server/contract/events.ts";
import {
  type EmittedEvent,
  Emitter,
  type EventRejection,
  RequestRefusedError,
} from "../../../server/emitter/emitter.ts";
import { uuidV7 } from "../../../server/emitter/event.ts";
import { backoffMs } from "../../../server/emitter/request.ts";
import { patienceMs } from "../../support/patience.ts";

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

/** The events of a request. */
async function readEvents(request: IncomingMessage): Promise<EmittedEvent[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = gunzipSync(Buffer.concat(chunks)).toString();
  return text.split("\n").map((line) => JSON.parse(line) as EmittedEvent);
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

  it("keeps no more requests on their way than it was set to, and sends every event once", async () => {
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

  it("reports a refused request to its caller, once, and keeps its events until they are taken", async () => {
    let isRefusing = true;
    const ids: (string | undefined)[] = [];
    const url = await listen(async (request, response) => {
      const sent = await readEvents(request);
      if (isRefusing) return void response.writeHead(403).end(JSON.stringify({ detail: "this key may not ingest" }));
      ids.push(...sent.map(({ id }) => id));
      response.writeHead(202).end(JSON.stringify(verdict(sent.length)));
    });
    const said: string[] = [];
    const emitter = new Emitter({ url, key: "k", report: (line) => said.push(line), random: () => 0 });
    await emitter.send([event("e1"), event("e2")]);
    await expect(emitter.flush()).rejects.toThrow(RequestRefusedError);
    await expect(emitter.flush()).rejects.toThrow("the service refused events with 403: this key may not ingest");
    expect(emitter.offer(event("e3"))).toBe(true);
    isRefusing = false;
    await vi.waitFor(async () => expect(await emitter.flush()).toMatchObject({ accepted: 3 }), { timeout: patienceMs });
    expect(ids.sort()).toEqual(["e1", "e2", "e3"]);
    expect(said).toEqual([
      "tidemark: the service refused events with 403: this key may not ingest; its events are kept and will be sent again",
    ]);
    expect(await emitter.close()).toEqual({ unsent: 0, rejected: 0 });
  });

  it("says what was rejected, what the service warns of and that it cannot be reached, each reason once", async () => {
    const reason = { code: "invalid_field", field: "value", message: "must be a decimal" };
    let requests = 0;
    const url = await listen(async (request, response) => {
      const sent = await readEvents(request);
      if (requests++ < 5) return void response.writeHead(503, { "retry-after": "0" }).end();
      const of = sent.map(({ id = "" }, index) => ({ ...reason, index, id }));
      const warnings = [
        { index: 0, id: "e0", code: "rounded", field: "value", message: "has more than nine decimals" },
      ];
      response.writeHead(202).end(JSON.stringify({ ...verdict(0), rejected: of, warnings }));
    });
    const said: string[] = [];
    const emitter = new Emitter({ url, key: "k", report: (line) => said.push(line), random: () => 0 });
    await emitter.send(events);
    await emitter.flush();
    expect(said).toEqual([
      "tidemark: events are not accepted now (the service answers 503); they are kept and will be sent again",
      "tidemark: event e0 was rejected: value must be a decimal (invalid_field)",
      "tidemark: the service warns of event e0: value has more than nine decimals (rounded)",
    ]);
    expect(await emitter.close()).toEqual({ unsent: 0, rejected: 25 });
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

describe("an application's emitter", () => {
  it("loses no event and changes none, whatever the network and the service do, so that ids alone tell repeats", async () => {
    const moods = ["take", "lose", "take and die", "die", "too fast", "not now", "broken"] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...moods), { maxLength: 12 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 10 }),
        async (plan, count, eventsPerRequest) => {
          const taken = new Map<string, string>();
          let deliveries = 0;
          const url = await listen(async (request, response) => {
            const mood = plan[deliveries++] ?? "take";
            if (mood === "die") return void request.socket.destroy();
            const sent = await readEvents(request);
            if (mood.startsWith("take"))
              for (const one of sent) {
                const text = JSON.stringify(one);
                expect(taken.get(one.id as string) ?? text).toBe(text);
                taken.set(one.id as string, text);
              }
            if (mood === "take") return void response.writeHead(202).end(JSON.stringify(verdict(sent.length)));
            if (mood === "too fast") return void response.writeHead(429, { "retry-after": "0" }).end();
            if (mood === "not now") return void response.writeHead(503).end();
            if (mood === "broken") return void response.writeHead(202).end("{ not all of it");
            request.socket.destroy();
          });
          const emitter = new Emitter({ url, key: "k", eventsPerRequest, random: () => 0 });
          for (let index = 0; index < count; index++)
            expect(emitter.offer({ type: "chat.posted", organization: "acme", user: `u${index}` })).toBe(true);
          const { accepted } = await emitter.flush();
          expect(accepted).toBe(count);
          const users = [...taken.values()].map((text) => (JSON.parse(text) as EmittedEvent).user);
          expect(users.sort()).toEqual(Array.from({ length: count }, (_, index) => `u${index}`).sort());
        },
      ),
      { numRuns: Number(process.env.PROPERTY_RUNS ?? 25) },
    );
  });

  it("gives an event its id and time when it takes it, and leaves those that are given", async () => {
    const sent: EmittedEvent[] = [];
    const url = await listen(async (request, response) => {
      sent.push(...(await readEvents(request)));
      response.writeHead(202).end(JSON.stringify(verdict(1)));
    });
    const emitter = new Emitter({ url, key: "k", maxAgeMs: 5 });
    const beforeMs = Date.now();
    emitter.offer({ type: "chat.posted", organization: "acme" });
    emitter.offer(event("given"));
    // Nobody flushes: what waits goes by its age.
    await vi.waitFor(() => expect(sent.length).toBe(2), { timeout: patienceMs });
    expect(sent[1]).toEqual(event("given"));
    expect(sent[0]?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Date.parse(sent[0]?.time ?? "")).toBeGreaterThanOrEqual(beforeMs);
    expect(new Set(Array.from({ length: 1_000 }, () => uuidV7())).size).toBe(1_000);
    expect(Number.parseInt(uuidV7(1_700_000_000_123).slice(0, 13).replace("-", ""), 16)).toBe(1_700_000_000_123);
  });

  it("sends what is too large in halves, and reports one event that is too large alone", async () => {
    const sizes: number[] = [];
    const url = await listen(async (request, response) => {
      const sent = await readEvents(request);
      sizes.push(sent.length);
      if (sent.length > 3 || sent.some(({ room }) => room === "huge")) return void response.writeHead(413).end();
      response.writeHead(202).end(JSON.stringify(verdict(sent.length)));
    });
    const rejected: unknown[] = [];
    const emitter = new Emitter({ url, key: "k", onRejected: ({ code }, { id }) => rejected.push([code, id]) });
    await emitter.send([...events, { ...event("big"), room: "huge" }]);
    expect((await emitter.flush()).accepted).toBe(25);
    expect(rejected).toEqual([["too_large", "big"]]);
    expect(sizes.slice(0, 3)).toEqual([26, 13, 7]);
  });

  it("reports each event that was not taken, and why", async () => {
    const reason: EventRejection = { index: 1, id: "e1", code: "invalid_field", field: "time", message: "no" };
    const url = await listen(async (request, response) => {
      await readEvents(request);
      response.writeHead(202).end(JSON.stringify({ ...verdict(24), rejected: [reason] }));
    });
    const rejected: unknown[] = [];
    const emitter = new Emitter({ url, key: "k", onRejected: (...what) => rejected.push(what) });
    await emitter.send(events);
    await emitter.flush();
    expect(rejected).toEqual([[reason, event("e1")]]);
  });

  it("holds no more than it may: new events are refused, those held are sent when the service is back", async () => {
    let isBack = false;
    const ids: string[] = [];
    const url = await listen(async (request, response) => {
      const sent = await readEvents(request);
      if (!isBack) return void response.writeHead(503).end();
      ids.push(...sent.map(({ id }) => id as string));
      response.writeHead(202).end(JSON.stringify(verdict(sent.length)));
    });
    const emitter = new Emitter({ url, key: "k", eventsPerRequest: 2, maxHeldBytes: 1_000, random: () => 0.01 });
    const held: string[] = [];
    for (let index = 0; index < 100; index++) if (emitter.offer(event(`h${index}`))) held.push(`h${index}`);
    expect(held.length).toBeGreaterThan(5);
    expect(held.length).toBeLessThan(20);
    isBack = true;
    await emitter.flush();
    expect(ids.sort()).toEqual(held.sort());
    expect(emitter.offer(event("again"))).toBe(true);
  });

  it("closes in time when the service does not answer, says what was not answered, and takes nothing more", async () => {
    const url = await listen((request) => void request.resume());
    const said: string[] = [];
    const emitter = new Emitter({ url, key: "k", report: (line) => said.push(line) });
    emitter.offer(event("e1"));
    expect(await emitter.close({ withinMs: 100 })).toEqual({ unsent: 1, rejected: 0 });
    expect(emitter.offer(event("e2"))).toBe(false);
    expect(said).toEqual([
      "tidemark: 1 event was not sent, and is lost",
      "tidemark: the emitter is closed: events offered now are not accepted",
    ]);
  });

  it("says that a participant is there until they leave, in events of one interval that each stand alone", async () => {
    const sent: EmittedEvent[] = [];
    const url = await listen(async (request, response) => {
      sent.push(...(await readEvents(request)));
      response.writeHead(202).end(JSON.stringify(verdict(1)));
    });
    const emitter = new Emitter({ url, key: "k", maxAgeMs: 5 });
    const who = { organization: "acme", session: "s1", user: "u1", properties: { device: "mobile" } };
    const presence = emitter.joined(who, { aliveEveryMs: 20 });
    await vi.waitFor(() => expect(sent.filter(({ type }) => type === "participant.alive").length).toBeGreaterThan(1), {
      timeout: patienceMs,
    });
    presence.left();
    presence.left();
    await emitter.close();
    const types = sent.map(({ type }) => type);
    expect(types[0]).toBe("participant.joined");
    expect(types.filter((type) => type === "participant.left")).toEqual([types.at(-1)]);
    expect(new Set(sent.map(({ interval }) => interval))).toEqual(new Set([presence.interval]));
    expect(new Set(sent.map(({ started_at }) => started_at)).size).toBe(1);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(sent.length);
    expect(sent[0]?.properties).toEqual({ device: "mobile", alive_within: 1 });
  });

  it.each([
    ["alive", "participant.alive"],
    ["left", "participant.left"],
  ] as const)("ends with the last word of those who are there: %s", async (presences, last) => {
    const sent: EmittedEvent[] = [];
    const url = await listen(async (request, response) => {
      sent.push(...(await readEvents(request)));
      response.writeHead(202).end(JSON.stringify(verdict(1)));
    });
    const emitter = new Emitter({ url, key: "k" });
    const stays = emitter.joined({ organization: "acme", session: "s1", user: "u1" });
    const goes = emitter.joined({ organization: "acme", session: "s1", user: "u2" });
    goes.left();
    await emitter.close({ presences });
    const typesOf = (interval: string) => sent.filter((one) => one.interval === interval).map(({ type }) => type);
    expect(typesOf(stays.interval)).toEqual(["participant.joined", last]);
    expect(typesOf(goes.interval)).toEqual(["participant.joined", "participant.left"]);
  });
});
