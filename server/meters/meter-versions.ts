/** The versions of meters that users made, and which of several by one name a node knew at a time of the past. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { customMeters } from "../postgres/schema/meters.ts";
import type { NodeTree } from "../tree/node-tree.ts";

export type MeterVersion = typeof customMeters.$inferSelect;
/** The versions of one meter, newest first. */
export type Versions = readonly [MeterVersion, ...MeterVersion[]];

/**
 * Among the meters of one name, the nearest at the node or above it as it stood at `atMs` (ms since 1970, UTC) with a version
 * that is effective by then: one in use then before one retired by then, and these before one that was made later. Where there
 * was none, as it stood before: a name that once meant a meter always means one. A former owner of the node changes nothing by
 * what they make since.
 */
export function versionsOnRecord(
  owned: readonly Versions[],
  tree: Pick<NodeTree, "pathsBetween">,
  node: NodeAddress,
  atMs: number,
): Versions | undefined {
  if (owned.length === 0) return undefined;
  const stood = tree.pathsBetween(node, 0, Date.now());
  const versionsOf = new Map(owned.map((versions) => [versions[0].node, versions]));
  const lastBelow = new Map(stood.flatMap((span) => span.path.map((place) => [place, span] as const)));
  const known = (place: NodeAddress): Versions | undefined => {
    const versions = versionsOf.get(place);
    const until = lastBelow.get(place);
    const bounded = versions && (until === stood.at(-1) ? versions : madeBefore(versions, until?.toMs ?? 0));
    return bounded?.some((one) => one.effectiveFrom === null || one.effectiveFrom.getTime() < atMs)
      ? bounded
      : undefined;
  };
  for (const { path } of stood.filter(({ fromMs }) => fromMs < atMs).reverse()) {
    const found = path.flatMap((place) => {
      const versions = known(place);
      return versions ? [versions] : [];
    });
    const made = found.filter((versions) => (versions.at(-1)?.createdAt.getTime() ?? 0) < atMs);
    const isInUse = ([{ retiredAt }]: Versions) => retiredAt === null || retiredAt.getTime() >= atMs;
    const answering = made.find(isInUse) ?? made[0] ?? found.find(isInUse) ?? found[0];
    if (answering) return answering;
  }
  return undefined;
}

/** The first one at least, which the node's plans may still name. */
function madeBefore(versions: Versions, ms: number): Versions {
  const [newest = versions.at(-1) ?? versions[0], ...older] = versions.filter(
    ({ createdAt }) => createdAt.getTime() < ms,
  );
  return [newest, ...older];
}
