/** The tenant of a node: the node right below the root with all below it share the bounds between tenants. */
import type { NodeAddress } from "../contract/nodes.ts";

/** `all` for the root itself. */
export function tenantOf(
  node: NodeAddress,
  tree: { ancestors(address: NodeAddress): Iterable<NodeAddress> },
): NodeAddress {
  return [...tree.ancestors(node)].at(-2) ?? "all";
}
