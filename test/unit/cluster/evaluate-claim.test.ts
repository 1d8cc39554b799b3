import { describe, expect, test } from "vitest";
import {
  evaluateNode,
  evaluateSingle,
  type IngestProcess,
  type KnownNode,
  type KnownProcess,
  type KnownStores,
} from "../../../server/cluster/evaluate-claim.ts";

const mine: IngestProcess = { name: "x", folder: "fx", host: "h", process: "now", lostNode: undefined };
const node = { ...mine, url: "http://x", secretProof: "s" };
const other: KnownProcess = { name: "y", folder: "fy", host: "h", process: "before", isAlive: true };
const otherNode: KnownNode = { ...other, url: "http://y", hasLeft: false };
const none: KnownStores = { mode: "none", secretProof: null, single: undefined, nodes: [] };
const single = (one: Partial<KnownProcess>): KnownStores => ({ ...none, mode: "single", single: { ...other, ...one } });
const cluster = (...nodes: Partial<KnownNode>[]): KnownStores => ({
  ...none,
  mode: "cluster",
  secretProof: "s",
  nodes: nodes.map((one) => ({ ...otherNode, ...one })),
});

describe("a process alone", () => {
  test.each<[string, KnownStores, Partial<IngestProcess>, string]>([
    ["on stores that are nobody's", none, {}, "granted"],
    ["beside another that is alive", single({}), {}, "wait"],
    ["after another with another folder that was not stopped cleanly", single({ isAlive: false }), {}, "refused"],
    ["in place of one whose folder is lost", single({ isAlive: false }), { lostNode: "y" }, "granted"],
    ["in place of one that is alive", single({}), { lostNode: "y" }, "wait"],
    ["again after it was killed", single({ folder: "fx", isAlive: true }), {}, "granted"],
    ["on another host with the folder of one that is alive", single({ folder: "fx", host: "g" }), {}, "wait"],
    [
      "on another host with the folder of one that is silent",
      single({ folder: "fx", host: "g", isAlive: false }),
      {},
      "granted",
    ],
    ["beside a cluster", cluster({}), {}, "refused"],
    ["beside a cluster whose nodes are all away", cluster({ isAlive: false }), {}, "refused"],
    ["with a node's folder and name", cluster({ name: "x", folder: "fx", isAlive: false }), {}, "refused"],
    ["that names a node of a cluster as lost", cluster({ isAlive: false }), { lostNode: "y" }, "refused"],
  ])("%s", (_, stores, more, kind) => {
    expect(evaluateSingle({ ...mine, ...more }, stores).kind).toBe(kind);
  });
});

describe("a node", () => {
  test.each<[string, KnownStores, Partial<typeof node>, string]>([
    ["on stores that are nobody's", none, {}, "granted"],
    ["beside a process alone", single({}), {}, "wait"],
    ["after a process alone that was not stopped cleanly", single({ isAlive: false }), {}, "refused"],
    ["with the folder of a process alone that was killed", single({ folder: "fx" }), {}, "granted"],
    ["beside others", cluster({}), {}, "granted"],
    ["with another secret", cluster({}), { secretProof: "t" }, "refused"],
    ["with another secret after all have left", none, { secretProof: "t" }, "granted"],
    ["in a cluster that never proved its secret", { ...cluster({}), secretProof: null }, {}, "granted"],
    ["with a name that is alive", cluster({ name: "x", url: "http://x" }), {}, "wait"],
    ["with the name of one that is silent, and another folder", cluster({ name: "x", isAlive: false }), {}, "refused"],
    ["in place of one that is lost", cluster({ name: "x", isAlive: false }), { lostNode: "x" }, "granted"],
    ["with the name of one that has left", cluster({ name: "x", hasLeft: true, isAlive: false }), {}, "granted"],
    ["with the address of another", cluster({ url: "http://x" }), {}, "refused"],
    ["with the address of one that has left", cluster({ url: "http://x", hasLeft: true }), {}, "granted"],
    ["with the folder of another", cluster({ folder: "fx", isAlive: false }), {}, "refused"],
    ["again after it was killed", cluster({ name: "x", folder: "fx", url: "http://x" }), {}, "granted"],
    [
      "on another host, with the folder of one that is alive",
      cluster({ name: "x", folder: "fx", host: "g" }),
      {},
      "wait",
    ],
  ])("%s", (_, stores, more, kind) => {
    expect(evaluateNode({ ...node, ...more }, stores).kind).toBe(kind);
  });

  test("a refusal names the setting to change", () => {
    const reason = (verdict: ReturnType<typeof evaluateNode>) => ("reason" in verdict ? verdict.reason : "");
    expect(reason(evaluateNode({ ...node, secretProof: "t" }, cluster({})))).toMatch(
      /TIDEMARK_CLUSTER_SECRET is not the one/,
    );
    expect(reason(evaluateNode(node, cluster({ folder: "fx" })))).toMatch(/set TIDEMARK_NODE=y/);
    expect(reason(evaluateSingle(mine, cluster({})))).toMatch(
      /TIDEMARK_NODE_URL.*every node with SIGTERM.*y did not leave yet/,
    );
    expect(reason(evaluateSingle(mine, single({ isAlive: false })))).toMatch(/TIDEMARK_LOST_NODE=y/);
  });
});
