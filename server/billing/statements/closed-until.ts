/** Up to when statements are closed. */
import { and, eq, isNull, lte, max } from "drizzle-orm";
import { nodeAddress, parseNode } from "../../contract/node-address.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { Queries } from "../../postgres/client.ts";
import { statements } from "../../postgres/schema/statements.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { listSubscriptions } from "../subscriptions.ts";
import { dueParts } from "./due-parts.ts";

/** By subscription, where the last part that has a statement ends: ms since 1970, UTC. */
export async function closedUntil(db: Queries): Promise<Map<string, number | undefined>> {
  const closed = await db
    .select({ id: statements.subscriptionId, lastTo: max(statements.partTo) })
    .from(statements)
    .where(eq(statements.kind, "subscription"))
    .groupBy(statements.subscriptionId);
  return new Map(closed.map(({ id, lastTo }) => [id, lastTo?.getTime()]));
}

/** Whether every statement about what ended by `toMs` is closed, of the node and of all below it, the node's own summary included. */
export async function areStatementsClosed(
  db: Queries,
  tree: Pick<NodeTree, "isWithin" | "pathsBetween">,
  node: NodeAddress,
  toMs: number,
): Promise<boolean> {
  const parsed = parseNode(node);
  const charged = parsed.kind === "agent" ? nodeAddress("organization", parsed.organization) : node;
  const lastTo = await closedUntil(db);
  const subscriptions = await listSubscriptions(db);
  const isOpen = subscriptions
    .filter((one) => tree.isWithin(one.node, charged))
    .some((one) => {
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
