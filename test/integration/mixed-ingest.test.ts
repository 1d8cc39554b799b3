/** Ingest processes whose settings do not go together, beside ones that store, under load, in the orders in which they start and stop. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { UsageApi } from "../../server/programs/usage-api.ts";
import { beginEpoch, laterEpochs } from "../../server/rollups/fencing-epoch.ts";
import { makeTree } from "../chaos/chaos-round.ts";
import { checkTables, wrongAnswers } from "../chaos/check-stores.ts";
import { Ledger } from "../chaos/ledger.ts";
import { recoveryPatienceMs } from "../support/patience.ts";
import { eventually, startService, type TestService } from "../support/service.ts";
import { type OwnStores, ownPostgres, ownStores } from "../support/stores.ts";

const rootKey = `root-${randomBytes(16).toString("hex")}`;
const secret = randomBytes(32).toString("hex");
/** A lane's longest pause between two requests: some twenty processes start and end beside the load, which has to leave them a machine. */
const maxPauseMs = 2_000;

let stores: OwnStores;
let otherPostgres: Awaited<ReturnType<typeof ownPostgres>>;
const running = new Set<TestService>();

type Settings = Record<string, string>;

async function start(settings: Settings | ((url: string) => Settings) = {}): Promise<TestService> {
  const service = await startService((own) => ({
    TIDEMARK_ROOT_KEY: rootKey,
    ...stores.settings,
    LOG_LEVEL: process.env.CLUSTER_LOG ?? "error",
    ...(typeof settings === "function" ? settings(own) : settings),
  }));
  running.add(service);
  return { ...service, rootKey };
}
const startNode = (name: string, settings: Settings = {}) =>
  start((url) => ({ TIDEMARK_NODE: name, TIDEMARK_NODE_URL: url, TIDEMARK_CLUSTER_SECRET: secret, ...settings }));

/** What the process said when it ended instead of starting. */
const refusal = async (starting: Promise<TestService>) =>
  starting.then(
    () => "it started",
    (error: Error) => error.message,
  );

async function readiness(service: TestService, query = ""): Promise<{ status: number; body: Readiness }> {
  const answer = await fetch(`${service.url}/readyz${query}`);
  return { status: answer.status, body: readinessSchema.parse(await answer.json()) };
}
const readinessSchema = z.object({
  status: z.string(),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
});
type Readiness = z.infer<typeof readinessSchema>;

beforeAll(async () => {
  [stores, otherPostgres] = await Promise.all([ownStores(), ownPostgres()]);
});
afterAll(async () => {
  for (const service of running) await service.stop();
  await stores?.drop();
  await otherPostgres?.drop();
});

// First, because it compares all that there is.
test("single processes and nodes, right and wrong, that start and stop beside each other under load: what was acknowledged is stored, once, and a process that does not belong gets the reason", async () => {
  let target = await startNode("a");
  const a = target;
  const b = await startNode("b");
  const checked = await makeTree(a);
  const organizations = checked.flatMap(({ node }) => (node.startsWith("organization:") ? [node.slice(13)] : []));
  const ledger = new Ledger(
    {
      rootKey,
      get url() {
        return target.url;
      },
    },
    organizations,
    { maxPauseMs },
  );
  ledger.start();

  // Each gets its reason, however many ask at once; who finds its place taken waits for ten seconds before it gives up.
  const [single, otherSecret, takenName, takenUrl, elsewhere, withoutUrl] = await Promise.all([
    refusal(start()),
    refusal(startNode("c", { TIDEMARK_CLUSTER_SECRET: randomBytes(32).toString("hex") })),
    refusal(startNode("a")),
    refusal(startNode("c", { TIDEMARK_NODE_URL: b.url })),
    refusal(start({ DATABASE_URL: otherPostgres.url })),
    refusal(start({ TIDEMARK_CLUSTER_SECRET: secret })),
  ]);
  expect(single).toMatch(/belong to a cluster of ingest nodes \(a, b\).*TIDEMARK_CLUSTER_SECRET/);
  expect(otherSecret).toMatch(/TIDEMARK_CLUSTER_SECRET is not the one of the cluster/);
  expect(takenName).toMatch(/is the ingest node a\. Give each its own TIDEMARK_NODE/);
  expect(takenUrl).toMatch(/is where the ingest node b is reached/);
  expect(elsewhere).toMatch(/holds the events of the installation .* another Postgres/);
  expect(withoutUrl).toMatch(/TIDEMARK_NODE_URL is required/);

  // A node that was killed holds what it acknowledged: nobody takes its place unasked, nobody its folder under another name.
  await b.stopServer("SIGKILL");
  const [unasked, underAnotherName] = await Promise.all([
    refusal(startNode("b")),
    refusal(startNode("c", { TIDEMARK_DATA_DIR: b.dataDir })),
  ]);
  expect(unasked).toMatch(/was not stopped cleanly.*TIDEMARK_LOST_NODE=b/);
  expect(underAnotherName).toMatch(/data folder is the ingest node b's/);
  await b.startServer();

  // A process has seconds to store what it has when it ends: under load on a busy machine that may not be enough.
  const stopWhole = async (service: TestService) => {
    await ledger.pause();
    await new UsageApi({ url: service.url, key: rootKey }).whenVisible(recoveryPatienceMs);
    await service.stopServer();
    ledger.start();
  };
  // The last node that leaves gives the stores back, and not before.
  target = b;
  await stopWhole(a);
  expect(await refusal(start())).toMatch(/belong to a cluster of ingest nodes \(b\)/);
  await stopWhole(b);
  const alone = await start();
  target = alone;
  const refusals = () => Promise.all([refusal(a.startServer().then(() => a)), refusal(start())]);
  const [beside, second] = await refusals();
  expect(beside).toMatch(/The ingest process .* already uses these stores/);
  expect(second).toMatch(/would count events twice/);
  await alone.stopServer("SIGKILL");
  for (const reason of await refusals()) expect(reason).toMatch(/was not stopped cleanly/);
  await alone.startServer();
  await stopWhole(alone);
  await a.startServer();
  target = a;
  await b.startServer();

  await ledger.drain();
  for (const node of [a, b]) {
    await new UsageApi({ url: node.url, key: rootKey }).whenVisible(recoveryPatienceMs);
    expect(await wrongAnswers(node, ledger.stays, checked)).toEqual([]);
  }
  expect(ledger.figures.wrongVerdicts).toEqual([]);
  expect(await checkTables(stores.clickhouse.clickhouse, ledger.acknowledged, ledger.stays)).toEqual({
    lost: [],
    doubled: [],
    differing: [],
  });
  expect(ledger.acknowledged.size).toBeGreaterThan(500);
  nodes.push(a, b);
}, 1_200_000);

const nodes: TestService[] = [];
const send = async (service: TestService, id: string) => {
  const answer = await fetch(`${service.url}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${rootKey}`, "content-type": "application/json" },
    body: JSON.stringify([{ id, type: "participant.joined", organization: `of-${id}`, session: id, user: "u" }]),
  });
  return answer.status;
};

