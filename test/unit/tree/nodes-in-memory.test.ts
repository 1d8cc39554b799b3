/** Where an organization stood, by ids: the same for what events carry and for what is derived from them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { nodeAddress } from "../../../server/contract/node-address.ts";
import type { NodeAddress } from "../../../server/contract/nodes.ts";
import { NodesInMemory } from "../../../server/tree/nodes-in-memory.ts";

class Tree extends NodesInMemory {
  place(kind: "partner" | "reseller" | "organization", id: string, parents: [sinceMs: number, parent: NodeAddress][]) {
    const node = nodeAddress(kind, id);
    const record = { node, kind, id, name: id, externalId: null, status: "active" as const, fields: {} };
    const rows = parents.map(([sinceMs, parent]) => ({ node, parent, validFrom: new Date(sinceMs) }));
    this.put({ nodes: [{ ...record, createdAt: new Date(0) }], parents: rows }, 0);
    return node;
  }
}

const oddId = fc.array(fc.constantFrom("/", "%", ":", ",", " ", "é", "%2F", "%25", "a", "all", "reseller:"), {
  minLength: 1,
  maxLength: 4,
});
const id = oddId.map((pieces) => pieces.join(""));

test("where an organization stood is known by the ids of its parents, whatever characters they have, at an instant as over a span", () => {
  fc.assert(
    fc.property(id, fc.uniqueArray(id, { minLength: 2, maxLength: 2 }), id, (partner, [old = "", young = ""], own) => {
      const tree = new Tree();
      const above = tree.place("partner", partner, [[0, "all"]]);
      const reseller = tree.place("reseller", old, [[0, above]]);
      tree.place("reseller", young, [[0, "all"]]);
      tree.place("organization", own, [
        [0, reseller],
        [50, nodeAddress("reseller", young)],
        [90, "all"],
      ]);
      const expected = [
        { sinceMs: 0, partner, reseller: old },
        { sinceMs: 50, partner: "", reseller: young },
        { sinceMs: 90, partner: "", reseller: "" },
      ];
      expect(tree.placementsWithin(own, 0, 100)).toEqual(expected);
      for (const { sinceMs, ...ids } of expected) {
        expect(tree.pathAt(own, sinceMs)).toEqual(ids);
        expect(tree.placementsWithin(own, sinceMs, sinceMs)).toEqual([{ sinceMs, ...ids }]);
      }
    }),
    { seed: 20_261_129 },
  );
});

test("a move is one also where both paths are written alike once their addresses are joined", () => {
  const tree = new Tree();
  const partner = tree.place("partner", "b", [[0, "all"]]);
  const below = tree.place("reseller", "a", [[0, partner]]);
  const alone = tree.place("reseller", "a,partner:b", [[0, "all"]]);
  const moved = tree.place("organization", "o", [
    [0, below],
    [50, alone],
  ]);
  expect(tree.pathsBetween(moved, 0, 100)).toEqual([
    { fromMs: 0, toMs: 50, path: [moved, below, partner] },
    { fromMs: 50, toMs: 100, path: [moved, alone] },
  ]);
  expect(tree.placementsWithin("o", 0, 99)).toEqual([
    { sinceMs: 0, partner: "b", reseller: "a" },
    { sinceMs: 50, partner: "", reseller: "a,partner:b" },
  ]);
  expect(tree.placementsWithin("nobody", 0, 99)).toBeUndefined();
});

test("where a node stood that moved tens of thousands of times is told at the cost of a few looks for each move", () => {
  const tree = new Tree();
  const [left, right] = ["left", "right"].map((id) => tree.place("reseller", id, [[0, "all"]]));
  const moves = Array.from({ length: 30_000 }, (_, place): [number, NodeAddress] => [
    place * 10,
    (place % 2 === 0 ? left : right) as NodeAddress,
  ]);
  const moved = tree.place("organization", "moves", moves);
  const startedAt = process.cpuUsage();
  const spans = tree.pathsBetween(moved, 0, 300_000);
  const { user, system } = process.cpuUsage(startedAt);
  expect(spans).toHaveLength(30_000);
  expect(spans.slice(0, 2)).toEqual([
    { fromMs: 0, toMs: 10, path: [moved, left] },
    { fromMs: 10, toMs: 20, path: [moved, right] },
  ]);
  expect((user + system) / 1_000).toBeLessThan(400);
});

test("the organizations that ever stood below a node are known by where they stand, stood and are to stand, however many there are", () => {
  const tree = new Tree();
  const [above, other] = [tree.place("partner", "p", [[0, "all"]]), tree.place("reseller", "other", [[0, "all"]])];
  const reseller = tree.place("reseller", "r", [
    [0, above],
    [50, "all"],
  ]);
  tree.place("organization", "stays", [[0, reseller]]);
  tree.place("organization", "left", [
    [-10, reseller],
    [-5, other],
  ]);
  tree.place("organization", "to-come", [
    [0, other],
    [70, reseller],
  ]);
  const below = (node: NodeAddress) => tree.organizationsEverBelow(node).sort();
  expect([below(above), below(reseller), below(other)]).toEqual([
    ["left", "stays", "to-come"],
    ["left", "stays", "to-come"],
    ["left", "to-come"],
  ]);
  tree.place("organization", "to-come", [[0, other]]);
  expect([below(above), below("organization:left"), below("organization:unknown")]).toEqual([
    ["left", "stays"],
    ["left"],
    [],
  ]);
  const many = 130_000;
  for (let place = 0; place < many; place++) tree.place("organization", `many-${place}`, [[0, other]]);
  expect(below(other)).toHaveLength(many + 2);
});
