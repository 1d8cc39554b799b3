/** Which alerts a caller sees: those of the nodes that are within its reach now, of billing only with the right to see prices. */
import { and, ne, or, type SQL, sql } from "drizzle-orm";
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
  const billing = priced ? (alertsWithin(priced.reach, tree) ?? sql`true`) : sql`false`;
  return and(alertsWithin(actor.reach, tree), or(ne(alerts.kind, "billing"), billing));
}

/** Narrows to the alerts of these nodes and all below them, as the tree is now. Undefined: all alerts. */
export function alertsWithin(tops: readonly NodeAddress[], tree: Tree): SQL | undefined {
  return rowsWithin(alerts.node, tops, tree, alerts.place);
}

/** The same for one alert. */
export function seesAlert(
  actor: Actor,
  alert: { node: NodeAddress; kind: RuleKind },
  tree: Pick<NodeTree, "isWithin">,
) {
  return (
    can(actor, "read", alert.node, tree) && (alert.kind !== "billing" || can(actor, "prices:read", alert.node, tree))
  );
}
