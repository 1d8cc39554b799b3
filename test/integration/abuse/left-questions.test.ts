import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { createRoute } from "@hono/zod-openapi";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askedFor, StatementTooHeavyError } from "../../../server/clickhouse/client.ts";
import { Questions } from "../../../server/fairness/questions.ts";
import { createRouter } from "../../../server/http/app-pieces.ts";
import { attachClient } from "../../../server/http/attach-client.ts";
import { attachActor, requireScope } from "../../../server/http/authenticate.ts";
import { storeFor, takeTurns } from "../../../server/http/take-turns.ts";
import type { Actor } from "../../../server/identity/actor.ts";
import { eventually } from "../../support/service.ts";
import { type OwnClickHouse, ownClickHouse } from "../../support/stores.ts";

let own: OwnClickHouse;
beforeAll(async () => {
  own = await ownClickHouse();
});
afterAll(() => own?.drop());

const endless = "SELECT sum(cityHash64(number)) FROM system.numbers WHERE {mark:String} != ''";
const running = async (mark: string) =>
  await own.clickhouse.select("SELECT query_id FROM system.processes WHERE Settings['log_comment'] = {mark:String}", {
    mark,
  });

test("a statement whose question ends is ended in the store too", async () => {
  const ending = new AbortController();
  const asked = askedFor(own.clickhouse, { signal: ending.signal, ask: (statement) => statement() });
  const answer = asked.select(endless, { mark: "left" }, { log_comment: "left" });
  answer.catch(() => undefined);
  await eventually("the statement to run", async () => ((await running("left")).length > 0 ? true : undefined));
  const gone = new Error("the caller has gone");
  ending.abort(gone);
  await expect(answer).rejects.toBe(gone);
  await eventually("the store to have ended it", async () => ((await running("left")).length === 0 ? true : undefined));
});

test("who closes the connection ends what the question asked of the store", async () => {
  const router = createRouter();
  const actor = {
    kind: "key",
    id: "key_1",
    name: "k",
    node: "all",
    reach: ["all"],
    grants: [],
    createOrganizations: false,
  };
  const grants = [{ node: "all", actions: new Set(["read"]) }];
  router.onError(() => new Response());
  router.use(attachClient(() => false));
  router.use(attachActor({ authenticate: async () => ({ ...actor, grants }) as Actor }));
  router.use(takeTurns(new Questions(), { ancestors: (node) => [node] }));
  const described = {
    method: "get",
    path: "/asked",
    middleware: requireScope("read"),
    responses: { 200: { description: "never" } },
  } as const;
  router.openapi(createRoute(described), async (c) => {
    await storeFor(c, own.clickhouse).select(endless, { mark: "closed" }, { log_comment: "closed" });
    return c.json({}, 200);
  });
  const server = createServer(getRequestListener(router.fetch)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const leaving = new AbortController();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/asked`;
  const asking = fetch(url, { signal: leaving.signal }).catch(() => undefined);
  await eventually("the statement to run", async () => ((await running("closed")).length > 0 ? true : undefined));
  leaving.abort();
  await asking;
  await eventually("the store to have ended it", async () =>
    (await running("closed")).length === 0 ? true : undefined,
  );
  server.close();
});

test("a statement that takes more than a question may says so", async () => {
  const asked = askedFor(own.clickhouse);
  await expect(asked.select(endless, { mark: "slow" }, { max_execution_time: 1 })).rejects.toThrow(
    StatementTooHeavyError,
  );
  const large = "SELECT length(groupArray(toString(number))) AS all FROM numbers(10000000)";
  await expect(asked.select(large, {}, { max_memory_usage: "1000000" })).rejects.toThrow(StatementTooHeavyError);
});
