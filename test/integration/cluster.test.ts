import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPeers } from "../../server/cluster/peers.ts";
import type { Verdict } from "../../server/contract/events.ts";
import { UsageApi } from "../../server/programs/usage-api.ts";
import { makeTree } from "../chaos/chaos-round.ts";
import { checkTables, driftedStages, wrongAnswers } from "../chaos/check-stores.ts";
import { easyPauseMs, Ledger } from "../chaos/ledger.ts";
import { recoveryPatienceMs } from "../support/patience.ts";
import { startService, type TestService } from "../support/service.ts";
import { type OwnStores, ownStores } from "../support/stores.ts";

/** CLUSTER_KILLS=200 for an hour of them. */
const troubles = Number(process.env.CLUSTER_KILLS ?? 4);
const rootKey = `root-${randomBytes(16).toString("hex")}`;
const secret = randomBytes(32).toString("hex");

let stores: OwnStores;
const nodes: TestService[] = [];

async function startNode(name: string): Promise<TestService> {
  const service = await startService((url) => ({
    TIDEMARK_ROOT_KEY: rootKey,
    TIDEMARK_NODE: name,
    TIDEMARK_NODE_URL: url,
    TIDEMARK_CLUSTER_SECRET: secret,
    ...stores.settings,
    LOG_LEVEL: process.env.CLUSTER_LOG ?? "fatal",
  }));
  return { ...service, rootKey };
}

beforeAll(async () => {
  stores = await ownStores();
  nodes.push(await startNode("a"));
  nodes.push(await startNode("b"));
});
afterAll(async () => {
  for (const node of nodes) await node.stop();
  await stores?.drop();
});

const [a, b] = [() => nodes[0] as TestService, () => nodes[1] as TestService];

// First, because it compares all that there is.
test(`nodes that are killed, stopped for a while, join and leave ${troubles} times lose nothing and double nothing: acknowledged = stored, views = raw = oracle`, async () => {
  const checked = await makeTree(a());
  const organizations = checked.flatMap(({ node }) => (node.startsWith("organization:") ? [node.slice(13)] : []));
  const anyNode = {
    rootKey,
    get url() {
      return (nodes[Math.floor(Math.random() * nodes.length)] as TestService).url;
    },
  };
  const ledger = new Ledger(anyNode, organizations, { maxPauseMs: easyPauseMs });
  ledger.start();
  for (let trouble = 0; trouble < troubles; trouble++) {
    // The moment is random on purpose: it must fall into every step of a batch's way.
    await delay(300 + Math.random() * 700);
    const node = nodes[trouble % 2] as TestService;
    switch (["kill", "pause", "leave"][trouble % 3]) {
      case "kill":
        await node.stopServer("SIGKILL");
        await delay(Math.random() * 1_500);
        await node.startServer();
        break;
      case "pause":
        // Longer than its lease: the other one derives when it goes on.
        process.kill(node.pid(), "SIGSTOP");
        await delay(3_500 + Math.random() * 1_000);
        process.kill(node.pid(), "SIGCONT");
        break;
      default:
        await node.stopServer("SIGTERM");
        await delay(Math.random() * 1_000);
        await node.startServer();
    }
  }
  await ledger.drain();
  for (const node of nodes) await new UsageApi({ url: node.url, key: rootKey }).whenVisible(recoveryPatienceMs);
  for (const node of nodes) expect(await wrongAnswers(node, ledger.stays, checked)).toEqual([]);
  expect(ledger.figures.wrongVerdicts).toEqual([]);
  expect(await driftedStages(a())).toEqual([]);
  expect(await checkTables(stores.clickhouse.clickhouse, ledger.acknowledged, ledger.stays)).toEqual({
    lost: [],
    doubled: [],
    differing: [],
  });
  expect(ledger.acknowledged.size).toBeGreaterThan(500);
}, 7_200_000);

async function send(node: TestService, events: unknown[], query = ""): Promise<{ status: number; verdict: Verdict }> {
  const answer = await fetch(`${node.url}/v1/events${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${rootKey}`, "content-type": "application/json" },
    body: JSON.stringify(events),
  });
  return { status: answer.status, verdict: (await answer.json()) as Verdict };
}

/** One event for each of twenty organizations, which two nodes share. */
const acrossNodes = (kind: string) =>
  Array.from({ length: 20 }, (_, index) => ({
    id: `${kind}-${index}`,
    type: "chat.posted",
    organization: `shared-${index}`,
    user: "u",
  }));

