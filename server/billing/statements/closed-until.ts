/** Up to when statements are closed. */
import { and, eq, isNull, lte, max, sql } from "drizzle-orm";
import { nodeAddress, parseNode } from "../../contract/node-address.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { Queries } from "../../postgres/client.ts";
import { statements } from "../../postgres/schema/statements.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { listSubscriptionsBelow } from "../subscriptions.ts";
import { dueParts } from "./due-parts.ts";

/** By subscription, of these or of all, where the last part that has a statement ends: ms since 1970, UTC. */
export async function closedUntil(
  db: Queries,
  subscriptions?: readonly string[],
): Promise<Map<string, number | undefined>> {
  const which = subscriptions && sql`${statements.subscriptionId} = ANY(${sql.param(subscriptions)}::text[])`;
  const closed = await db
    .select({ id: statements.subscriptionId, lastTo: max(statements.partTo) })
    .from(statements)
    .where(and(eq(statements.kind, "subscription"), which))
    .groupBy(statements.subscriptionId);
  return new Map(closed.map(({ id, lastTo }) => [id, lastTo?.getTime()]));
}

/** Whether every statement about what ended by `toMs` is closed, of the node and of all below it, the node's own summary included. */
export async function areStatementsClosed(
  db: Queries,
  tree: Pick<NodeTree, "children" | "pathsBetween">,
  node: NodeAddress,
  toMs: number,
): Promise<boolean> {
  const parsed = parseNode(node);
  const charged = parsed.kind === "agent" ? nodeAddress("organization", parsed.organization) : node;
  const subscriptions = await listSubscriptionsBelow(db, tree, [charged]);
  const lastTo = await closedUntil(
    db,
    subscriptions.map(({ id }) => id),
  );
  const isOpen = subscriptions.some((one) => {
    const paths = (fromMs: number, untilMs: number) => tree.pathsBetween(one.node, fromMs, untilMs);
    return !dueParts(one, lastTo.get(one.id), toMs, paths).next().done;
  });
  if (isOpen) return false;
  const [unsummed] = await db
    .select({ id: statements.id })
    .from(statements)
    .where(and(eq(statements.claimant, node), isNull(statements.summaryId), lte(statements.partTo, new Date(toMs))))
    .limit(1);
  return unsummed === undefined;
}
