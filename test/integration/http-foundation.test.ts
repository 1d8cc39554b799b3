/** What every answer carries, and what is public: limits, health, the API's description and its page. */
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { limitsSchema } from "../../server/contract/events.ts";
import { problemSchema } from "../../server/contract/problem.ts";
import { type Accounts, ownAccounts } from "../support/accounts.ts";

let accounts: Accounts;

beforeAll(async () => {
  accounts = await ownAccounts();
});
afterAll(() => accounts.close());

test("every answer has a request id and the security headers, errors and pages included", async () => {
  for (const [method, path] of [
    ["GET", "/livez"],
    ["GET", "/docs"],
    ["GET", "/openapi.json"],
    ["GET", "/nowhere"],
    ["PUT", "/v1/me"],
    ["GET", "/v1/me"],
    ["POST", "/v1/session"],
  ] as const) {
    const { headers } = await accounts.ask(method, path);
    expect(headers.get("x-request-id")).toMatch(/^[\w-]{36}$/);
    const policy = headers.get("content-security-policy") ?? "";
    for (const rule of ["default-src 'self'", "style-src 'self' 'unsafe-inline'", "frame-ancestors 'none'"])
      expect(policy).toContain(rule);
    expect(policy).not.toMatch(/script-src|unsafe-eval/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
  }
});

test("a caller's own request id is kept when it is harmless, else replaced", async () => {
  const ask = (id: string) => accounts.ask("GET", "/v1/me", { headers: { "x-request-id": id } });
  expect((await ask("trace-42")).body.request_id).toBe("trace-42");
  expect((await ask("<script>")).body.request_id).not.toBe("<script>");
});

test("unknown paths are 404, known paths with another method 405 with those they take", async () => {
  const missing = await accounts.ask("GET", "/v1/nothing");
  expect([missing.status, problemSchema.parse(missing.body).code]).toEqual([404, "not_found"]);
  const wrong = await accounts.ask("PUT", "/v1/session");
  expect([wrong.status, problemSchema.parse(wrong.body).code]).toEqual([405, "method_not_allowed"]);
  expect(wrong.headers.get("allow")).toBe("POST, DELETE");
  expect((await accounts.ask("DELETE", "/v1/nodes/all")).headers.get("allow")).toBe("GET, PATCH");
});

test("an unexpected error is answered 500 without its text", async () => {
  const { app } = accounts;
  const verify = accounts.keys.verify;
  accounts.keys.verify = () => Promise.reject(new Error("secret detail of the inside"));
  try {
    const response = await app.request("/v1/me", { headers: { authorization: "Bearer x" } });
    const text = await response.text();
    expect([response.status, problemSchema.parse(JSON.parse(text)).code]).toEqual([500, "internal"]);
    expect(text).not.toContain("secret detail");
  } finally {
    accounts.keys.verify = verify;
  }
});

test("the limits are public and say what the contract says", async () => {
  const { status, body } = await accounts.ask("GET", "/v1/limits");
  expect(status).toBe(200);
  expect(limitsSchema.parse(body)).toMatchObject({ max_events_per_request: 10_000, max_inflated_bytes: 10_485_760 });
});

test("the description names every route with its parameters and its problems, and which need credentials", async () => {
  const { body } = await accounts.ask("GET", "/openapi.json");
  expect(body.openapi).toBe("3.1.0");
  expect(Object.keys(body.components.securitySchemes).sort()).toEqual(["key", "session"]);
  expect(body.security).toEqual([{ key: [] }, { session: [] }]);
  const described = Object.entries<Record<string, { responses: object }>>(body.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const routes = accounts.app.routes
    .filter(({ method, path }) => method !== "ALL" && !path.startsWith("/docs") && path !== "/openapi.json")
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  expect(described.sort()).toEqual([...new Set(routes)].sort());
  expect(Object.keys(body.paths["/v1/nodes/{node}"].get.responses)).toEqual(
    expect.arrayContaining(["200", "401", "403", "503"]),
  );
  expect(body.paths["/v1/session"].post.security).toEqual([]);
});

test("the page of the API loads its own files alone and has no inline script", async () => {
  const page = await accounts.ask("GET", "/docs");
  expect(page.headers.get("content-type")).toContain("text/html");
  expect(page.body).not.toMatch(/https?:\/\//);
  expect(page.body).not.toMatch(/<script(?![^>]*\bsrc=)/);
  const sources = [...String(page.body).matchAll(/src="([^"]+)"/g)].map(([, source]) => source ?? "");
  expect(sources.length).toBeGreaterThan(0);
  for (const source of sources) {
    const script = await accounts.ask("GET", source);
    expect([script.status, script.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
  }
  const viewer = await accounts.app.request("/docs/viewer.js", { headers: { "accept-encoding": "gzip" } });
  const plain = await accounts.app.request("/docs/viewer.js");
  expect(gunzipSync(await viewer.arrayBuffer()).equals(Buffer.from(await plain.arrayBuffer()))).toBe(true);
  const again = await accounts.app.request("/docs/viewer.js", {
    headers: { "if-none-match": viewer.headers.get("etag") ?? "" },
  });
  expect(again.status).toBe(304);
});
