/** Two processes behind a balancer that are restarted one after the other, under load. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UsageApi } from "../../server/programs/usage-api.ts";
import { makeTree } from "../chaos/chaos-round.ts";
import { checkTables, wrongAnswers } from "../chaos/check-stores.ts";
import { easyPauseMs, Ledger } from "../chaos/ledger.ts";
import { type Balancer, startBalancer } from "../support/balancer.ts";
import { recoveryPatienceMs } from "../support/patience.ts";
import { eventually, startService, type TestService } from "../support/service.ts";
import { type OwnStores, ownStores } from "../support/stores.ts";

const rootKey = `root-${randomBytes(16).toString("hex")}`;
const secret = randomBytes(32).toString("hex");

let stores: OwnStores;
let balancer: Balancer;
const nodes: TestService[] = [];

async function startNode(name: string): Promise<TestService> {
  return await startService((own) => ({
    TIDEMARK_ROOT_KEY: rootKey,
    TIDEMARK_NODE: name,
    TIDEMARK_NODE_URL: own,
    TIDEMARK_CLUSTER_SECRET: secret,
    // Longer than the balancer takes to see that a node is about to end, on a busy machine too.
    TIDEMARK_DRAIN_SECONDS: "6",
    ...stores.settings,
    LOG_LEVEL: "error",
  }));
}

beforeAll(async () => {
  stores = await ownStores();
  nodes.push(await startNode("a"), await startNode("b"));
  balancer = await startBalancer(nodes.map(({ url }) => url));
});
afterAll(async () => {
  await balancer?.close();
  for (const node of nodes) await node.stop();
  await stores?.drop();
});

test("a rolling restart behind a balancer refuses nobody and cuts no connection: every request is answered, what was acknowledged is stored, each event once", async () => {
  const behind = { url: balancer.url, rootKey };
  const checked = await makeTree({ ...(nodes[0] as TestService), rootKey });
  for (const { url } of nodes)
    await eventually("every node to know the tree", async () => {
      const answer = await fetch(`${url}/v1/nodes/organization:direct`, {
        headers: { authorization: `Bearer ${rootKey}` },
      });
      return answer.ok ? true : undefined;
    });
  const organizations = checked.flatMap(({ node }) => (node.startsWith("organization:") ? [node.slice(13)] : []));
  const ledger = new Ledger(behind, organizations, { maxPauseMs: easyPauseMs });
  // Readers beside the senders: they too are refused nothing.
  const read = new Map<number, number>();
  let isOver = false;
  const reading = (async () => {
    while (!isOver) {
      const answer = await fetch(`${balancer.url}/v1/usage?meter=chat_posts&window=total`, {
        headers: { authorization: `Bearer ${rootKey}` },
      });
      await answer.arrayBuffer();
      read.set(answer.status, (read.get(answer.status) ?? 0) + 1);
    }
  })();
  // Told where it is awaited, not when another expectation fails first.
  reading.catch(() => undefined);
  ledger.start();
  for (const node of nodes) {
    const before = new Map(balancer.taken);
    const tookSome = (one: TestService) => (balancer.taken.get(one.url) ?? 0) - (before.get(one.url) ?? 0) > 10;
    await eventually("both to take requests", () => (nodes.every(tookSome) ? true : undefined));
    await node.stopServer("SIGTERM");
    await node.startServer();
    await eventually("it to be used again", () => (balancer.isUsed(node.url) ? true : undefined));
  }
  await ledger.drain();
  isOver = true;
  await reading;

  expect(balancer.failures).toEqual([]);
  expect([ledger.figures.cut, [...ledger.figures.refused]]).toEqual([0, []]);
  expect([...read.keys()]).toEqual([200]);
  expect(ledger.figures.wrongVerdicts).toEqual([]);
  for (const node of nodes) await new UsageApi({ url: node.url, key: rootKey }).whenVisible(recoveryPatienceMs);
  for (const node of nodes) expect(await wrongAnswers({ ...node, rootKey }, ledger.stays, checked)).toEqual([]);
  expect(await checkTables(stores.clickhouse.clickhouse, ledger.acknowledged, ledger.stays)).toEqual({
    lost: [],
    doubled: [],
    differing: [],
  });
  expect(ledger.acknowledged.size).toBeGreaterThan(500);
});
