/** A node of the account tree as the rest of the server sees it, and one that is to be made. */
import { isDeepStrictEqual } from "node:util";
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

export type GivenNode = Pick<NewNode, "parent" | "externalId" | "status" | "fields"> & { name?: string | undefined };

/** Whether the node is what is wanted: where a name, an id of others, a status or fields are not given, any will do. */
export function isSameNode(node: NodeRecord, { parent, name, externalId, status, fields }: GivenNode): boolean {
  return (
    node.parent === parent &&
    (name === undefined || node.name === name) &&
    (externalId === undefined || node.externalId === externalId) &&
    (status === undefined || node.status === status) &&
    (fields === undefined || isDeepStrictEqual(node.fields, fields))
  );
}

/** Whether a node of `child` kind may stand right below one of `parent` kind: any depth may be skipped, none reversed. */
export function mayStandBelow(child: NodeKind, parent: NodeKind | "all"): boolean {
  return parent === "all" || nodeKinds.indexOf(child) > nodeKinds.indexOf(parent);
}

export function addressOf({ kind, id }: Pick<NewNode, "kind" | "id">): NodeAddress {
  return nodeAddress(kind, id);
}
