/** Nodes of the account tree in words, and where their pages are. */
import { addressOf, type NodeKind, nodeAddress, parseNode } from "@contract/node-address.ts";
import type { NodeStatus } from "@contract/nodes.ts";
import { nodeWordsTexts as t } from "../texts/en/node-words.ts";

export const nodeStatusTones: Record<NodeStatus, "neutral" | "good" | "warn" | "bad"> = {
  trial: "warn",
  active: "good",
  suspended: "bad",
  cancelled: "neutral",
};
export const nodeStatuses = Object.keys(nodeStatusTones) as NodeStatus[];

type AnyKind = NodeKind | "all";

export const kindNames: Record<AnyKind, string> = t.kinds;

/** What a node is, and which: below its name, which another may have too. */
export function kindAndId(address: string): string {
  const { kind, id } = parseNode(address);
  return kind === "all" ? kindNames.all : `${kindNames[kind]} ${id}`;
}

/** Organizations stand in their list, everything else in the account tree. */
export function pageOf(node: string): string {
  if (node.startsWith("organization:")) return `/organizations/${encodeURIComponent(parseNode(node).id)}`;
  return `/tree/${encodeURIComponent(node).replaceAll("%3A", ":")}`;
}

/** Whose page stands at the path with these parts; undefined where the path names no node. */
export function nodeOfPath(organization: string, node: string): string | undefined {
  if (organization !== "") return nodeAddress("organization", organization);
  try {
    return addressOf(parseNode(node));
  } catch {
    return undefined;
  }
}

/** Whether organizations stand below it, not only agents. */
export const hasCustomers = (kind: AnyKind): boolean => kind !== "organization" && kind !== "agent";

const nodeTabs = [
  "overview",
  "customers",
  "people",
  "sessions",
  "features",
  "documents",
  "subscription",
  "statements",
  "alerts",
  "reports",
] as const;
export type NodeTab = (typeof nodeTabs)[number];

/** What a node's page shows. An agent is billed with its organization; customers are of those above organizations. */
export function tabsOf(kind: AnyKind): { id: NodeTab; label: string }[] {
  const left: readonly NodeTab[] =
    kind === "agent" ? ["customers", "subscription", "statements"] : hasCustomers(kind) ? [] : ["customers"];
  return nodeTabs
    .filter((id) => !left.includes(id))
    .map((id) => ({ id, label: id === "subscription" && hasCustomers(kind) ? t.subscriptions : t.tabs[id] }));
}
