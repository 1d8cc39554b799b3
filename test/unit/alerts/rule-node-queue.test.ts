/** What is evaluated node by node: each once, and in turns between tenants. */
import { expect, test } from "vitest";
import { RuleNodeQueue } from "../../../server/alerts/rule-node-queue.ts";
import type { NodeAddress } from "../../../server/contract/nodes.ts";

/** An organization, by its tenant and its number. */
const node = (tenant: string, number: number): NodeAddress => `organization:${tenant} ${number}`;
const tenantOf = (address: string) => address.split(" ")[0] as NodeAddress;

test("however many pairs one tenant has, one of another is evaluated among the first", async () => {
  const queue = new RuleNodeQueue(tenantOf);
  for (let n = 0; n < 500; n++) queue.add("rule", node("many", n), 1);
  queue.add("rule", node("few", 1), 2);
  queue.add("rule", node("few", 1), 3);
  expect([queue.size, queue.oldestMs]).toEqual([501, 1]);
  const evaluated: string[] = [];
  await queue.work(60_000, async (_, address) => {
    evaluated.push(address);
  });
  expect(evaluated).toHaveLength(501);
  expect(evaluated.indexOf(node("few", 1))).toBeLessThan(2);
  expect([queue.size, queue.oldestMs]).toEqual([0, undefined]);
});

test("what failed waits again, since when it waited", async () => {
  const queue = new RuleNodeQueue(tenantOf);
  queue.add("rule", node("one", 1), 7);
  const failing = queue.work(60_000, async () => {
    throw new Error("no store");
  });
  await expect(failing).rejects.toThrow("no store");
  expect([queue.size, queue.oldestMs]).toEqual([1, 7]);
});

test("one that fails holds up none that wait behind it", async () => {
  const queue = new RuleNodeQueue(tenantOf);
  for (let n = 0; n < 50; n++) queue.add("rule", node("one", n), 7);
  const evaluated: string[] = [];
  const working = queue.work(60_000, async (_, address) => {
    if (address === node("one", 0)) throw new Error("a broken meter");
    evaluated.push(address);
  });
  await expect(working).rejects.toThrow("a broken meter");
  expect([evaluated.length, queue.size]).toEqual([49, 1]);
});
