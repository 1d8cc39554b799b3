import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askAt } from "../support/accounts.ts";
import { parseExposition, type Sample, sumOf } from "../support/exposition.ts";
import { createWorld, type World } from "../support/isolation-world.ts";

let world: World;
let readKey: string;
let ingestKey: string;
beforeAll(async () => {
  world = await createWorld();
  readKey = (await world.makeKey(["read"], "all")).key;
  ingestKey = (await world.makeKey(["ingest"], "all")).key;
});
afterAll(() => world.close());

const forwarded = { "x-forwarded-for": "192.0.2.1" };
const event = (id: string, rest = {}) => ({ id, type: "chat.posted", organization: "inside-9f3c", ...rest });

async function scrape(): Promise<Sample[]> {
  const { status, headers, body } = await world.ask("GET", "/metrics");
  expect(status).toBe(200);
  expect(headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  return parseExposition(body);
}

test("a scraper on the same machine needs no credentials, one behind a proxy a key that reads all nodes", async () => {
  await scrape();
  expect(await world.ask("GET", "/metrics", { headers: forwarded })).toMatchObject({ status: 401 });
  expect(await world.ask("GET", "/metrics", { headers: forwarded, key: readKey })).toMatchObject({ status: 200 });
  expect(await world.ask("GET", "/metrics", { headers: forwarded, key: ingestKey })).toMatchObject({ status: 403 });
  const { key } = await world.makeKey(["read"]);
  expect(await world.ask("GET", "/metrics", { headers: forwarded, key })).toMatchObject({ status: 403 });
});

test("a request that a proxy on this machine forwards without its header is not taken for a local scraper", async () => {
  const { hostname, port } = new URL(world.url);
  const proxy = createServer(({ method, url, headers }, response) => {
    request({ hostname, port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    }).end();
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  try {
    const ask = askAt(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    expect(await ask("GET", "/metrics")).toMatchObject({ status: 401 });
    expect(await ask("GET", "/metrics", { key: readKey })).toMatchObject({ status: 200 });
  } finally {
    proxy.close();
    proxy.closeAllConnections();
  }
});

test.each([
  ["a proxy on this machine", { isTrustedProxy: (address: string) => address === "127.0.0.1" }],
  ["a public place", { publicUrl: "https://usage.example.com" }],
])("once the settings name %s, nobody is answered without credentials", async (_, placed) => {
  const behind = await createWorld(placed);
  try {
    expect(await behind.ask("GET", "/metrics")).toMatchObject({ status: 401 });
    const { key } = await behind.makeKey(["read"], "all");
    expect(await behind.ask("GET", "/metrics", { key })).toMatchObject({ status: 200 });
  } finally {
    await behind.close();
  }
});

test("every event is counted under the verdict that its emitter was given, every refused request under its reason", async () => {
  const before = await scrape();
  const counted = (samples: Sample[]) =>
    ["accepted", "duplicate", "rejected"].map((verdict) => sumOf(samples, "tidemark_events_total", { verdict }));
  const body = [event("m1"), event("m2"), event("m1"), event("m2", { job: "j" }), event("m3", { tiem: 1 })];
  expect((await world.ask("POST", "/v1/events?ack=stored", { key: ingestKey, body })).body).toMatchObject({
    accepted: 2,
    duplicates: 1,
  });
  expect(await world.ask("POST", "/v1/events", { key: ingestKey, body: "no event" })).toMatchObject({ status: 400 });
  const after = await scrape();
  expect(counted(after).map((count, index) => count - (counted(before)[index] as number))).toEqual([2, 1, 2]);
  expect(sumOf(after, "tidemark_events_rejected_total", { code: "id_conflict" })).toBe(1);
  expect(sumOf(after, "tidemark_events_rejected_total", { code: "unknown_field" })).toBe(1);
  expect(sumOf(after, "tidemark_event_requests_refused_total", { code: "unreadable_body" })).toBe(1);
  expect(sumOf(after, "tidemark_batch_events_sum")).toBe(2);
  expect(sumOf(after, "tidemark_events_quarantined_total")).toBe(2);
  for (const stage of ["seal", "store", "derive", "settle"])
    expect(sumOf(after, "tidemark_flush_stage_duration_seconds_count", { stage }), stage).toBeGreaterThan(0);
});

test("paths, ids and methods that callers make up never become labels", async () => {
  const series = (samples: Sample[]) => new Set(samples.map(({ name, labels }) => JSON.stringify([name, labels])));
  const visit = async (round: string) => {
    await world.ask("GET", `/v1/nodes/organization:made-up-${round}`, { key: readKey });
    await world.ask("GET", `/v1/made-up/${round}`, { key: readKey });
    await world.ask("DELETE", `/made-up-${round}`);
    await world.ask("GET", `/v1/usage?meter=made-up-${round}`, { key: readKey });
  };
  await visit("one");
  await scrape();
  const before = await scrape();
  await visit("two");
  const after = await scrape();
  expect([...series(after)].filter((one) => !series(before).has(one))).toEqual([]);
  expect(JSON.stringify(after)).not.toContain("made-up");
  const count = "tidemark_http_request_duration_seconds_count";
  expect(sumOf(after, count, { method: "GET", route: "/v1/nodes/:node", status: "404" })).toBe(2);
  expect(sumOf(after, count, { method: "none", route: "none", status: "404" })).toBeGreaterThanOrEqual(4);
});

test("a store that refuses a query is counted", async () => {
  const refused = async () => sumOf(await scrape(), "tidemark_postgres_errors_total", { outcome: "refused" });
  const before = await refused();
  await expect(world.deps.postgres.pool.query("SELECT nothing_of_this_name")).rejects.toThrow();
  expect(await refused()).toBe(before + 1);
});

test("the process's own memory, processor and event loop are there", async () => {
  const samples = await scrape();
  expect(sumOf(samples, "process_resident_memory_bytes")).toBeGreaterThan(1e7);
  expect(sumOf(samples, "process_cpu_seconds_total")).toBeGreaterThan(0);
  expect(sumOf(samples, "nodejs_eventloop_lag_p99_seconds")).toBeGreaterThanOrEqual(0);
});
