/** For which nodes a rule holds, as the tree is now. Pure. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { RuleKind, RuleScope } from "../contract/rules.ts";

interface Placed {
  id: string;
  node: NodeAddress;
  kind: RuleKind;
  scope: RuleScope;
  replaces: string | null;
  /** It notifies of the thresholds of every plan, those of resellers and partners too, where the plan is and not of their agents. */
  isDefault: boolean;
}

interface Tree {
  isWithin(node: NodeAddress, ancestor: NodeAddress): boolean;
  ancestors(node: NodeAddress): NodeAddress[];
}

/** The tree as far as one path of it goes: a node and all above it, as it stands or stood. */
export function treeOf(path: readonly NodeAddress[]): Tree {
  return {
    ancestors: (node) => path.slice(path.indexOf(node)),
    isWithin: (node, top) => top === "all" || (path.includes(node) && path.slice(path.indexOf(node)).includes(top)),
  };
}

/** By the id of the rule whose place they take, and by their own node, the rules that can take it from another. */
export type Overrides = ReadonlyMap<string, ReadonlyMap<NodeAddress, readonly Placed[]>>;

export function overridesAmong(rules: readonly Placed[]): Overrides {
  const overrides = new Map<string, Map<NodeAddress, Placed[]>>();
  for (const rule of rules) {
    if (rule.replaces === null) continue;
    const byNode = overrides.get(rule.replaces) ?? new Map<NodeAddress, Placed[]>();
    overrides.set(rule.replaces, byNode);
    const beside = byNode.get(rule.node);
    if (beside) beside.push(rule);
    else byNode.set(rule.node, [rule]);
  }
  return overrides;
}

/**
 * Whether the rule holds for a node: a template holds for each organization at or below its own node, except where a rule nearer
 * to the organization replaces it, which a rule that is switched off does too. Where several replace the same rule, only the
 * nearest holds. Only overrides at the node and above it are looked at, however many there are elsewhere.
 */
export function holdsFor(rule: Placed, node: NodeAddress, overrides: Overrides, tree: Tree): boolean {
  if (!isCovered(rule, node, tree)) return false;
  const beside = rule.replaces === null ? undefined : overrides.get(rule.replaces);
  const known = [overrides.get(rule.id), beside].filter((one) => one !== undefined);
  if (known.length === 0) return true;
  const takesIt = (other: Placed) => takesPlaceOf(other, rule, tree) && isCovered(other, node, tree);
  // A node that this process does not know yet is still below the root.
  const places = new Set([...tree.ancestors(node), "all"]);
  return ![...places].some((place) => known.some((byNode) => byNode.get(place)?.some(takesIt)));
}

/**
 * Those among `nodes` that the rule may hold for. What stands below the rule's own node is looked through where that is less
 * than all of them, so that many rules of small nodes do not each look at every node there is.
 */
export function candidatesAmong(
  rule: Placed,
  nodes: ReadonlySet<NodeAddress>,
  tree: { children(node: NodeAddress): { node: NodeAddress }[] },
): Iterable<NodeAddress> {
  if (rule.scope === "node") return nodes.has(rule.node) ? [rule.node] : [];
  if (rule.node === "all" || rule.isDefault) return nodes;
  const below = new Set([rule.node]);
  for (const node of below) {
    for (const child of tree.children(node)) below.add(child.node);
    if (below.size > nodes.size) return nodes;
  }
  return [...below].filter((node) => nodes.has(node));
}

function takesPlaceOf(other: Placed, rule: Placed, tree: Tree): boolean {
  if (other.id === rule.id || other.kind !== rule.kind || other.replaces === null) return false;
  if (other.replaces === rule.id) return true;
  return other.replaces === rule.replaces && other.node !== rule.node && tree.isWithin(other.node, rule.node);
}

function isCovered({ node: top, scope, isDefault }: Placed, node: NodeAddress, tree: Tree): boolean {
  if (scope === "node") return top === node;
  const isOne = isDefault ? !node.startsWith("agent:") : node.startsWith("organization:");
  return isOne && tree.isWithin(node, top);
}
