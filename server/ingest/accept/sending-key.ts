/** Who sends, and the organizations of the tree that they may see and write to. */
import { nodeAddress, parseNode } from "../../contract/node-address.ts";
import type { Fault } from "./event-gate.ts";
import { escapeColumn } from "./event-row.ts";

/** The API key that sends, or the person. */
export interface SendingKey {
  id: string;
  /** Address of the node whose subtree the key may write to; what it makes stands right below. */
  node: string;
  /** Further ones, of a person who may send at several: those of agents come last. */
  alsoAt?: readonly string[] | undefined;
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

/** Every node whose subtree the sender may write to. */
const reachOf = ({ node, alsoAt = [] }: SendingKey): readonly string[] => [node, ...alsoAt];

/** Whether the organization exists and is within the sender's subtrees, or is one that an agent of theirs belongs to. */
export function isVisible(organization: string, sendingKey: SendingKey, tree: OrganizationTree): boolean {
  const address = nodeAddress("organization", organization);
  if (!tree.get(address)) return false;
  return reachOf(sendingKey).some((node) => {
    const owner = parseNode(node);
    return owner.kind === "agent" ? owner.organization === organization : tree.isWithin(address, node);
  });
}

/** The agents of the organization for whom alone the sender may write; undefined: for all of it. It must be visible. */
export function agentsWrittenFor(
  organization: string,
  sendingKey: SendingKey,
  tree: OrganizationTree,
): readonly string[] | undefined {
  const address = nodeAddress("organization", organization);
  const agents: string[] = [];
  for (const node of reachOf(sendingKey)) {
    const owner = parseNode(node);
    if (owner.kind !== "agent") {
      if (tree.isWithin(address, node)) return undefined;
    } else if (owner.organization === organization) agents.push(owner.agent);
  }
  return agents;
}

/** Below the root an organization that does not exist and one of others are refused alike, so that neither is revealed. */
export function admissible(
  organization: string,
  sendingKey: SendingKey,
  tree: OrganizationTree,
): Fault | { organization: string; agents: readonly string[] | undefined } {
  if (isVisible(organization, sendingKey, tree))
    return { organization: escapeColumn(organization), agents: agentsWrittenFor(organization, sendingKey, tree) };
  const message = "this organization does not exist, and this key cannot create it";
  if (sendingKey.node === "all" && !tree.get(nodeAddress("organization", organization)))
    return { code: "unknown_organization", field: "organization", message };
  return {
    code: "outside_subtree",
    field: "organization",
    message: `this organization is not within ${reachOf(sendingKey).join(" or ")}`,
  };
}
