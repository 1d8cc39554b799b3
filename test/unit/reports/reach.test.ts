import { expect, test } from "vitest";
import { nodeAddress } from "../../../server/contract/node-address.ts";
import type { NodeAddress } from "../../../server/contract/nodes.ts";
import { actionsOfRole } from "../../../server/identity/permissions.ts";
import { reachOf, seesReach } from "../../../server/reports/reach.ts";
import { NodesInMemory } from "../../../server/tree/nodes-in-memory.ts";

class Tree extends NodesInMemory {
  place(
    kind: "partner" | "reseller" | "organization",
    id: string,
    ...parents: [sinceMs: number, parent: NodeAddress][]
  ) {
    const node = nodeAddress(kind, id);
    const record = { node, kind, id, name: id, externalId: null, status: "active" as const, fields: {} };
    const rows = parents.map(([sinceMs, parent]) => ({ node, parent, validFrom: new Date(sinceMs) }));
    this.put({ nodes: [{ ...record, createdAt: new Date(0) }], parents: rows }, 0);
  }
}

const node = "organization:o";
const report = { kind: "billing" as const, node, fromMs: 0, toMs: 100 } as const;
const tree = new Tree();
tree.place("partner", "p1", [0, "all"]);
tree.place("partner", "p2", [0, "all"]);
tree.place("reseller", "r1", [0, "partner:p1"]);
tree.place("reseller", "moved", [0, "partner:p2"], [70, "partner:p1"]);
tree.place("organization", "o", [0, "partner:p2"], [50, "reseller:r1"]);

const at = (top: NodeAddress) => ({ grants: [{ node: top, actions: actionsOfRole("owner") }] });
const sees = (top: NodeAddress, reach: NodeAddress[]) => seesReach(tree, at(top), { ...report, reach }, 200);

test("what a later owner was shown is seen by who stood above that owner all the time, and by nobody who came between", () => {
  const reach = reachOf(tree, at("reseller:r1"), report, 200);
  expect(reach).toEqual(["reseller:r1"]);
  expect(sees("partner:p1", reach)).toBe(true);
  expect(sees("partner:p2", reach)).toBe(false);
  expect(sees("partner:p1", ["reseller:moved"])).toBe(false);
});

test("what shows more than one's own time is not seen", () => {
  expect(sees("partner:p1", [node])).toBe(false);
  expect(sees("partner:p1", ["reseller:r1", "partner:p2"])).toBe(false);
  expect(sees(node, ["reseller:r1", "partner:p2"])).toBe(true);
});
