/** For which nodes a rule holds, as the tree is now. Pure. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { RuleKind, RuleScope } from "../contract/rules.ts";

interface Placed {
  id: string;
  node: NodeAddress;
  kind: RuleKind;
  scope: RuleScope;
  replaces: string | null;
  /** It notifies of the thresholds of every plan, those of resellers and partners too. */
  isDefault: boolean;
}

interface Tree {
  isWithin(node: NodeAddress, ancestor: NodeAddress): boolean;
}

/**
 * Whether the rule holds for a node: a template for each organization at or below its own node, but where one nearer to it
 * takes its place, which a rule that is switched off does too. `others`: all rules there are.
 */
export function holdsFor(rule: Placed, node: NodeAddress, others: readonly Placed[], tree: Tree): boolean {
  if (!isCovered(rule, node, tree)) return false;
  return !others.some(
    (other) => other.replaces === rule.id && other.kind === rule.kind && isCovered(other, node, tree),
  );
}

function isCovered({ node: top, scope, isDefault }: Placed, node: NodeAddress, tree: Tree): boolean {
  if (scope === "node") return top === node;
  return (isDefault || node.startsWith("organization:")) && tree.isWithin(node, top);
}