/** Sends an event, and waits until what was taken up to now is seen. */
async function untilSeen(service: TestService, id: string): Promise<void> {
  expect(await send(service, id)).toBe(202);
  await new UsageApi({ url: service.url, key: rootKey }).whenVisible(recoveryPatienceMs);
}

test("an epoch that a process outside of the cluster began is taken back, and the watermark moves on", async () => {
  const [a] = nodes as [TestService];
  await beginEpoch(stores.clickhouse.clickhouse, (await laterEpochs(stores.clickhouse.clickhouse, 0)).newest + 1);
  await untilSeen(a, "after-a-foreign-epoch");
});

test("while a node is away with what it acknowledged the watermark stands, and that is not ready, in words and figures, until it moves again; the others stay ready for events", async () => {
  const [a, b] = nodes as [TestService, TestService];
  process.kill(b.pid(), "SIGSTOP");
  const standing = await eventually(
    "the standing watermark to be reported",
    async () => {
      const { status, body } = await readiness(a, "?role=api");
      return status === 503 ? body : undefined;
    },
    recoveryPatienceMs,
  );
  expect(standing.checks.watermark).toEqual({
    ok: false,
    detail: expect.stringMatching(/paused.*not heard of: b/),
  });
  expect(standing.checks.nodes?.ok).toBe(false);
  // A balancer goes on with who can take events.
  for (const query of ["", "?role=ingest"]) expect((await readiness(a, query)).status).toBe(200);
  const metrics = await (await fetch(`${a.url}/metrics`, { headers: { authorization: `Bearer ${rootKey}` } })).text();
  expect(Number(/^tidemark_watermark_standing_seconds ([\d.]+)/m.exec(metrics)?.[1])).toBeGreaterThan(10);
  expect(a.output()).toMatch(/the watermark stands still/);
  expect(await send(a, "taken-meanwhile")).toBe(202);
  process.kill(b.pid(), "SIGCONT");
  await eventually("it to be ready again", async () =>
    (await readiness(a, "?role=api")).status === 200 ? true : undefined,
  );
});

test("a node whose place was taken ends by itself", async () => {
  const [, b] = nodes as [TestService, TestService];
  process.kill(b.pid(), "SIGSTOP");
  const inItsPlace = await eventually(
    "the node to be silent for long enough",
    () => startNode("b", { TIDEMARK_LOST_NODE: "b" }).catch(() => undefined),
    recoveryPatienceMs,
  );
  process.kill(b.pid(), "SIGCONT");
  await eventually("the former one to end", () => (b.isServerRunning() ? undefined : true));
  expect(b.output()).toMatch(/has taken over as the ingest node b/);
  await untilSeen(inItsPlace, "after-its-place-was-taken");
  nodes[1] = inItsPlace;
});

test("a process alone takes back its epoch, and ends when the stores were given to another", async () => {
  for (const node of nodes) await node.stopServer();
  const alone = await start();
  await beginEpoch(stores.clickhouse.clickhouse, (await laterEpochs(stores.clickhouse.clickhouse, 0)).newest + 1);
  await untilSeen(alone, "alone-after-a-foreign-epoch");
  const left = await readFolderName(alone);
  process.kill(alone.pid(), "SIGSTOP");
  const next = await eventually(
    "it to be silent for long enough",
    () => start({ TIDEMARK_NODE: left, TIDEMARK_LOST_NODE: left }).catch(() => undefined),
    recoveryPatienceMs,
  );
  process.kill(alone.pid(), "SIGCONT");
  await eventually("the former one to end", () => (alone.isServerRunning() ? undefined : true));
  expect(alone.output()).toMatch(/given to another ingest process/);
  await untilSeen(next, "alone-again");
});

async function readFolderName(service: TestService): Promise<string> {
  return (await readFile(`${service.dataDir}/node-id`, "utf8")).slice(0, 8);
}
