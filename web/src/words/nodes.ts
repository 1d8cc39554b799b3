/** Nodes of the account tree in words, and where their pages are. */
import { parseNode } from "@contract/node-address.ts";
import type { NodeStatus } from "@contract/nodes.ts";

export const nodeStatusTones: Record<NodeStatus, "neutral" | "good" | "warn" | "bad"> = {
  trial: "warn",
  active: "good",
  suspended: "bad",
  cancelled: "neutral",
};
export const nodeStatuses = Object.keys(nodeStatusTones) as NodeStatus[];

/** An organization has a page of its own; resellers and partners lead to the overview of their customers, agents to their usage. */
export function pageOf(node: string): string {
  if (node === "all") return "/overview";
  if (node.startsWith("organization:")) return `/organizations/${encodeURIComponent(parseNode(node).id)}`;
  return `${node.startsWith("agent:") ? "/usage" : "/overview"}?${new URLSearchParams({ node })}`;
}