test("every node knows the ids that any of them took, and answers conflicts and repeats in the order of the request", async () => {
  const events = acrossNodes("once");
  const first = await send(a(), events);
  expect(first).toMatchObject({ status: 202, verdict: { accepted: 20, duplicates: 0, rejected: [] } });
  const again = await send(b(), [
    ...events,
    { id: "once-3", type: "chat.posted", organization: "shared-3", user: "v" },
    {},
  ]);
  expect(again).toMatchObject({ status: 202, verdict: { accepted: 0, duplicates: 20 } });
  expect(again.verdict.rejected.map(({ index, code }) => [index, code])).toEqual([
    [20, "id_conflict"],
    [21, "missing_field"],
  ]);
});

test("an atomic request over several nodes is taken whole or not at all", async () => {
  await send(a(), [{ id: "taken", type: "chat.posted", organization: "shared-1", user: "u" }], "?ack=stored");
  const conflicting = [
    ...acrossNodes("atomic"),
    { id: "taken", type: "chat.posted", organization: "shared-1", user: "other" },
  ];
  expect((await send(b(), conflicting, "?atomic=true")).status).toBe(422);
  const whole = await send(b(), acrossNodes("atomic"), "?atomic=true&ack=stored");
  expect(whole).toMatchObject({ status: 200, verdict: { accepted: 20, duplicates: 0 } });
  expect((await send(a(), acrossNodes("atomic"), "?atomic=true")).verdict.duplicates).toBe(20);
});

test("nodes that hand over to each other at once do not wait for each other: all of it can be queried", async () => {
  const before = await postsOf(a());
  process.kill(b().pid(), "SIGSTOP");
  expect((await send(a(), acrossNodes("kept-by-a"))).status).toBe(202);
  process.kill(a().pid(), "SIGSTOP");
  process.kill(b().pid(), "SIGCONT");
  expect((await send(b(), acrossNodes("kept-by-b"))).status).toBe(202);
  process.kill(a().pid(), "SIGCONT");
  for (const node of nodes) await new UsageApi({ url: node.url, key: rootKey }).whenVisible(recoveryPatienceMs);
  expect(await postsOf(b())).toBe(before + 40);
});

test("an answer with ack=stored can be queried on every node, whichever node took it", async () => {
  const before = await Promise.all([a(), b()].map(postsOf));
  const sent = await send(b(), acrossNodes("seen"), "?ack=stored");
  expect(sent.status).toBe(200);
  expect(await Promise.all([a(), b()].map(postsOf))).toEqual(before.map((posts) => posts + 20));
});

async function postsOf(node: TestService): Promise<number> {
  const api = new UsageApi({ url: node.url, key: rootKey });
  const [from, to] = [Date.now() - 3_600_000, Date.now() + 3_600_000].map((ms) => new Date(ms).toISOString());
  const answer = await api.usage({ meter: "chat_posts", from: from as string, to: to as string, window: "total" });
  return Number(answer.meters[0]?.total);
}

test("only who knows the secret may ask what nodes ask of each other, and not to ask it again later", async () => {
  const body = Buffer.from(JSON.stringify({ token: "t" }));
  const ask = async (headers: Record<string, string>, sent = body) =>
    (await fetch(`${a().url}/cluster/release`, { method: "POST", headers, body: new Uint8Array(sent) })).status;
  const signed = async (key: string, now: () => number) => {
    let headers: Record<string, string> = {};
    const { fetch: real } = globalThis;
    globalThis.fetch = async (_, init) => {
      headers = init?.headers as Record<string, string>;
      throw new Error("not sent");
    };
    const { z } = await import("zod");
    await createPeers(key, now)
      .ask(a(), "/cluster/release", body, z.object({}), 1_000)
      .catch(() => undefined);
    globalThis.fetch = real;
    return headers;
  };
  expect(await ask({ authorization: `Bearer ${rootKey}` })).toBe(401);
  expect(await ask(await signed("another secret of at least 32 chars", Date.now))).toBe(401);
  const good = await signed(secret, Date.now);
  expect(await ask(good)).toBe(200);
  expect(await ask(good, Buffer.from(JSON.stringify({ token: "u" })))).toBe(401);
  expect(await ask(await signed(secret, () => Date.now() - 120_000))).toBe(401);
});
