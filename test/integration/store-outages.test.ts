/** One process on stores of their own that come late, go away and come back: what it still does, and what it says. */
import { hash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type BreakableConnection, openBreakableConnection } from "../support/breakable-connection.ts";
import { eventually, startService, type TestService } from "../support/service.ts";
import { type OwnStores, ownStores } from "../support/stores.ts";

let stores: OwnStores;
let ways: Record<"clickhouse" | "postgres" | "redis", BreakableConnection>;
let settings: Record<string, string>;
let service: TestService;

beforeAll(async () => {
  stores = await ownStores();
  ways = {
    clickhouse: await openBreakableConnection(stores.settings.CLICKHOUSE_URL),
    postgres: await openBreakableConnection(stores.settings.DATABASE_URL),
    redis: await openBreakableConnection(stores.settings.REDIS_URL),
  };
  settings = { CLICKHOUSE_URL: ways.clickhouse.url, DATABASE_URL: ways.postgres.url, REDIS_URL: ways.redis.url };
  service = await startService({ ...settings, TIDEMARK_DRAIN_SECONDS: "3" });
});
afterAll(async () => {
  await service?.stopServer("SIGKILL");
  await service?.stop();
  for (const way of Object.values(ways)) await way.close();
  await stores.drop();
});
beforeEach(async () => {
  for (const way of Object.values(ways)) await way.mend();
  await whenReady("");
  await whenReady("?role=api");
});

interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests are about
  body: any;
}

