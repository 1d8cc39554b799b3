/** Nodes of which something was stored or changed, in this process or another: who holds figures of them is called at once. */
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { NodesInMemory } from "./nodes-in-memory.ts";

type Follower = (nodes: Iterable<NodeAddress>) => void;

export class ChangedNodes {
  readonly #followers: Follower[] = [];

  follow(follower: Follower): void {
    this.#followers.push(follower);
  }

  announce(nodes: Iterable<NodeAddress>): void {
    for (const follower of this.#followers) follower(nodes);
  }
}

/** The organizations with new events and all that stand or ever stood above them, and the nodes whose levels may have changed. */
export function nodesAround(
  tree: Pick<NodesInMemory, "everAbove">,
  organizations: ReadonlySet<string>,
  levels: ReadonlySet<NodeAddress>,
): Set<NodeAddress> {
  const nodes = new Set(levels);
  for (const organization of organizations)
    for (const node of tree.everAbove(nodeAddress("organization", organization))) nodes.add(node);
  return nodes;
}
