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
 * takes its place, which a rule that is switched off does too. Of several that take the same place the nearest holds alone.
 * `rivals`: as `rivalsOf` has them, or all rules there are.
 */
export function holdsFor(rule: Placed, node: NodeAddress, rivals: readonly Placed[], tree: Tree): boolean {
  if (!isCovered(rule, node, tree)) return false;
  return !rivals.some((other) => takesPlaceOf(other, rule, tree) && isCovered(other, node, tree));
}

function takesPlaceOf(other: Placed, rule: Placed, tree: Tree): boolean {
  if (other.id === rule.id || other.kind !== rule.kind || other.replaces === null) return false;
  if (other.replaces === rule.id) return true;
  return other.replaces === rule.replaces && other.node !== rule.node && tree.isWithin(other.node, rule.node);
}

/** By the id of the rule whose place they take, the rules that can take it from another. */
export function byReplaced<One extends Placed>(rules: readonly One[]): ReadonlyMap<string, readonly One[]> {
  const replacing = new Map<string, One[]>();
  for (const rule of rules) {
    if (rule.replaces === null) continue;
    const known = replacing.get(rule.replaces);
    if (known) known.push(rule);
    else replacing.set(rule.replaces, [rule]);
  }
  return replacing;
}

/** Those that may take the rule's place somewhere. */
export function rivalsOf<One extends Placed>(rule: Placed, replacing: ReadonlyMap<string, readonly One[]>): One[] {
  const beside = rule.replaces === null ? [] : (replacing.get(rule.replaces) ?? []);
  return [...(replacing.get(rule.id) ?? []), ...beside];
}

function isCovered({ node: top, scope, isDefault }: Placed, node: NodeAddress, tree: Tree): boolean {
  if (scope === "node") return top === node;
  return (isDefault || node.startsWith("organization:")) && tree.isWithin(node, top);
}
