import { gunzipSync } from "node:zlib";
import { Hono } from "hono";
import { expect, test } from "vitest";
import { compressAnswers } from "../../../server/http/compress-answers.ts";
import type { HttpEnv } from "../../../server/http/http-env.ts";

const long = { rows: Array.from({ length: 200 }, (_, place) => ({ place, name: "organization" })) };
const secretPaths = ["me", "me/passkeys", "session/ways", "keys", "channels", "channels/c1", "users"];

const app = new Hono<HttpEnv>();
app.use("/v1/*", compressAnswers);
app.get("/v1/usage", (c) => c.json(long));
app.post("/v1/usage", (c) => c.json(long));
app.get("/v1/short", (c) => c.json({ rows: [] }));
app.get("/v1/refused", (c) => c.json(long, 400, { "content-type": "application/problem+json" }));
app.get("/v1/plans/p1", (c) => c.json(long, 200, { etag: '"1"' }));
app.get("/v1/cookie", (c) => c.json(long, 200, { "set-cookie": "a=b" }));
app.get("/v1/report-runs/r1/files/json", (c) => c.json(long));
app.get("/v1/keystone", (c) => c.json(long));
for (const path of secretPaths) app.get(`/v1/${path}`, (c) => c.json(long));
let pulls = 0;
app.get("/v1/table", (c) => {
  const endless = new ReadableStream({
    pull(controller) {
      pulls += 1;
      controller.enqueue(new TextEncoder().encode("a,b\r\n".repeat(1_000)));
    },
  });
  return c.body(endless, 200, { "content-type": "text/csv; charset=utf-8" });
});

const ask = (path: string, init: RequestInit = {}) =>
  app.request(path, { headers: { "accept-encoding": "gzip, deflate, br" }, ...init });

test("a long answer in JSON is sent packed to who takes that, and is the same unpacked", async () => {
  const packed = await ask("/v1/usage");
  expect([packed.headers.get("content-encoding"), packed.headers.get("vary")]).toEqual(["gzip", "Accept-Encoding"]);
  expect(packed.headers.get("content-length")).toBeNull();
  const bytes = Buffer.from(await packed.arrayBuffer());
  expect(JSON.parse(gunzipSync(bytes).toString())).toEqual(long);
  expect(bytes.length * 5).toBeLessThan(JSON.stringify(long).length);
  for (const headers of [{}, { "accept-encoding": "identity" }, { "accept-encoding": "gzip;q=0" }] as HeadersInit[]) {
    const plain = await ask("/v1/usage", { headers });
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(await plain.json()).toEqual(long);
  }
  expect((await ask("/v1/keystone")).headers.get("content-encoding")).toBe("gzip");
});

test("an answer that holds a secret, repeats what was sent, or is known by its bytes is never packed", async () => {
  const others = ["/v1/refused", "/v1/plans/p1", "/v1/cookie", "/v1/report-runs/r1/files/json", "/v1/short"];
  for (const path of [...secretPaths.map((path) => `/v1/${path}`), ...others]) {
    const { headers } = await ask(path);
    expect([path, headers.get("content-encoding")]).toEqual([path, null]);
  }
  expect((await ask("/v1/usage", { method: "POST" })).headers.get("content-encoding")).toBeNull();
  expect((await ask("/v1/plans/p1")).headers.get("etag")).toBe('"1"');
});

test("a table that is made while it is sent is neither packed nor waited for", async () => {
  const { headers, body } = await ask("/v1/table");
  expect(headers.get("content-encoding")).toBeNull();
  const reader = body?.getReader();
  await reader?.read();
  await reader?.cancel();
  expect(pulls).toBeLessThan(10);
});
