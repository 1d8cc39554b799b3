/** Whose the outcomes of events are counted as. */
import { parseNode } from "../../contract/node-address.ts";
import type { OutcomeOwner } from "./event-outcomes.ts";
import { agentsWrittenFor, type OrganizationTree, type SendingKey } from "./sending-key.ts";

/** An organization that the key may see, with what stands above it at that time; of several agents the first counts them. */
export function outcomeOwner(
  organization: string,
  sendingKey: SendingKey,
  tree: OrganizationTree,
  timeMs: number,
): OutcomeOwner {
  const path = tree.pathAt(organization, timeMs);
  const [agent = ""] = agentsWrittenFor(organization, sendingKey, tree) ?? [];
  return { organization, partner: path?.partner ?? "", reseller: path?.reseller ?? "", agent };
}

/** Where events are counted that name no organization the key may see: at the key's own node. */
export function outcomeOwnerOfKey(sendingKey: SendingKey, tree: OrganizationTree, timeMs: number): OutcomeOwner {
  const owner = parseNode(sendingKey.node);
  if (owner.kind === "agent") return outcomeOwner(owner.organization, sendingKey, tree, timeMs);
  if (owner.kind === "organization") return outcomeOwner(owner.id, sendingKey, tree, timeMs);
  const above = { organization: "", partner: "", reseller: "", agent: "" };
  for (const address of tree.ancestors(sendingKey.node)) {
    const { kind, id } = parseNode(address);
    if (kind === "partner" || kind === "reseller") above[kind] = id;
  }
  return above;
}
