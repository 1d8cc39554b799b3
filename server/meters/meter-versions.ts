/** The versions of meters that users made, and which of several by one name a node knew at a time of the past. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { customMeters } from "../postgres/schema/meters.ts";
import type { NodeTree } from "../tree/node-tree.ts";

export type MeterVersion = typeof customMeters.$inferSelect;
/** The versions of one meter, newest first. */
export type Versions = readonly [MeterVersion, ...MeterVersion[]];

/**
 * Among the meters of one name, the nearest at the node or above it as it stood at `atMs` (ms since 1970, UTC), one in use then before
 * one retired by then; where there was none, as it stood before: what once named a meter never names nothing.
 */
export function versionsOnRecord(
  owned: readonly Versions[],
  tree: Pick<NodeTree, "pathsBetween">,
  node: NodeAddress,
  atMs: number,
): Versions | undefined {
  if (owned.length === 0) return undefined;
  const isRetired = ([{ retiredAt }]: Versions) => retiredAt !== null && retiredAt.getTime() < atMs;
  const stood = tree.pathsBetween(node, 0, Math.min(atMs, Date.now())).map(({ path }) => path);
  for (const path of stood.reverse()) {
    const known = path.flatMap((place) => owned.filter(([newest]) => newest.node === place));
    const found = known.find((one) => !isRetired(one)) ?? known[0];
    if (found) return found;
  }
  return undefined;
}
