/** Nodes of the account tree in words, and where their pages are. */
import type { NodeStatus } from "@contract/nodes.ts";

export const nodeStatusTones: Record<NodeStatus, "neutral" | "good" | "warn" | "bad"> = {
  trial: "warn",
  active: "good",
  suspended: "bad",
  cancelled: "neutral",
};
export const nodeStatuses = Object.keys(nodeStatusTones) as NodeStatus[];

/** Of an organization its own page, of all others the figures of this period. */
export function pageOf(node: string): string {
  return node.startsWith("organization:")
    ? `/organizations/${encodeURIComponent(node.slice("organization:".length))}`
    : `/period?${new URLSearchParams({ node })}`;
}
