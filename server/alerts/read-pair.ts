/** What is evaluated node by node. */
import type { PeriodSource } from "../billing/period.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Condition } from "../contract/rules.ts";
import type { Finding } from "./finding.ts";
import { evaluateProjected } from "./read-quota.ts";
import { readLowUsage, readUnusual } from "./read-usage.ts";

/** Nothing for other kinds, nor for a quota that goes by what is used. */
export async function readPair(
  source: PeriodSource,
  condition: Condition,
  node: NodeAddress,
  atMs: number,
): Promise<Finding[]> {
  if (condition.kind === "unusual") return await readUnusual(source, condition, node, atMs);
  if (condition.kind === "low_usage") return await readLowUsage(source, condition, node, atMs);
  if (condition.kind === "quota" && condition.on === "projected")
    return await evaluateProjected(source, condition, node, atMs);
  return [];
}
