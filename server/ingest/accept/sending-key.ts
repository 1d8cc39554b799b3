/** The key that sends, and the organizations of the tree that it may see and write to. */
import { nodeAddress, parseNode } from "../../contract/node-address.ts";
import type { Fault } from "./event-gate.ts";
import { escapeColumn } from "./event-row.ts";

/** The API key that sends. */
export interface SendingKey {
  id: string;
  /** Address of the node whose subtree the key may write to. */
  node: string;
  createOrganizations: boolean;
}

/** What accepting needs of the account tree. */
export interface OrganizationTree {
  get(address: string): unknown;
  isWithin(address: string, ancestor: string): boolean;
  /** The node itself and all above it. */
  ancestors(address: string): Iterable<string>;
  /** The strictest status of a node and of what stands above it. */
  effectiveStatus(address: string): string | undefined;
  /** Undefined for an organization that is not in the tree. */
  pathAt(organization: string, timeMs: number): { partner: string; reseller: string } | undefined;
}

/** Whether the organization exists and is within the key's subtree, or is the one that the key's agent belongs to. */
export function isVisible(organization: string, sendingKey: SendingKey, tree: OrganizationTree): boolean {
  const address = nodeAddress("organization", organization);
  if (!tree.get(address)) return false;
  const owner = parseNode(sendingKey.node);
  return owner.kind === "agent" ? owner.organization === organization : tree.isWithin(address, sendingKey.node);
}

/** Below the root an organization that does not exist and one of others are refused alike, so that neither is revealed. */
export function admissible(
  organization: string,
  sendingKey: SendingKey,
  tree: OrganizationTree,
): Fault | { organization: string } {
  if (isVisible(organization, sendingKey, tree)) return { organization: escapeColumn(organization) };
  const message = "there is no such organization, and this key may not create it";
  if (sendingKey.node === "all" && !tree.get(nodeAddress("organization", organization)))
    return { code: "unknown_organization", field: "organization", message };
  return {
    code: "outside_subtree",
    field: "organization",
    message: `this organization is not within ${sendingKey.node}`,
  };
}
