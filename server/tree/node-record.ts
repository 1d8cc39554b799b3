/** A node of the account tree as the rest of the server sees it, and one that is to be made. */
import { type NodeKind, nodeAddress, nodeKinds } from "../contract/node-address.ts";
import type { NodeAddress, NodeFields, NodeStatus } from "../contract/nodes.ts";

export interface NodeRecord {
  node: NodeAddress;
  kind: NodeKind | "all";
  id: string;
  name: string;
  /** Now; null for the root. */
  parent: NodeAddress | null;
  externalId: string | null;
  status: NodeStatus;
  fields: NodeFields;
  createdAt: Date;
}

export interface NewNode {
  kind: "partner" | "reseller" | "organization";
  id: string;
  name: string;
  parent: NodeAddress;
  externalId?: string | null | undefined;
  status?: NodeStatus | undefined;
  fields?: NodeFields | undefined;
}

/** Whether a node of `child` kind may stand right below one of `parent` kind: any depth may be skipped, none reversed. */
export function mayStandBelow(child: NodeKind, parent: NodeKind | "all"): boolean {
  return parent === "all" || nodeKinds.indexOf(child) > nodeKinds.indexOf(parent);
}

export function addressOf({ kind, id }: Pick<NewNode, "kind" | "id">): NodeAddress {
  return nodeAddress(kind, id);
}
