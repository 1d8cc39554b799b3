/** How full the logs of the processes that ingest are, as their heartbeats say. */
import { isNull } from "drizzle-orm";
import type { Postgres } from "../postgres/client.ts";
import { ingestNodes, ingestStores } from "../postgres/schema/ingest-nodes.ts";

/** How full the fullest log is, from 0 to 1; undefined where no process ingests. A process that is silent keeps its last value. */
export async function readBacklogShare({ db }: Pick<Postgres, "db">): Promise<number | undefined> {
  const [stores] = await db.select().from(ingestStores);
  if (stores?.mode === "single") return stores.backlogShare;
  if (stores?.mode !== "cluster") return undefined;
  const nodes = await db.select().from(ingestNodes).where(isNull(ingestNodes.leftAt));
  return nodes.length === 0 ? undefined : Math.max(...nodes.map(({ backlogShare }) => backlogShare));
}
