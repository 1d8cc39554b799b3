/** Which node a request is about. One rule for HTTP and sockets: what lies outside the caller's subtree is never told. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { Actor } from "./actor.ts";
import type { NodeTree } from "./node-tree.ts";

export type NodeAccess =
  | { node: NodeAddress }
  | { refused: "forbidden"; detail: string }
  | { refused: "not_found"; detail: string };

/**
 * The requested node, by default the caller's own. Outside the caller's subtree the answer is `forbidden`, whether the
 * node exists or not; a node that could only stand inside and does not exist is `not_found`.
 */
export function accessNode(actor: Pick<Actor, "node">, tree: NodeTree, requested?: NodeAddress | null): NodeAccess {
  if (requested === undefined || requested === null) return { node: actor.node };
  if (!tree.isWithin(requested, actor.node))
    return { refused: "forbidden", detail: `${requested} is not within ${actor.node}` };
  if (!tree.get(requested)) return { refused: "not_found", detail: `there is no node ${requested}` };
  return { node: requested };
}
