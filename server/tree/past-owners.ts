/**
 * The past of a node belongs to those that had it then. Whoever changes it needs a right that reached the node at each instant
 * concerned; a right that came with a later move does not reach back.
 */
import { nodeAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { NodeTree } from "./node-tree.ts";

type Paths = Pick<NodeTree, "pathsBetween">;

/** The nodes where a caller may change what happened, as of `nowMs` (ms since 1970, UTC). */
export interface PastRights {
  tree: Paths;
  reach: readonly NodeAddress[];
  nowMs: number;
}

/** Paths as `PathSpan` has them: the node itself, then everything above it. */
export interface MovedPath {
  before: NodeAddress[];
  after: NodeAddress[];
}

/** Whether the node was one of `reach`, or stood below one, all the time (ms since 1970, UTC, both included). */
export function stoodWithin(
  tree: Paths,
  reach: readonly NodeAddress[],
  node: NodeAddress,
  fromMs: number,
  toMs: number,
): boolean {
  return tree.pathsBetween(node, fromMs, toMs + 1).every(({ path }) => path.some((one) => reach.includes(one)));
}

/** Whether a node was within the reader's reach at an instant: who did something there before is hidden from whoever came later. */
export type WasWithin = (node: NodeAddress, at: Date) => boolean;

export function wasWithin(tree: Paths, reach: readonly NodeAddress[]): WasWithin {
  return (node, at) => reach.includes(node) || stoodWithin(tree, reach, placeOf(node), at.getTime(), at.getTime());
}

/** Those parts of a span (ms since 1970, UTC, half-open) in which the node was one of `reach`, or stood below one, in order. */
export function spansWithin(
  tree: Paths,
  reach: readonly NodeAddress[],
  node: NodeAddress,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): { fromMs: number; toMs: number }[] {
  if (reach.includes(node)) return [{ fromMs, toMs }];
  return tree
    .pathsBetween(placeOf(node), fromMs, toMs)
    .filter(({ path }) => path.some((one) => reach.includes(one)))
    .map((span) => ({ fromMs: span.fromMs, toMs: span.toMs }));
}

/** The node whose place in the tree is this one's: an agent stands where its organization does, and never moves. */
export function placeOf(node: NodeAddress): NodeAddress {
  const parsed = parseNode(node);
  return parsed.kind === "agent" ? nodeAddress("organization", parsed.organization) : node;
}

/** In place of a name that is not the reader's to know. */
export const nameOfOthers = "somebody else";

/** Since when, from `fromMs` on, one of `reach` stood above the node without a break until `toMs`; `toMs` where none did then. */
export function sinceWhenBelow(
  { tree, reach }: Pick<PastRights, "tree" | "reach">,
  node: NodeAddress,
  fromMs: number,
  toMs: number,
): number {
  const paths = tree.pathsBetween(node, fromMs, toMs + 1);
  const other = paths.findLastIndex(({ path }) => !path.slice(1).some((one) => reach.includes(one)));
  return Math.min(toMs, paths[other + 1]?.fromMs ?? toMs);
}

/** The node and all that stood above it at some time of the span (both ends included): the owners of its usage of that time. */
export function ownersWithin(tree: Paths, node: NodeAddress, fromMs: number, toMs: number): NodeAddress[] {
  return [...new Set(tree.pathsBetween(node, fromMs, toMs + 1).flatMap(({ path }) => path))];
}

/**
 * Where a node stood and where it is to have stood in a span (ms since 1970, UTC, half-open). `placements` has its parents in order
 * of time, the first since ever.
 */
export function movedPaths(
  tree: Paths,
  placements: readonly { parent: NodeAddress; from: Date }[],
  { node, parent, fromMs, toMs }: { node: NodeAddress; parent: NodeAddress; fromMs: number; toMs: number },
): MovedPath[] {
  const paths: MovedPath[] = [];
  for (const [index, placement] of placements.entries()) {
    const startMs = index === 0 ? fromMs : Math.max(fromMs, placement.from.getTime());
    const endMs = Math.min(toMs, placements[index + 1]?.from.getTime() ?? toMs);
    for (const old of tree.pathsBetween(placement.parent, startMs, endMs))
      for (const young of tree.pathsBetween(parent, old.fromMs, old.toMs))
        paths.push({ before: [node, ...old.path], after: [node, ...young.path] });
  }
  return paths;
}

/** Whether some node of `reach` stood at or above the topmost that loses, and one at or above the topmost that gains. */
export function mayMove(reach: readonly NodeAddress[], { before, after }: MovedPath): boolean {
  const reaches = (path: readonly NodeAddress[], other: readonly NodeAddress[]) => {
    const topmost = path.findLastIndex((node) => !other.includes(node));
    return topmost < 0 || path.slice(topmost).some((node) => reach.includes(node));
  };
  return reaches(before, after) && reaches(after, before);
}
