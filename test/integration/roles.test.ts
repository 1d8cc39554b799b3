import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { LiveAnswer } from "../../server/contract/live.ts";
import { eventually, startService, type TestService } from "../support/service.ts";
import { type OwnClickHouse, ownClickHouse, ownPostgres, ownRedis } from "../support/stores.ts";

let clickhouse: OwnClickHouse;
let postgres: Awaited<ReturnType<typeof ownPostgres>>;
let redis: Awaited<ReturnType<typeof ownRedis>>;
let ingest: TestService;
let api: TestService;

beforeAll(async () => {
  [clickhouse, postgres, redis] = await Promise.all([ownClickHouse(), ownPostgres(), ownRedis()]);
  const { username, password, database } = clickhouse.connection;
  const url = new URL(inject("clickhouse").url);
  Object.assign(url, { username, password, pathname: `/${database}` });
  const stores = { CLICKHOUSE_URL: url.href, DATABASE_URL: postgres.url, REDIS_URL: redis.url };
  ingest = await startService({ ...stores, TIDEMARK_ROLES: "ingest,worker" });
  api = await startService({ ...stores, TIDEMARK_ROLES: "api", TIDEMARK_ROOT_KEY: ingest.rootKey });
});
afterAll(async () => {
  await Promise.all([api?.stop(), ingest?.stop()]);
  await Promise.all([clickhouse.drop(), postgres.drop(), redis.stop()]);
});

const authorization = () => ({ authorization: `Bearer ${ingest.rootKey}` });

test("with the roles in two processes on stores of their own, what one takes the other answers, up to a watermark", async () => {
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
  expect(await status(api.url, "/v1/events", "POST")).toBe(404);
  expect(await status(ingest.url, "/v1/live")).toBe(404);
  expect(await status(ingest.url, "/readyz")).toBe(200);
});
