/** The organizations that a request makes by naming them, and the tree with them in it. */
import { nodeAddress } from "../../contract/node-address.ts";
import { isAddressable } from "../../contract/text.ts";
import type { CheckedEvents } from "./accept-events.ts";
import { namesOf, type RequestEvents } from "./request-events.ts";
import type { OrganizationTree, SendingKey } from "./sending-key.ts";

/**
 * The organizations that the request names, that do not exist and that this key may make below its node. Also those of
 * events that are rejected: else nobody but the sender would find a first batch that is wrong in quarantine.
 */
export function organizationsToCreate(
  request: RequestEvents,
  checked: CheckedEvents,
  sendingKey: SendingKey,
  tree: OrganizationTree,
): string[] {
  if (!sendingKey.createOrganizations || !mayHoldOrganizations(sendingKey.node)) return [];
  const unknown = new Set<string>();
  const note = (organization: string) => {
    if (!unknown.has(organization) && !tree.get(nodeAddress("organization", organization))) unknown.add(organization);
  };
  for (const { organization } of checked.readable) note(organization);
  for (const { index } of checked.faults) {
    const { organization } = namesOf(request.events[index]);
    if (organization !== "" && isAddressable(organization)) note(organization);
  }
  return [...unknown];
}

/** The tree as it would be with these organizations right below the key's node. */
export function withOrganizations(
  tree: OrganizationTree,
  organizations: readonly string[],
  sendingKey: SendingKey,
): OrganizationTree {
  if (organizations.length === 0) return tree;
  const made = new Set(organizations.map((organization) => nodeAddress("organization", organization)));
  const standIn = (address: string) => (made.has(address) ? sendingKey.node : address);
  return {
    get: (address) => tree.get(address) ?? (made.has(address) ? address : undefined),
    isWithin: (address, ancestor) =>
      (made.has(address) && ancestor === sendingKey.node) || tree.isWithin(standIn(address), ancestor),
    ancestors: (address) => tree.ancestors(standIn(address)),
    effectiveStatus: (address) => tree.effectiveStatus(standIn(address)),
    pathAt: (organization, timeMs) => tree.pathAt(organization, timeMs),
  };
}

function mayHoldOrganizations(node: string): boolean {
  return node === "all" || node.startsWith("partner:") || node.startsWith("reseller:");
}
