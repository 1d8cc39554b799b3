/** Which rows of a table are of some nodes and of what stands below them: so that a list reads no other tenants' rows. */
import { inArray, or, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import { placeOf } from "../postgres/schema/place-of.ts";
import type { NodeTree } from "./node-tree.ts";

/**
 * Narrows a statement to the rows whose `node` is one of `tops` or stands below one, as the tree is now. Undefined: all rows.
 * `place`: where the table keeps it, the node, or of an agent its organization.
 */
export function rowsWithin(
  node: SQLWrapper,
  tops: readonly NodeAddress[],
  tree: Pick<NodeTree, "children">,
  place: SQLWrapper = placeOf(node),
): SQL | undefined {
  if (tops.includes("all")) return undefined;
  // Agents are not in the tree.
  const agents = tops.filter((top) => top.startsWith("agent:"));
  const places = withAllBelow(
    tops.filter((top) => !agents.includes(top)),
    tree,
  );
  const ofPlaces = sql`${place} = ANY(${sql.param(places)}::text[])`;
  return agents.length === 0 ? ofPlaces : or(ofPlaces, inArray(node, agents));
}

/** Agents, which are not in the tree, are left out. */
export function withAllBelow(tops: readonly NodeAddress[], tree: Pick<NodeTree, "children">): NodeAddress[] {
  const found = new Set(tops);
  for (const node of found) for (const child of tree.children(node)) found.add(child.node);
  return [...found];
}
