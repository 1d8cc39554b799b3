/**
 * A node's address in the account tree: `all`, or `kind:id`; an agent's id is `organization/agent`. `/` and `%` inside an id are
 * percent-encoded, so that every id there is can be addressed. Pure: the dashboard makes its links with it.
 */

/** From the top of the tree down; a parent's kind stands before its child's, any depth may be skipped. */
export const nodeKinds = ["partner", "reseller", "organization", "agent"] as const;
export type NodeKind = (typeof nodeKinds)[number];

export type ParsedNode =
  | { kind: "all"; id: "" }
  | { kind: "partner" | "reseller" | "organization"; id: string }
  | { kind: "agent"; id: string; organization: string; agent: string };

/** The address of a node by its own id. Two nodes never share one, whatever characters their ids have. */
export function nodeAddress(kind: Exclude<NodeKind, "agent">, id: string): string {
  return `${kind}:${encodeId(id)}`;
}

export function agentAddress(organization: string, agent: string): string {
  return `agent:${encodeId(organization)}/${encodeId(agent)}`;
}

/** The address that `parseNode` took apart, in its one form. */
export function addressOf(node: ParsedNode): string {
  if (node.kind === "all") return "all";
  return node.kind === "agent" ? agentAddress(node.organization, node.agent) : nodeAddress(node.kind, node.id);
}

/**
 * Splits an address that `nodeAddressSchema` accepts, its ids decoded; throws on any other. A `/` or `%` that was not encoded
 * stands for itself where that leaves one meaning.
 */
export function parseNode(address: string): ParsedNode {
  if (address === "all") return { kind: "all", id: "" };
  const colon = address.indexOf(":");
  const kind = address.slice(0, colon) as NodeKind;
  const id = address.slice(colon + 1);
  if (colon < 0 || !nodeKinds.includes(kind) || id === "") throw new Error(`not a node address: ${address}`);
  if (kind !== "agent") return { kind, id: decodeId(id) };
  const slash = id.indexOf("/");
  if (slash < 1 || slash === id.length - 1)
    throw new Error(`an agent's address is agent:organization/agent, not ${address}`);
  return { kind, id, organization: decodeId(id.slice(0, slash)), agent: decodeId(id.slice(slash + 1)) };
}

function encodeId(id: string): string {
  return /[%/]/.test(id) ? id.replaceAll("%", "%25").replaceAll("/", "%2F") : id;
}

function decodeId(text: string): string {
  return text.includes("%") ? text.replace(/%(2F|25)/gi, (_, code: string) => (code === "25" ? "%" : "/")) : text;
}
