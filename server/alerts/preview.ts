/** What a rule would have reported in a span of the past: the same evaluation, over what is stored now. */
import type { PeriodSource } from "../billing/period.ts";
import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Condition } from "../contract/rules.ts";
import { type CustomersSource, isTold, previewBilling, previewCustomers } from "./preview-customers.ts";
import type { Would } from "./preview-entry.ts";
import { previewLowUsage } from "./preview-low-usage.ts";
import { previewQuota } from "./preview-quota.ts";
import { previewSilence } from "./preview-silence.ts";
import { previewThreshold } from "./preview-threshold.ts";
import { previewUnusual } from "./preview-unusual.ts";

interface Span {
  fromMs: number;
  toMs: number;
}

/**
 * Whether the past of what the rule is about is kept: not for the service itself, nor of what was projected or nearing then. When
 * something was sent is known for each organization and agent.
 */
export function hasPast(condition: Condition, node: NodeAddress): boolean {
  switch (condition.kind) {
    case "system":
      return false;
    case "customers":
    case "billing":
      return isTold(condition);
    case "quota":
      return condition.on === "used";
    case "no_data":
      return ["organization", "agent"].includes(parseNode(node).kind);
    case "threshold":
    case "unusual":
    case "low_usage":
      return true;
  }
}

/** What the rule would have done at one node, in order of time. Throws TooManyReadingsError. */
export async function previewAt(
  source: PeriodSource & CustomersSource,
  condition: Condition,
  node: NodeAddress,
  span: Span,
): Promise<Would[]> {
  switch (condition.kind) {
    case "quota":
      return await previewQuota(source, condition, node, span);
    case "threshold":
      return await previewThreshold(source, condition, node, span);
    case "unusual":
      return await previewUnusual(source, condition, node, span);
    case "low_usage":
      return await previewLowUsage(source, condition, node, span);
    case "no_data":
      return await previewSilence(source, condition, node, span);
    case "customers":
      return await previewCustomers(source, condition, node, span);
    case "billing":
      return await previewBilling(source, condition, node, span);
    case "system":
      return [];
  }
}
