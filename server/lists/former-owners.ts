/**
 * Who owned an organization before, and their keys, are for those who reach them, not for whoever stands above it now. The
 * organization's own people knew them.
 */
import type { Filter } from "../catalog/filters.ts";
import { nodeAddress } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { UsageGroup } from "../contract/usage.ts";
import type { Actor } from "../identity/actor.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { nameOfOthers, placeOf } from "../tree/past-owners.ts";

type Tree = Pick<NodeTree, "ancestors" | "isWithin">;
type Reader = Pick<Actor, "reach">;

const isWithin = (tree: Pick<NodeTree, "isWithin">, { reach }: Reader, node: NodeAddress) =>
  reach.some((top) => tree.isWithin(node, top));

/** What something of an organization says of who was above it then: ids; null, or '' where there was none. */
export interface Owned {
  organization: string;
  partner: string | null;
  reseller: string | null;
}

/** Whether the reader may know them. */
export function ownersSeenBy(
  tree: Pick<NodeTree, "isWithin" | "pathAt">,
  { reach }: Reader,
  nowMs: number,
): (of: Owned) => boolean {
  const known = new Map<string, boolean>();
  const isSeen = ({ organization, partner, reseller }: Owned): boolean => {
    if (reach.includes(nodeAddress("organization", organization))) return true;
    const path = tree.pathAt(organization, nowMs);
    if ((path?.partner ?? "") === (partner ?? "") && (path?.reseller ?? "") === (reseller ?? "")) return true;
    const owner = reseller ? nodeAddress("reseller", reseller) : partner ? nodeAddress("partner", partner) : "all";
    return isWithin(tree, { reach }, owner);
  };
  return (of) => {
    const key = JSON.stringify([of.organization, of.partner, of.reseller]);
    const isShown = known.get(key) ?? isSeen(of);
    known.set(key, isShown);
    return isShown;
  };
}

/** The same thing without them, where the reader may not know them. */
export function withoutFormerOwners<Thing extends Owned>(isSeen: (of: Owned) => boolean): (of: Thing) => Thing {
  return (of) => (isSeen(of) ? of : { ...of, partner: null, reseller: null });
}

const ownerDimensions = { partner: "partner", reseller: "reseller" } as const;
type OwnerDimension = keyof typeof ownerDimensions;
const isOwner = (dimension: string): dimension is OwnerDimension => dimension in ownerDimensions;

/** Whether the reader, asking about the node, may know that a partner or reseller with this id stood above it. */
function ownersOf(
  tree: Tree,
  { reach }: Reader,
  node: NodeAddress,
): (dimension: OwnerDimension, id: string) => boolean {
  if (reach.includes(node) || reach.includes(placeOf(node))) return () => true;
  const above = tree.ancestors(node);
  return (dimension, id) => {
    const owner = nodeAddress(ownerDimensions[dimension], id);
    return id === "" || above.includes(owner) || isWithin(tree, { reach }, owner);
  };
}

/** Throws `forbidden` for a filter that would answer whether somebody, whom the reader may not know of, stood above the node. */
export function checkOwnerFilters(tree: Tree, reader: Reader, node: NodeAddress, filters: readonly Filter[]): void {
  const mayKnow = ownersOf(tree, reader, node);
  for (const { dimension, operator, values } of filters) {
    if (!isOwner(dimension)) continue;
    // What begins so may be anybody.
    if (operator === "prefix" ? mayKnow(dimension, nameOfOthers) : values.every((id) => mayKnow(dimension, id)))
      continue;
    throw new ProblemError("forbidden", `who was above ${node} before is not visible to its later owners`, {
      field: `filter[${dimension}]`,
    });
  }
}

/** Names the groups, of a figure by partner or reseller, that the reader may not know of. */
export function ownerGroupsNamed(
  tree: Tree,
  reader: Reader,
  { node, dimension }: { node: NodeAddress; dimension: string | undefined },
): (groups: readonly UsageGroup[]) => UsageGroup[] {
  if (dimension === undefined || !isOwner(dimension)) return (groups) => [...groups];
  const mayKnow = ownersOf(tree, reader, node);
  return (groups) => {
    let others = 0;
    return groups.map((group) => {
      if (group.is_other || mayKnow(dimension, group.key)) return group;
      others++;
      return { ...group, key: others === 1 ? nameOfOthers : `${nameOfOthers} ${others}` };
    });
  };
}
