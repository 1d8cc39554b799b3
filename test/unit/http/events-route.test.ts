/** POST /v1/events as an emitter sees it: statuses, headers and bodies. */
import { gzipSync } from "node:zlib";
import pino from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { KeyScope } from "../../../server/contract/accounts.ts";
import { limits, verdictSchema } from "../../../server/contract/events.ts";
import { applyFoundation, createRouter } from "../../../server/http/app-pieces.ts";
import { attachActor } from "../../../server/http/authenticate.ts";
import { eventsRoutes } from "../../../server/http/routes/events.ts";
import type { Actor } from "../../../server/identity/actor.ts";
import { actionsOfKey } from "../../../server/identity/permissions.ts";
import { LogFailedError } from "../../../server/ingest/log/log-errors.ts";
import { type Accepting, rootKey, startAccepting } from "../../support/accepting.ts";
import { patienceMs } from "../../support/patience.ts";

const nowMs = Date.UTC(2026, 10, 21, 9);
let accepting: Accepting;
let whenStored: () => Promise<void>;
let storedTimeoutMs: number;
beforeEach(async () => {
  accepting = await startAccepting({ now: () => nowMs });
  whenStored = () => Promise.resolve();
  storedTimeoutMs = 10_000;
});
afterEach(() => accepting.close());

