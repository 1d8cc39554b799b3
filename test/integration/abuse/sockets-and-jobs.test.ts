import { io, type Socket } from "socket.io-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClientToServerEvents, ServerToClientEvents, WatchResult } from "../../../server/contract/live.ts";
import { type AbusedService, startAbusedService } from "../../support/abused-service.ts";
import { harmOf } from "../../support/bystander.ts";

type Client = Socket<ServerToClientEvents, ClientToServerEvents>;

let world: AbusedService;
const clients: Client[] = [];
beforeAll(async () => {
  world = await startAbusedService();
  await world.store([
    { id: "1", type: "participant.joined", organization: "here", agent: "a1", session: "s", user: "u", room: "r" },
  ]);
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await world?.stop();
});

/** Undefined: connected; else why not. */
function open(): Promise<{ client: Client; refusal: string | undefined }> {
  const client: Client = io(world.service.url, {
    auth: { token: world.attacker.key },
    transports: ["websocket"],
    reconnection: false,
    forceNew: true,
  });
  clients.push(client);
  return new Promise((resolve) => {
    client.once("connect", () => resolve({ client, refusal: undefined }));
    client.once("connect_error", (error) => {
      const { data } = error as Error & { data?: { code?: string } };
      resolve({ client, refusal: data?.code ?? error.message });
    });
  });
}

const watch = (client: Client, node: string): Promise<WatchResult> =>
  new Promise((resolve) => client.emit("live:watch", node, resolve));

test("a node that nobody made cannot be watched, an agent neither; one with usage can", async () => {
  const { client } = await open();
  const codeOf = async (node: string) => {
    const result = await watch(client, node);
    return result.ok ? "ok" : result.code;
  };
  expect(await codeOf("agent:here/a1")).toBe("ok");
  expect(await codeOf("agent:here/made-up")).toBe("forbidden");
  expect(await codeOf("agent:nowhere/a1")).toBe("forbidden");
  expect(await codeOf("organization:nowhere")).toBe("forbidden");
  expect(await codeOf("organization:here")).toBe("ok");
});

test("hundreds of sockets of one key that watch made-up agents hold nobody up, and there are only so many of them", async () => {
  const harm = await harmOf(world.bystander, async () => {
    const opened = await Promise.all(Array.from({ length: 300 }, open));
    const connected = opened.filter(({ refusal }) => refusal === undefined);
    const codes = await Promise.all(
      connected.flatMap(({ client }, n) =>
        Array.from({ length: 5 }, async (_, again) => {
          const result = await watch(client, `agent:here/made-up-${n}-${again}`);
          return result.ok ? "ok" : result.code;
        }),
      ),
    );
    return { refusals: opened.flatMap(({ refusal }) => refusal ?? []), codes: new Set(codes) };
  });
  expect(new Set(harm.result.refusals)).toEqual(new Set(["too_many_sockets"]));
  expect(harm.result.codes.has("ok")).toBe(false);
  expect([...harm.statuses.keys()]).toEqual([200]);
  expect(harm.ratio, `waited ${harm.longestMs} ms`).toBeLessThan(20);
});

test("rebuilds of one tenant wait up to a bound, and those of others are accepted all the same", async () => {
  const rebuild = (key: string, organization?: string) =>
    world.ask("/v1/rebuilds", { key, method: "POST", body: { stage: "all", ...(organization && { organization }) } });
  const harm = await harmOf(world.bystander, async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => rebuild(world.attacker.key, "here")));
    return answers.map(({ status, headers }) => ({ status, retryAfter: headers.get("retry-after") }));
  });
  const taken = harm.result.filter(({ status }) => status === 202);
  const refused = harm.result.filter(({ status }) => status !== 202);
  expect(taken.length).toBeGreaterThan(0);
  expect(refused.length).toBeGreaterThan(0);
  for (const { status, retryAfter } of refused) {
    expect(status).toBe(429);
    expect(Number(retryAfter)).toBeGreaterThan(0);
  }
  expect((await rebuild(world.service.rootKey)).status).toBe(202);
  expect(harm.ratio, `waited ${harm.longestMs} ms`).toBeLessThan(20);
});

test("a key makes only so many organizations by events in a time, is told when to come back, and nothing is half taken", async () => {
  const send = (batch: number) =>
    world.ask("/v1/events", {
      method: "POST",
      body: Array.from({ length: 500 }, (_, n) => ({
        id: `${batch}-${n}`,
        type: "chat.posted",
        organization: `made-${batch}-${n}`,
      })),
    });
  const harm = await harmOf(world.bystander, async () => {
    const answers: { status: number; retryAfter: number }[] = [];
    for (let batch = 0; batch < 10; batch++) {
      const { status, headers } = await send(batch);
      answers.push({ status, retryAfter: Number(headers.get("retry-after")) });
    }
    return answers;
  });
  const refused = harm.result.filter(({ status }) => status === 429);
  expect(harm.result[0]?.status).toBe(202);
  expect(refused.length).toBeGreaterThanOrEqual(3);
  for (const { retryAfter } of refused) expect(retryAfter).toBeGreaterThan(0);
  const known = await world.ask("/v1/events", {
    method: "POST",
    body: { id: "known", type: "chat.posted", organization: "made-0-0" },
  });
  expect(known.status).toBe(202);
  expect(harm.ratio, `waited ${harm.longestMs} ms`).toBeLessThan(20);
});

test("the limits that callers meet are published", async () => {
  const limits = (await (await fetch(`${world.service.url}/v1/limits`)).json()) as Record<string, object>;
  expect(limits).toMatchObject({
    questions: { max_figures: expect.any(Number), max_at_once: expect.any(Number) },
    live: { max_sockets: expect.any(Number) },
    rebuilds: { max_waiting_of_tenant: expect.any(Number) },
    created_nodes: { of_emitter: { burst: expect.any(Number) } },
  });
});
