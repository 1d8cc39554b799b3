/** How a node comes to be one of the cluster: admitted, entered with a number of its own, and owner of what nobody owns yet. */
import { sql } from "drizzle-orm";
import type { Logger } from "pino";
import type { Postgres } from "../postgres/client.ts";
import { ingestCluster, ingestNodes, ingestStores } from "../postgres/schema/ingest-nodes.ts";
import { knownStores, untilGranted, watermarkOfSingle } from "./claim-stores.ts";
import { evaluateNode, type IngestProcess } from "./evaluate-claim.ts";
import { partitionCount } from "./partitions.ts";

const maxNodes = 64;

export interface RegistrationOptions extends IngestProcess {
  postgres: Postgres;
  url: string;
  secretProof: string;
  log: Logger;
}

/** The number of the node. Throws ClaimRefusedError. */
export async function registerNode(options: RegistrationOptions): Promise<number> {
  const { postgres, name, folder, host, process, url, secretProof, lostNode, log } = options;
  return await untilGranted(async () => {
    return await postgres.transaction(async (tx) => {
      const stores = await knownStores(tx);
      const verdict = evaluateNode({ name, folder, host, process, lostNode, url, secretProof }, stores);
      if (verdict.kind !== "granted") return { verdict };
      const singleUntil = await watermarkOfSingle(tx);
      await tx
        .insert(ingestCluster)
        .values({ only: 1, owners: [], version: 0, materializer: null, materializerUntil: new Date(0), epoch: 0 })
        .onConflictDoNothing();
      const [cluster] = await tx.select().from(ingestCluster).for("update");
      const rows = await tx.select().from(ingestNodes);
      const mine = rows.find((row) => row.name === name);
      const used = new Set(rows.map((row) => row.nodeNumber));
      const nodeNumber =
        mine?.nodeNumber ?? Array.from({ length: maxNodes }, (_, index) => index).find((index) => !used.has(index));
      if (nodeNumber === undefined) throw new Error(`a cluster has at most ${maxNodes} ingest nodes`);
      const known = { folder, host, process, url, heartbeatAt: sql`now()`, leftAt: null };
      // A node that starts empty gives larger numbers than all before, and holds back no watermark. What a single process
      // left in the folder is visible to nobody before this node has sent its first heartbeat.
      const lastNumber = Math.max(0, ...rows.map((row) => row.lastNumber));
      const since = singleUntil ?? sql`now()`;
      const empty = { watermark: since, storedUntil: since, settledBatch: lastNumber, lastNumber };
      const isNew = !mine || mine.leftAt !== null || singleUntil !== undefined;
      await tx
        .insert(ingestNodes)
        .values({ ...known, ...empty, name, nodeNumber })
        .onConflictDoUpdate({ target: ingestNodes.name, set: isNew ? { ...known, ...empty } : known });
      // The first node owns everything: its folder may hold ids that nobody else knows.
      const isFirst = stores.mode !== "cluster" || !cluster?.owners.length;
      const version = (cluster?.version ?? 0) + 1;
      const begun = { owners: new Array<string>(partitionCount).fill(name), materializer: null, unfinishedSince: null };
      await tx.update(ingestCluster).set({ version, ...(isFirst && begun) });
      await tx
        .update(ingestStores)
        .set({ mode: "cluster", secretProof, node: null, folder: null, host: null, process: null, heartbeatAt: null });
      return { verdict, claimed: nodeNumber };
    });
  }, log);
}