async function ask(method: string, path: string, key = service.rootKey, body?: unknown): Promise<Answer> {
  const answer = await fetch(`${service.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) };
}
const whenReady = (query: string) =>
  eventually(`/readyz${query} to be 200`, async () =>
    (await ask("GET", `/readyz${query}`)).status === 200 ? true : undefined,
  );

let events = 0;
const send = (key?: string) =>
  ask("POST", "/v1/events", key, { id: `e${events++}`, type: "chat.posted", organization: "acme", user: "u" });
const makeKey = async (): Promise<{ id: string; key: string }> =>
  (await ask("POST", "/v1/keys", undefined, { name: "k", node: "all", scopes: ["ingest"] })).body;

test("stores that are absent at start are waited for in words, each by its name, while it listens", async () => {
  expect((await send()).status).toBe(202);
  await service.stopServer("SIGINT");
  for (const way of Object.values(ways)) await way.cut();
  service.launchServer();
  const waiting = await eventually("all three to be waited for", async () => {
    const answer = await ask("GET", "/readyz").catch(() => undefined);
    const checks = Object.values((answer?.body.checks ?? {}) as Record<string, { ok: boolean }>);
    return checks.filter(({ ok }) => !ok).length === 4 ? answer : undefined;
  });
  expect(waiting.status).toBe(503);
  for (const [name, title] of [
    ["postgres", "Postgres"],
    ["clickhouse", "ClickHouse"],
    ["redis", "Redis"],
  ])
    expect(waiting.body.checks[name as string]).toEqual({
      ok: false,
      detail: `waiting for ${title}, which cannot be reached`,
    });
  expect((await ask("GET", "/livez")).status).toBe(200);
  const refused = await send();
  expect([refused.status, refused.body.code, refused.headers.get("content-type")]).toEqual([
    503,
    "store_unavailable",
    "application/problem+json",
  ]);
  expect(refused.body.detail).toMatch(/waiting for Postgres/);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(JSON.stringify(waiting.body)).not.toMatch(/127\.0\.0\.1|ECONN/);
  await ways.postgres.mend();
  await eventually("the others to be waited for", async () => {
    const { checks } = (await ask("GET", "/readyz")).body;
    return checks.postgres.ok && !checks.redis.ok ? true : undefined;
  });
  await ways.redis.mend();
  await ways.clickhouse.mend();
  await whenReady("");
  expect((await send()).status).toBe(202);
  expect(service.output()).toMatch(
    /waiting for Postgres at 127\.0\.0\.1:\d+ \(DATABASE_URL\), which cannot be reached/,
  );
  expect(service.output()).not.toMatch(/\n\s+at /);
});

test("a wrong password is said to be one, and an absent database too, without a stack", async () => {
  const changed = (name: string, change: (url: URL) => void) => {
    const url = new URL(settings[name] as string);
    change(url);
    return startService({ ...settings, TIDEMARK_ROOT_KEY: service.rootKey, [name]: url.href }).then(
      async (started) => {
        await started.stop();
        return "it started";
      },
      (error: Error) => error.message.split("\n").slice(1).join("\n"),
    );
  };
  const wrongPassword = (url: URL) => {
    url.password = "wrong";
  };
  // The embedded ClickHouse has nothing for strangers at all; a server of its own answers this.
  const refusing = createServer((_, answer) => {
    answer.writeHead(403, { "x-clickhouse-exception-code": "516" });
    answer.end(
      "Code: 516. DB::Exception: tidemark: Authentication failed. (AUTHENTICATION_FAILED) (version 26.3.1.1)\n",
    );
  }).listen(0, "127.0.0.1");
  await once(refusing, "listening");
  const said = await Promise.all([
    changed("DATABASE_URL", wrongPassword),
    changed("CLICKHOUSE_URL", (url) => {
      url.port = String((refusing.address() as AddressInfo).port);
    }),
    changed("REDIS_URL", (url) => {
      url.username = "nobody";
      wrongPassword(url);
    }),
    changed("DATABASE_URL", (url) => {
      url.pathname = "/absent";
    }),
  ]);
  refusing.close();
  expect(said[0]).toMatch(/^Postgres at 127\.0\.0\.1:\d+ refuses the user or the password \(DATABASE_URL\)\.\s*$/m);
  expect(said[1]).toMatch(/^ClickHouse at 127\.0\.0\.1:\d+ refuses the user or the password \(CLICKHOUSE_URL\)\.\s*$/m);
  expect(said[2]).toMatch(/^Redis at 127\.0\.0\.1:\d+ refuses the user or the password \(REDIS_URL\)\.\s*$/m);
  expect(said[3]).toMatch(/^Postgres at 127\.0\.0\.1:\d+ has no database with that name \(DATABASE_URL\)\.\s*$/m);
  for (const text of said) expect(text).not.toMatch(/\n\s+at |wrong/);
});

test("without Postgres known keys go on, revoked ones stay revoked, others are told to come back, and the log has a line of it", async () => {
  const [known, revoked, unused] = [await makeKey(), await makeKey(), await makeKey()];
  for (const { key } of [known, revoked]) expect((await send(key)).status).toBe(202);
  expect((await ask("DELETE", `/v1/keys/${revoked.id}`)).status).toBeLessThan(300);
  await eventually("the key to be refused", async () => ((await send(revoked.key)).status === 401 ? true : undefined));
  const before = service.output().length;

  await ways.postgres.cut();
  for (let round = 0; round < 40; round++) {
    expect((await send(known.key)).status).toBe(202);
    expect((await send()).status).toBe(202);
    const unknown = await send(unused.key);
    expect([unknown.status, unknown.body.code]).toEqual([503, "store_unavailable"]);
    expect(Number(unknown.headers.get("retry-after"))).toBeGreaterThan(0);
    expect([401, 503]).toContain((await send(revoked.key)).status);
  }
  const ready = await ask("GET", "/readyz");
  expect([ready.status, ready.body.roles]).toEqual([200, { ingest: "ready", api: "not_ready", worker: "not_ready" }]);
  expect(ready.body.checks.postgres).toMatchObject({ ok: false, detail: "cannot be reached" });
  expect((await ask("GET", "/readyz?role=api")).status).toBe(503);

  const lines = service
    .output()
    .slice(before)
    .split("\n")
    .filter((line) => line !== "");
  expect(lines.length).toBeLessThanOrEqual(4);
  for (const line of lines) expect(line.length).toBeLessThan(2_000);
  for (const { key } of [known, revoked, unused]) expect(service.output()).not.toContain(hash("sha256", key, "hex"));
  await ways.postgres.mend();
  await eventually("unknown keys to be known", async () =>
    (await send(unused.key)).status === 202 ? true : undefined,
  );
  expect((await send(revoked.key)).status).toBe(401);
});

test("without ClickHouse events are taken and the process is ready for them, not for questions", async () => {
  await ways.clickhouse.cut();
  expect((await send()).status).toBe(202);
  const { status, body } = await ask("GET", "/readyz");
  expect([status, body.roles]).toEqual([200, { ingest: "ready", api: "not_ready", worker: "not_ready" }]);
  expect(body.checks.clickhouse).toMatchObject({ ok: false, needed_by: ["api", "worker"] });
  expect((await ask("GET", "/readyz?role=api")).status).toBe(503);
  expect((await ask("GET", "/readyz?role=ingest")).status).toBe(200);
});

test("without Redis it is said that pushes have stopped, and events are taken", async () => {
  await ways.redis.cut();
  const said = await eventually("it to be said", async () => {
    const { checks } = (await ask("GET", "/readyz")).body;
    return checks.redis.ok ? undefined : checks.redis;
  });
  expect(said).toMatchObject({ detail: "cannot be reached", costs: expect.stringMatching(/not shared/) });
  expect((await ask("GET", "/readyz?role=api")).status).toBe(503);
  expect((await send()).status).toBe(202);
});

// Last, because it ends the service.
test("told to end, it says so to whoever routes to it, answers what still comes, and then ends", async () => {
  const ended = service.stopServer("SIGTERM");
  const stopping = await eventually("it to say so", async () => {
    const answer = await ask("GET", "/readyz");
    return answer.status === 503 ? answer : undefined;
  });
  expect(stopping.body.checks.stopping).toEqual({ ok: false, detail: "the process is shutting down" });
  const taken = await send();
  expect([taken.status, taken.headers.get("connection")]).toEqual([202, "close"]);
  await ended;
  expect(service.isServerRunning()).toBe(false);
});
