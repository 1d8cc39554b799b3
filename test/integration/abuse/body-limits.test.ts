/**
 * Every route against bodies that have no end. A route that waited for the end would answer nothing: each of these senders
 * sends a little more than the route takes, and then neither sends nor closes.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { limits } from "../../../server/contract/events.ts";
import { askedAbout, createWorld, type World } from "../../support/isolation-world.ts";
import { chunkOf, sendHead } from "../../support/raw-sender.ts";

const mebibyte = 1024 * 1024;
/** What each takes that takes more than others; with a key, and without one. */
const larger: Record<string, number> = {
  "POST /v1/events": limits.maxInflatedBytes,
  "POST /v1/nodes/import": 32 * mebibyte,
  "POST /v1/plans": 2 * mebibyte,
  "PATCH /v1/plans/{id}": 2 * mebibyte,
  "PATCH /v1/nodes/{node}": mebibyte / 2,
  "POST /v1/what-if": 2 * mebibyte,
};
const most = 256 * 1024;
const strangers = 64 * 1024;

let world: World;
let key: string;
let bodyRoutes: string[];
beforeAll(async () => {
  world = await createWorld();
  key = (await world.makeKey(["ingest", "read", "admin"], askedAbout)).key;
  bodyRoutes = world.routes.filter((route) => !/^(GET|HEAD) /.test(route));
});
afterAll(() => world.close());

/** The status that a body without an end is answered with, `bytes` of which are sent. */
async function sendWithoutEnd(
  route: string,
  bytes: number,
  headers: Record<string, string>,
): Promise<number | undefined> {
  const [method = "", path = ""] = route.split(" ");
  const target = path.replace(/\{\w+\}/g, "x");
  const type = route === "POST /v1/nodes/import" ? "text/csv" : "application/json";
  const sender = await sendHead(world.url, method, target, { "content-type": type, ...headers });
  const isChunked = headers["transfer-encoding"] !== undefined;
  const piece = Buffer.alloc(Math.min(bytes, 256 * 1024), "1");
  for (let sent = 0; sent < bytes && !sender.isClosed(); sent += piece.length)
    await sender.write(isChunked ? chunkOf(piece) : piece);
  const status = await sender.answered;
  sender.destroy();
  return status;
}

const chunked = { "transfer-encoding": "chunked" };

test("whom nobody knows sends 64 KiB to no route: the answer does not wait for the rest", async () => {
  expect(bodyRoutes.length).toBeGreaterThan(30);
  for (const route of bodyRoutes) {
    const status = await sendWithoutEnd(route, strangers + 1, chunked);
    expect([route, status]).toEqual([route, expect.toBeOneOf([401, 404, 413])]);
  }
});

test("a known caller cannot send any route more than it says that it takes", async () => {
  for (const route of bodyRoutes) {
    const bytes = (larger[route] ?? most) + 64 * 1024;
    const status = await sendWithoutEnd(route, bytes, { ...chunked, authorization: `Bearer ${key}` });
    expect([route, status]).toEqual([route, expect.toBeOneOf([401, 403, 404, 413])]);
  }
});

test("a length that is announced is refused before a byte is sent, and a right that is missing before any length", async () => {
  const readOnly = (await world.makeKey(["read"], askedAbout)).key;
  for (const route of bodyRoutes) {
    const length = { "content-length": String(1024 * mebibyte) };
    const known = await sendWithoutEnd(route, 0, { ...length, authorization: `Bearer ${key}` });
    expect([route, known]).toEqual([route, expect.toBeOneOf([401, 403, 404, 413])]);
  }
  const refused = await sendWithoutEnd("POST /v1/nodes/import", 0, {
    "content-length": String(mebibyte),
    authorization: `Bearer ${readOnly}`,
  });
  expect(refused).toBe(403);
});

test("a key to repeat a request with reads no body before the caller's rights are evaluated", async () => {
  const readOnly = (await world.makeKey(["read"], askedAbout)).key;
  const headers = { authorization: `Bearer ${readOnly}`, "idempotency-key": "k", "content-length": String(mebibyte) };
  expect(await sendWithoutEnd("POST /v1/nodes/import", 0, headers)).toBe(403);
});

test("a body that comes a byte at a time is given up", async () => {
  const sender = await sendHead(world.url, "POST", "/v1/session", { ...chunked, "content-type": "application/json" });
  await sender.write(chunkOf(Buffer.from("{")));
  expect(await sender.answered).toBe(400);
  sender.destroy();
});

test("the description says what a route takes that takes more than most", async () => {
  const { body } = await world.ask("GET", "/openapi.json");
  expect(body.paths["/v1/nodes/import"].post["x-max-body-bytes"]).toBe(32 * mebibyte);
  expect(Object.keys(body.paths["/v1/nodes"].post.responses)).toContain("413");
});

test.each([
  ["POST", "/v1/plans", `{"name":"p","currency":"USD","features":[],"node":"agent:inside-9f3c/a1"}`],
  ["POST", "/v1/nodes", `{"kind":"organization","id":"odd","fields":{"a\\udfff":1}}`],
  ["POST", "/v1/events/none/amend", `\uFEFF{"organization":"inside-9f3c","reason":"r","changes":{"user":"u"}}`],
])("what was found by chance is refused and no fault of the server's: %s %s", async (method, path, body) => {
  const { status } = await world.ask(method, path, { key, body });
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
});

test("JSON that nests for nothing is refused by every route, before anything parses it", async () => {
  const body = "[".repeat(7_000) + "]".repeat(7_000);
  let refused = 0;
  for (const route of bodyRoutes) {
    // Events and tables have readers of their own, with tests of their own.
    if (route === "POST /v1/events" || route === "POST /v1/nodes/import") continue;
    const [method = "", path = ""] = route.split(" ");
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const answer = await fetch(`${world.url}${path.replace(/\{\w+\}/g, "x")}`, { method, headers, body });
    const { code } = (await answer.json()) as { code: string };
    if (answer.status !== 400) expect([route, answer.status]).toEqual([route, expect.toBeOneOf([401, 403, 404, 405])]);
    else expect([route, code]).toEqual([route, "unreadable_body"]);
    refused += answer.status === 400 ? 1 : 0;
  }
  expect(refused).toBeGreaterThan(20);
});
