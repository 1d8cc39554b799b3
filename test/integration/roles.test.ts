import { afterAll, beforeAll, expect, test } from "vitest";
import type { LiveAnswer } from "../../server/contract/live.ts";
import { eventually, startService, type TestService } from "../support/service.ts";
import { type OwnStores, ownStores } from "../support/stores.ts";

let stores: OwnStores;
let ingest: TestService;
let api: TestService;

beforeAll(async () => {
  stores = await ownStores();
  ingest = await startService({ ...stores.settings, TIDEMARK_ROLES: "ingest,worker" });
  api = await startService({ ...stores.settings, TIDEMARK_ROLES: "api", TIDEMARK_ROOT_KEY: ingest.rootKey });
});
afterAll(async () => {
  await Promise.all([api?.stop(), ingest?.stop()]);
  await stores.drop();
});

const authorization = () => ({ authorization: `Bearer ${ingest.rootKey}` });

test("with the roles in two processes, events that one takes are answered by the other, up to a watermark", async () => {
  const sent = await fetch(`${ingest.url}/v1/events?ack=stored`, {
    method: "POST",
    headers: { ...authorization(), "content-type": "application/json" },
    body: JSON.stringify({ id: "r1", type: "participant.joined", organization: "acme", session: "s", user: "u" }),
  });
  expect(sent.status).toBe(200);
  const { watermark } = (await sent.json()) as { watermark: string };
  const live = await eventually("the other process to know of the event", async () => {
    const answer = await fetch(`${api.url}/v1/live`, { headers: authorization() });
    const live = (await answer.json()) as LiveAnswer;
    return live.watermark >= watermark ? live : undefined;
  });
  expect(live.levels).toMatchObject({ live_participants: 1, live_sessions: 1 });
});

test("a process answers only what its roles are for", async () => {
  const status = async (url: string, path: string, method = "GET") =>
    (await fetch(`${url}${path}`, { method, headers: authorization() })).status;
  const asked = async (url: string, path: string, method = "GET") =>
    (await fetch(`${url}${path}`, { method, headers: authorization() })).json();
  expect(await status(api.url, "/v1/events", "POST")).toBe(404);
  expect(await asked(api.url, "/v1/events", "POST")).toMatchObject({
    code: "not_found",
    detail: "/v1/events is served by processes with another role; this one only has api (TIDEMARK_ROLES)",
  });
  expect(await asked(api.url, "/v1/quarantine/q/replay", "POST")).toMatchObject({
    detail: expect.stringMatching(/role/),
  });
  expect(await status(ingest.url, "/v1/live")).toBe(404);
  for (const path of ["/v1/live", "/v1/nodes", "/v1/keys/key_1"])
    expect(await asked(ingest.url, path)).toMatchObject({ detail: expect.stringMatching(/only has ingest, worker/) });
  expect(await asked(ingest.url, "/v1/nothing")).toMatchObject({ detail: "there is no /v1/nothing" });
  expect(await status(ingest.url, "/readyz")).toBe(200);
});

test("a process is ready by its roles, and says of each thing who needs it and what its absence costs", async () => {
  const readiness = async (url: string, query = "") => {
    const answer = await fetch(`${url}/readyz${query}`);
    return { status: answer.status, body: (await answer.json()) as Record<string, Record<string, unknown>> };
  };
  const { status, body } = await readiness(ingest.url);
  expect([status, body.roles]).toEqual([200, { ingest: "ready", worker: "ready" }]);
  for (const name of ["clickhouse", "postgres", "redis", "watermark", "log", "keys"])
    expect(body.checks?.[name], name).toMatchObject({
      ok: true,
      needed_by: expect.any(Array),
      costs: expect.any(String),
    });
  expect((await readiness(api.url, "?role=api")).status).toBe(200);
  expect((await readiness(api.url, "?role=ingest")).status).toBe(404);
  expect((await readiness(api.url, "?role=else")).status).toBe(400);
});
