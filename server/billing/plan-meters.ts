/**
 * Which meter a feature of a plan is measured by: asked here alone, by statements, quotas, limits and alerts alike. It is the one
 * that the plan's node knew by that name at the end of what is measured, so neither where the subscriber stands, nor what is
 * called alike elsewhere, nor a later retirement changes what a plan measures.
 */
import type { Meter } from "../catalog/meter.ts";
import type { PlanFeature } from "../contract/plans.ts";
import type { UsageSource } from "./measure-span.ts";
import type { OwnedTerms } from "./plans.ts";

/** `toMs`: the end of what is measured, ms since 1970, UTC. Undefined for a feature that is off or has no meter. */
export function meterOfFeature(
  { meterOf }: Pick<UsageSource, "meterOf">,
  { node }: Pick<OwnedTerms, "node">,
  { enabled, meter }: Pick<PlanFeature, "enabled" | "meter">,
  toMs: number,
): Meter | undefined {
  return enabled && meter !== null ? meterOf(meter, node, toMs, { isOnRecord: true }) : undefined;
}
