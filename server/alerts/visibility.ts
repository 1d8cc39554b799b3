/**
 * Which alerts a caller sees: those of the nodes that are within its reach now; for billing, those of bills that were made below
 * its reach, given the right to see prices there. A later owner of a node learns nothing of its earlier bills, and a former owner
 * nothing of later ones.
 */
import { and, arrayOverlaps, eq, ne, or, type SQL, sql } from "drizzle-orm";
import type { Action } from "../contract/accounts.ts";
import { nodeAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { RuleKind } from "../contract/rules.ts";
import type { Actor } from "../identity/actor.ts";
import { can, narrowTo } from "../identity/permissions.ts";
import { alerts } from "../postgres/schema/alerts.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { rowsWithin } from "../tree/rows-within.ts";

type Tree = Pick<NodeTree, "children" | "isWithin">;

export const isAgent = (node: NodeAddress) => node.startsWith("agent:");

/** The node itself, or the organization of an agent: agents are not in the tree. */
export function nodeWithoutAgent(node: NodeAddress): NodeAddress {
  const parsed = parseNode(node);
  return parsed.kind === "agent" ? nodeAddress("organization", parsed.organization) : node;
}

/** Narrows a statement about `alerts` to what the actor may see. */
export function visibleAlerts(actor: Actor, tree: Tree): SQL | undefined {
  const priced = narrowTo(actor, "prices:read");
  const isPriced = priced ? ownedBy(priced.reach) : sql`false`;
  return and(alertsWithin(actor.reach, tree), or(ne(alerts.kind, "billing"), isPriced ?? sql`true`));
}

/** Narrows to the alerts of these nodes and all below them, as the tree is now, of bills as it was then. Undefined: all alerts. */
export function alertsWithin(tops: readonly NodeAddress[], tree: Tree): SQL | undefined {
  const [within, owned] = [rowsWithin(alerts.node, tops, tree, alerts.place), ownedBy(tops)];
  return within && owned && or(and(ne(alerts.kind, "billing"), within), and(eq(alerts.kind, "billing"), owned));
}

const ownedBy = (tops: readonly NodeAddress[]): SQL | undefined =>
  tops.includes("all") ? undefined : tops.length === 0 ? sql`false` : arrayOverlaps(alerts.owners, [...tops]);

/** The same for one alert. */
export function seesAlert(
  actor: Actor,
  { node, kind, owners }: { node: NodeAddress; kind: RuleKind; owners: readonly NodeAddress[] | null },
  tree: Pick<NodeTree, "isWithin">,
): boolean {
  if (kind !== "billing") return can(actor, "read", node, tree);
  const may = (action: Action) =>
    actor.grants.some((grant) => grant.actions.has(action) && isOwnedBy({ node, owners }, grant.node, tree));
  return may("read") && may("prices:read");
}

/** Whether the alert is of the node or below it: now, or where it has owners among them. */
export function isOwnedBy(
  { node, owners }: { node: NodeAddress; owners: readonly NodeAddress[] | null },
  top: NodeAddress,
  tree: Pick<NodeTree, "isWithin">,
): boolean {
  return top === "all" || (owners ? owners.includes(top) : tree.isWithin(node, top));
}
