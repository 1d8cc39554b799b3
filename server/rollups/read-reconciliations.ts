/** What reconciliation has found, newest first, page by page. */
import { and, arrayContains, desc, eq, gte, lt, or, type SQL } from "drizzle-orm";
import { z } from "zod";
import { instantKeySchema } from "../contract/cursors.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Stage } from "../contract/reconciliation.ts";
import type { Postgres } from "../postgres/client.ts";
import { reconciliations } from "../postgres/schema/reconciliation.ts";
import type { Drift } from "./reconcile-piece.ts";

export interface ReconciliationsFilter {
  /** Differences at this node or below it, as the tree was then. */
  node: NodeAddress;
  stage: Stage | undefined;
  fromMs: number | undefined;
  /** Exclusive. */
  toMs: number | undefined;
  /** Only what comes after this one in the list. */
  after: z.output<typeof reconciliationKeySchema> | undefined;
}

/** (ms since 1970, id) of an entry. */
export const reconciliationKeySchema = z.tuple([instantKeySchema, z.string()]);

export function readReconciliations(
  { db }: Postgres,
  { node, stage, fromMs, toMs, after }: ReconciliationsFilter,
  most: number,
): Promise<Drift[]> {
  const { at, id, path } = reconciliations;
  const conditions: (SQL | undefined)[] = [
    node === "all" ? undefined : arrayContains(path, [node]),
    stage && eq(reconciliations.stage, stage),
    fromMs === undefined ? undefined : gte(at, new Date(fromMs)),
    toMs === undefined ? undefined : lt(at, new Date(toMs)),
    after && or(lt(at, new Date(after[0])), and(eq(at, new Date(after[0])), lt(id, after[1]))),
  ];
  return db
    .select()
    .from(reconciliations)
    .where(and(...conditions))
    .orderBy(desc(at), desc(id))
    .limit(most);
}
