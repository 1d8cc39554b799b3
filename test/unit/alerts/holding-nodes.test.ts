import fc from "fast-check";
import { expect, test } from "vitest";
import { candidatesAmong, holdsFor, overridesAmong } from "../../../server/alerts/holding-nodes.ts";

type Rule = Parameters<typeof holdsFor>[0];

/** All below a reseller, below the root. `steps` counts what is asked of it. */
function treeOf(organizations: number) {
  const parents = new Map<string, string | null>([["all", null]]);
  parents.set("reseller:r", "all");
  for (let index = 0; index < organizations; index++)
    parents.set(`organization:o${index}`, index % 2 ? "reseller:r" : "all");
  const children = new Map<string, { node: string }[]>();
  for (const [node, parent] of parents)
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), { node }]);
  const tree = {
    steps: 0,
    nodes: [...parents.keys()],
    ancestors(node: string): string[] {
      tree.steps++;
      const above = parents.get(node);
      return above ? [node, ...tree.ancestors(above)] : [node];
    },
    isWithin(node: string, ancestor: string): boolean {
      tree.steps++;
      return ancestor === "all" || tree.ancestors(node).includes(ancestor);
    },
    children(node: string) {
      tree.steps++;
      return children.get(node) ?? [];
    },
  };
  return tree;
}

const ruleOf = (id: string, node: string, more: Partial<Rule> = {}): Rule => ({
  id,
  node,
  kind: "quota",
  scope: "organizations",
  replaces: null,
  isDefault: false,
  ...more,
});

/** By the definition: every rule is held against every other. */
function holdsByDefinition(rule: Rule, node: string, rules: readonly Rule[], tree: ReturnType<typeof treeOf>): boolean {
  const covers = (one: Rule) =>
    one.scope === "node"
      ? one.node === node
      : (one.isDefault || node.startsWith("organization:")) && tree.isWithin(node, one.node);
  const beats = (one: Rule) =>
    one.id !== rule.id &&
    one.kind === rule.kind &&
    one.replaces !== null &&
    (one.replaces === rule.id ||
      (one.replaces === rule.replaces && one.node !== rule.node && tree.isWithin(one.node, rule.node)));
  return covers(rule) && !rules.some((one) => beats(one) && covers(one));
}

test("a rule holds where it covers a node and none that takes its place does, whichever way that is looked for", () => {
  const tree = treeOf(6);
  const anyRule = fc.record({
    id: fc.constantFrom("a", "b", "c", "d", "e"),
    node: fc.constantFrom(...tree.nodes),
    kind: fc.constantFrom("quota" as const, "no_data" as const),
    scope: fc.constantFrom("node" as const, "organizations" as const),
    replaces: fc.constantFrom(null, "a", "b"),
    isDefault: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.uniqueArray(anyRule, { selector: ({ id }) => id }), fc.subarray(tree.nodes), (rules, some) => {
      const overrides = overridesAmong(rules);
      for (const rule of rules) {
        const found = [...candidatesAmong(rule, new Set(some), tree)].filter((node) =>
          holdsFor(rule, node, overrides, tree),
        );
        expect(found.sort()).toEqual(some.filter((node) => holdsByDefinition(rule, node, rules, tree)).sort());
      }
    }),
    { numRuns: 500, seed: 20_261_129 },
  );
});

test("ten times the rules that replace one cost ten times as many steps, not a hundred times", () => {
  const stepsOf = (organizations: number, scope: Rule["scope"]) => {
    const tree = treeOf(organizations);
    const replacing = Array.from({ length: organizations }, (_, index) =>
      ruleOf(`own ${index}`, `organization:o${index}`, { scope, replaces: "template" }),
    );
    const rules = [ruleOf("template", "all"), ...replacing];
    const overrides = overridesAmong(rules);
    const nodes = new Set(tree.nodes);
    let held = 0;
    for (const rule of rules)
      for (const node of candidatesAmong(rule, nodes, tree)) if (holdsFor(rule, node, overrides, tree)) held++;
    expect(held).toBe(organizations);
    return tree.steps;
  };
  for (const scope of ["node", "organizations"] as const)
    expect(stepsOf(1_000, scope)).toBeLessThan(11 * stepsOf(100, scope));
});
