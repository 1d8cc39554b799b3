/** One round: a service of its own under load, kills, a drain, and everything that must hold afterwards. */
import { UsageApi } from "../../server/programs/usage-api.ts";
import { recoveryPatienceMs } from "../support/patience.ts";
import { eventually, startService, type TestService } from "../support/service.ts";
import { type CheckedNode, checkStored, driftedStages, wrongAnswers } from "./check-stores.ts";
import { Killer, type KillFigures, startRedis } from "./killer.ts";
import { Ledger, type LedgerFigures } from "./ledger.ts";
import { noteSyncs } from "./power-cut.ts";

export interface RoundFigures extends KillFigures, LedgerFigures {
  /** The data of a round in which something was wrong. */
  keptFolder: string | undefined;
  seconds: number;
  acknowledged: number;
  lost: string[];
  doubled: string[];
  /** Views, rollups and answers that are not what the events come to. */
  differing: string[];
}

/** Rejects when the service does not recover or cannot be asked; the data folder is then left and named. */
export async function runRound({
  kills,
  withRedis,
  maxPauseMs,
}: {
  kills: number;
  withRedis: boolean;
  /** The pause of each of the ledger's lanes between two requests. */
  maxPauseMs?: number;
}): Promise<RoundFigures> {
  const startedAtMs = Date.now();
  const redis = withRedis ? await startRedis() : undefined;
  const service = await startService({ LOG_LEVEL: "warn", ...(redis && { REDIS_URL: redis.url }) }, noteSyncs);
  try {
    const nodes = await makeTree(service);
    const organizations = nodes.flatMap(({ node }) => (node.startsWith("organization:") ? [node.slice(13)] : []));
    const ledger = new Ledger(service, organizations, { maxPauseMs });
    const api = new UsageApi({ url: service.url, key: service.rootKey });
    const killer = new Killer({
      service,
      redis,
      watermarkMs: () => ledger.watermarkMs,
      async rest() {
        await ledger.pause();
        await questionsAreAnswered(service);
        await api.whenVisible(recoveryPatienceMs);
      },
      wake: () => ledger.start(),
      recoverWithinMs: recoveryPatienceMs,
    });
    ledger.start();
    await killer.run(kills);
    await ledger.drain();
    await questionsAreAnswered(service);
    await api.whenVisible(recoveryPatienceMs);
    // Before the stages are compared, which repairs them.
    const wrong = await wrongAnswers(service, ledger.stays, nodes);
    const differing = [...(await driftedStages(service)), ...wrong];
    await service.stopServer();
    const stored = await checkStored(service.dataDir, ledger.acknowledged, ledger.stays);
    differing.push(...stored.differing);
    const isWhole = [stored.lost, stored.doubled, differing, ledger.figures.wrongVerdicts].every(
      (defects) => defects.length === 0,
    );
    if (isWhole) await service.stop();
    return {
      ...killer.figures,
      ...ledger.figures,
      keptFolder: isWhole ? undefined : service.dataDir,
      seconds: (Date.now() - startedAtMs) / 1000,
      acknowledged: ledger.acknowledged.size,
      lost: stored.lost,
      doubled: stored.doubled,
      differing,
    };
  } catch (error) {
    await service.stopServer();
    throw new Error(`the data folder is kept: ${service.dataDir}`, { cause: error });
  } finally {
    await redis?.stop();
  }
}

/** What was sent after a kill may be stored before Postgres, which questions need, is back. */
async function questionsAreAnswered({ url }: Pick<TestService, "url">): Promise<void> {
  await eventually(
    "questions to be answered",
    async () => {
      const answer = await fetch(`${url}/readyz?role=api`).catch(() => undefined);
      await answer?.arrayBuffer();
      return answer?.ok || undefined;
    },
    recoveryPatienceMs,
  );
}

/** Two resellers of one partner with two organizations each, and one organization at the root. */
export async function makeTree(service: Pick<TestService, "url" | "rootKey">): Promise<CheckedNode[]> {
  const api = new UsageApi({ url: service.url, key: service.rootKey });
  await api.createNode({ kind: "partner", id: "p" });
  const nodes: CheckedNode[] = [
    { node: "all", holds: () => true },
    { node: "partner:p", holds: (organization) => /^r[01]-/.test(organization) },
  ];
  for (const reseller of ["r0", "r1"]) {
    await api.createNode({ kind: "reseller", id: reseller, parent: "partner:p" });
    nodes.push({ node: `reseller:${reseller}`, holds: (organization) => organization.startsWith(`${reseller}-`) });
    for (const id of [`${reseller}-a`, `${reseller}-b`]) {
      await api.createNode({ kind: "organization", id, parent: `reseller:${reseller}` });
      nodes.push({ node: `organization:${id}`, holds: (organization) => organization === id });
    }
  }
  await api.createNode({ kind: "organization", id: "direct" });
  nodes.push({ node: "organization:direct", holds: (organization) => organization === "direct" });
  return nodes;
}
