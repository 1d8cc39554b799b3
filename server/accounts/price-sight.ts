/** Which prices a caller sees: those that its own level pays and all below, and only with the right to see prices there. */
import type { NodeAddress } from "../contract/nodes.ts";
import { parseNode } from "../contract/nodes.ts";
import { type PriceLevel, priceLevels } from "../contract/plans.ts";
import type { Actor } from "./actor.ts";
import type { NodeTree } from "./node-tree.ts";

/**
 * Of prices that concern `node`: its own subscription, statement or plan. What stands above the caller's own node is
 * another's business: an organization does not see what its reseller pays, a reseller not what its partner does.
 */
export function visibleLevels(
  actor: Pick<Actor, "grants">,
  node: NodeAddress,
  tree: Pick<NodeTree, "isWithin">,
): ReadonlySet<PriceLevel> {
  const tops = actor.grants
    .filter(
      (grant) =>
        grant.actions.has("prices:read") && (tree.isWithin(node, grant.node) || tree.isWithin(grant.node, node)),
    )
    .map((grant) => highestLevel(grant.node));
  return new Set(priceLevels.slice(0, Math.max(0, ...tops)));
}

/** How many of the levels, from the organization's up, belong to a node. */
export function highestLevel(node: NodeAddress): number {
  const { kind } = parseNode(node);
  if (kind === "all" || kind === "partner") return 3;
  return kind === "reseller" ? 2 : 1;
}
