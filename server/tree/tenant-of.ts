/** Who share among themselves what is shared between tenants: all below one node right below the root. */
import type { NodeAddress } from "../contract/nodes.ts";

/** `all` for the root itself. */
export function tenantOf(
  node: NodeAddress,
  tree: { ancestors(address: NodeAddress): Iterable<NodeAddress> },
): NodeAddress {
  return [...tree.ancestors(node)].at(-2) ?? "all";
}