async function post(
  body: unknown,
  options: { query?: string; headers?: Record<string, string>; scopes?: KeyScope[] | null } = {},
) {
  const { query = "", headers = {}, scopes = ["ingest"] } = options;
  const app = createRouter();
  applyFoundation(app, { log: pino({ level: "silent" }) });
  const grants = [{ node: "all", actions: actionsOfKey(scopes ?? [], false) }];
  const actor: Actor = { kind: "key", name: "emitter", ...rootKey, reach: ["all"], grants };
  app.use(attachActor({ authenticate: async () => (scopes ? actor : undefined) }));
  app.route(
    "/",
    eventsRoutes({
      ...accepting,
      watermark: () => new Date(nowMs - 100),
      flush: { whenStored: () => whenStored() },
      now: () => nowMs,
      storedTimeoutMs,
    }),
  );
  const response = await app.request(`/v1/events${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: Buffer.isBuffer(body) ? new Uint8Array(body) : typeof body === "string" ? body : JSON.stringify(body),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  return { status: response.status, headers: response.headers, answer };
}

let made = 0;
const event = (fields: Record<string, unknown> = {}) => ({
  id: `e${++made}`,
  type: "chat.posted",
  organization: "acme",
  ...fields,
});

test("202 says what was taken, what was rejected and why, and up to when queries see everything", async () => {
  const { status, headers, answer } = await post([event(), event({ user: "" }), event({ type: "x.y" })]);
  expect(status).toBe(202);
  expect(verdictSchema.parse(answer)).toEqual(answer);
  expect(answer).toMatchObject({
    accepted: 2,
    duplicates: 0,
    rejected: [{ index: 1, code: "invalid_field", field: "user" }],
    warnings: [{ index: 2, code: "unmatched_type" }],
    watermark: new Date(nowMs - 100).toISOString(),
  });
  expect(headers.get("ratelimit-limit")).toBe("100000");
  expect(headers.get("ratelimit-remaining")).toBe("99997");
});

test("a retry is answered as accepted before: counted once, no error", async () => {
  const sent = event({ time: "2026-11-21T08:00:00Z" });
  await post(sent);
  expect(await post(gzipSync(JSON.stringify(sent)), { headers: { "content-encoding": "gzip" } })).toMatchObject({
    status: 202,
    answer: { accepted: 0, duplicates: 1, rejected: [] },
  });
});

test("ack=stored answers 200 once the record can be queried", async () => {
  let store: () => void = () => undefined;
  const asked = vi.fn();
  whenStored = () => {
    asked();
    return new Promise((resolve) => {
      store = resolve;
    });
  };
  const answered = post(event(), { query: "?ack=stored" });
  await vi.waitFor(() => expect(asked).toHaveBeenCalledOnce(), { timeout: patienceMs });
  store();
  expect(await answered).toMatchObject({ status: 200, answer: { accepted: 1 } });
});

test("ack=stored that takes too long says that the events are safe", async () => {
  whenStored = () => new Promise(() => undefined);
  storedTimeoutMs = 5;
  const { status, headers, answer } = await post(event(), { query: "?ack=stored" });
  expect(status).toBe(503);
  expect(answer).toMatchObject({ code: "store_unavailable", detail: expect.stringContaining("on disk") });
  expect(headers.get("retry-after")).toBe("5");
  expect(await accepting.loggedEvents()).toHaveLength(1);
});

test("atomic answers 422 with the verdicts, and nothing is taken", async () => {
  const { status, headers, answer } = await post([event(), event({ foo: 1 })], { query: "?atomic=true" });
  expect(status).toBe(422);
  expect(headers.get("content-type")).toContain("application/problem+json");
  expect(answer).toMatchObject({
    code: "batch_rejected",
    request_id: headers.get("x-request-id"),
    accepted: 0,
    rejected: [{ code: "aborted" }, { code: "unknown_field", field: "foo" }],
  });
  expect(await accepting.loggedEvents()).toEqual([]);
});

test("strict answers 422 when an event was rejected, and the others are taken", async () => {
  const { status, headers, answer } = await post([event(), event({ foo: 1 })], { query: "?strict=true" });
  expect(status).toBe(422);
  expect(headers.get("content-type")).toContain("application/problem+json");
  expect(answer).toMatchObject({
    code: "events_rejected",
    request_id: headers.get("x-request-id"),
    accepted: 1,
    rejected: [{ index: 1, code: "unknown_field", field: "foo" }],
  });
  expect(await accepting.loggedEvents()).toHaveLength(1);
  expect(await post([event({ type: "x.y" })], { query: "?strict=true" })).toMatchObject({ status: 202 });
});

test("a dry run gives every verdict and takes, makes and remembers nothing", async () => {
  const sent = event({ time: "2026-11-21T08:00:00Z" });
  const taken = { ...sent, id: "taken" };
  await post(taken);
  const batch = [
    sent,
    sent,
    { ...sent, user: "another" },
    taken,
    event({ foo: 1 }),
    event({ type: "x.y", organization: "nobody" }),
  ];
  const before = accepting.log.syncedEnd;
  const { status, headers, answer } = await post(batch, { query: "?dry_run=true" });
  expect(status).toBe(200);
  expect(verdictSchema.parse(answer)).toEqual(answer);
  expect(answer).toMatchObject({
    dry_run: true,
    accepted: 2,
    duplicates: 2,
    rejected: [
      { index: 2, code: "id_conflict" },
      { index: 4, code: "unknown_field" },
    ],
    warnings: [{ index: 5, code: "unmatched_type" }],
  });
  expect(headers.get("ratelimit-remaining")).toBe("99994");
  expect(accepting.log.syncedEnd).toEqual(before);
  expect(accepting.tree.organizations.has("nobody")).toBe(false);
  expect(await post(batch, { query: "?dry_run=true&strict=true" })).toMatchObject({ status: 422 });
  expect(await post(batch, { query: "?dry_run=true&ack=stored&atomic=true" })).toMatchObject({
    status: 422,
    answer: { code: "batch_rejected", dry_run: true },
  });
  const real = await post({ ...sent, user: "another" });
  expect(real).toMatchObject({ status: 202, answer: { accepted: 1, duplicates: 0, rejected: [] } });
  expect(real.headers.get("ratelimit-remaining")).toBe("99998");
});

test.each([
  ["an unreadable body", "[", {}, 400, "unreadable_body"],
  ["an unknown ack", "[]", { query: "?ack=maybe" }, 400, "invalid_request"],
  ["an unknown parameter", "[]", { query: "?wait=true" }, 400, "invalid_request"],
  ["no key", "[]", { scopes: null }, 401, "unauthenticated"],
  ["a key without the right", "[]", { scopes: ["read" as const] }, 403, "forbidden"],
  ["a body beyond the limit", Buffer.alloc(11 * 1024 * 1024, 32), {}, 413, "body_too_large"],
  ["10,001 events", `[${"1,".repeat(10_000)}1]`, {}, 413, "too_many_events"],
  ["another media type", "[]", { headers: { "content-type": "text/csv" } }, 415, "unsupported_media_type"],
  ["another coding", "[]", { headers: { "content-encoding": "zstd" } }, 415, "unsupported_media_type"],
])("%s is a problem with its status and code", async (_, body, options, status, code) => {
  expect(await post(body, options)).toMatchObject({ status, answer: { code } });
});

test("429 and 503 say when to come back", async () => {
  await accepting.close();
  accepting = await startAccepting({ now: () => nowMs, admission: { eventsPerSecond: 100, burstEvents: 10_000 } });
  await post(Array.from({ length: 9_000 }, () => event()));
  const tooFast = await post(Array.from({ length: 2_000 }, () => event()));
  expect(tooFast).toMatchObject({ status: 429, answer: { code: "too_fast" } });
  expect(tooFast.headers.get("retry-after")).toBe("10");
  expect(tooFast.headers.get("ratelimit-remaining")).toBe("1000");

  vi.spyOn(accepting.log, "append").mockRejectedValueOnce(new LogFailedError("gone"));
  const failed = await post(event());
  expect(failed).toMatchObject({ status: 503, answer: { code: "store_unavailable" } });
  expect(failed.headers.get("retry-after")).toBe("10");
});

test("a failure to make an organization takes nothing and says so", async () => {
  vi.spyOn(accepting.tree, "ensureOrganizations").mockRejectedValueOnce(new Error("down"));
  expect(await post(event({ organization: "newco" }))).toMatchObject({
    status: 503,
    answer: { code: "store_unavailable", detail: expect.stringContaining("nothing was accepted") },
  });
  expect(await accepting.loggedEvents()).toEqual([]);
});

test("the API describes every form of the body", async () => {
  const app = createRouter();
  app.route(
    "/",
    eventsRoutes({ ...accepting, watermark: () => new Date(0), flush: { whenStored: () => whenStored() } }),
  );
  const described = app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "t", version: "1" } });
  const post = described.paths?.["/v1/events"]?.post;
  const body = post?.requestBody;
  expect(Object.keys(body && "content" in body ? body.content : {})).toEqual([...limits.contentTypes]);
  expect(Object.keys(post?.responses ?? {})).toEqual([
    "200",
    "202",
    "400",
    "401",
    "403",
    "413",
    "415",
    "422",
    "429",
    "503",
  ]);
});
