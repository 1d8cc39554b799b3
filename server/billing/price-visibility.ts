/** Which prices a caller sees: those that its own level pays and all below, and only with the right to see prices there. */

import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { type PlanTerms, type PriceLevel, priceLevels } from "../contract/plans.ts";
import type { Actor } from "../identity/actor.ts";
import type { NodeTree } from "../tree/node-tree.ts";

/**
 * The levels whose prices the caller sees in what concerns `node`: its subscription, statement or plan. What stands above the
 * caller's own node is another's business: an organization does not see what its reseller pays, a reseller not what its
 * partner does.
 */
export function visibleLevels(
  actor: Pick<Actor, "grants">,
  node: NodeAddress,
  tree: Pick<NodeTree, "isWithin">,
): ReadonlySet<PriceLevel> {
  const tops = actor.grants
    .filter(
      (grant) =>
        grant.actions.has("prices:read") && (tree.isWithin(node, grant.node) || tree.isWithin(grant.node, node)),
    )
    .map((grant) => grant.node);
  return levelsFrom(tops);
}

/** Those of the highest of these nodes and all below. */
const levelsFrom = (nodes: readonly NodeAddress[]): ReadonlySet<PriceLevel> =>
  new Set(priceLevels.slice(0, Math.max(0, ...nodes.map(highestLevel))));

/** How many of the levels, from the organization's up, belong to a node. */
export function highestLevel(node: NodeAddress): number {
  const { kind } = parseNode(node);
  if (kind === "all" || kind === "partner") return 3;
  return kind === "reseller" ? 2 : 1;
}

/**
 * The same for what is on record, such as a statement: a level and those above it know what it pays, as the tree was when it
 * was recorded (`path`: its node and all above it).
 */
export function visibleLevelsOnRecord(
  actor: Pick<Actor, "grants">,
  { path }: { path: readonly NodeAddress[] },
): ReadonlySet<PriceLevel> {
  const tops = actor.grants
    .filter(({ node, actions }) => actions.has("prices:read") && path.includes(node))
    .map(({ node }) => node);
  return levelsFrom(tops);
}

/** Whether all of these levels are visible for a time at which a node stood at a path. */
export function seesOnRecord(
  actor: Pick<Actor, "grants">,
  levels: Iterable<PriceLevel>,
): (path: readonly NodeAddress[]) => boolean {
  return (path) => {
    const seenThen = visibleLevelsOnRecord(actor, { path });
    return [...levels].every((level) => seenThen.has(level));
  };
}

/** The terms with the prices of these levels alone. */
export function visibleTerms(terms: PlanTerms, levels: ReadonlySet<PriceLevel>): PlanTerms {
  return {
    ...terms,
    fixed_fee: only(terms.fixed_fee, levels),
    features: terms.features.map((feature) => ({ ...feature, prices: only(feature.prices, levels) })),
  };
}

function only<T>(
  prices: Partial<Record<PriceLevel, T>>,
  levels: ReadonlySet<PriceLevel>,
): Partial<Record<PriceLevel, T>> {
  const shown = Object.entries(prices).filter(([level]) => levels.has(level as PriceLevel));
  return Object.fromEntries(shown) as Partial<Record<PriceLevel, T>>;
}
