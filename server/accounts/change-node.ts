/** Edits of a node: what is said about it, and where it stands. Past usage stays with the parent that it had. */
import { eq, sql } from "drizzle-orm";
import { type Author, recordChange } from "../audit/record-change.ts";
import type { NodeAddress, NodeFields, NodeStatus } from "../contract/nodes.ts";
import { nodeMoves, nodeParents, nodes } from "../postgres/schema/accounts.ts";
import type { NodeTree } from "./node-tree.ts";

/** What may be edited; what is left out stays. */
export interface NodeChange {
  name?: string | undefined;
  externalId?: string | null | undefined;
  status?: NodeStatus | undefined;
  fields?: NodeFields | undefined;
  /** The caller has checked that it exists and may be one. */
  parent?: NodeAddress | undefined;
  /** When the move takes effect, ms since 1970, UTC; in the past, what was stored since follows. Default: now. */
  effectiveFromMs?: number | undefined;
}

/** What an `ETag` of a node is made of, and what the audit keeps. */
export interface NodeState {
  node: NodeAddress;
  name: string;
  externalId: string | null;
  status: NodeStatus;
  fields: NodeFields;
  parent: NodeAddress | null;
}

/** A node that does not exist changes nothing. `check` throws where the node is not what the caller saw. */
export async function changeNode(
  tree: NodeTree,
  node: NodeAddress,
  change: NodeChange,
  { by, check }: { by: Author; check: (current: NodeState) => void },
): Promise<void> {
  await tree.change(async (tx) => {
    const [row] = await tx.select().from(nodes).where(eq(nodes.node, node)).for("update");
    if (!row) return { changed: [], result: undefined };
    const { rows } = await tx.execute<{ parent: string; now_ms: string }>(sql`
      SELECT parent, extract(epoch FROM date_trunc('milliseconds', clock_timestamp())) * 1000 AS now_ms
      FROM node_parents WHERE node = ${node} AND valid_from <= clock_timestamp() ORDER BY valid_from DESC LIMIT 1`);
    const { kind: _, id: __, createdAt: ___, ...said } = row;
    const before: NodeState = { ...said, parent: rows[0]?.parent ?? null };
    check(before);
    const { parent, effectiveFromMs, ...edits } = change;
    const given = Object.fromEntries(Object.entries(edits).filter(([, value]) => value !== undefined));
    if (Object.keys(given).length > 0) await tx.update(nodes).set(given).where(eq(nodes.node, node));
    const after = { ...before, ...given };
    const isMoved = parent !== undefined && (parent !== before.parent || effectiveFromMs !== undefined);
    if (isMoved) {
      const validFrom = new Date(effectiveFromMs ?? Number(rows[0]?.now_ms ?? 0));
      // From then on this is where it stands: moves that were to follow, or did, are replaced.
      await tx
        .delete(nodeParents)
        .where(sql`${nodeParents.node} = ${node} AND ${nodeParents.validFrom} >= ${validFrom}`);
      await tx.insert(nodeParents).values({ node, parent, validFrom });
      await tx.insert(nodeMoves).values({ node, effectiveAt: validFrom });
      Object.assign(after, { parent, ...(effectiveFromMs !== undefined && { parentFrom: validFrom }) });
    }
    await recordChange(tx, {
      by,
      // Who loses the node sees that it went; who gets it sees it in the node's own history from then on.
      node: isMoved && before.parent !== null ? before.parent : node,
      action: isMoved ? "node.moved" : "node.changed",
      subject: node,
      before,
      after,
    });
    return { changed: [node], result: undefined };
  });
}
