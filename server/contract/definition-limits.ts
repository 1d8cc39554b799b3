/**
 * How much of what users define one node, and one tenant (all below one node right below the root), may have: each of it is
 * held, judged or looked at again and again.
 */
import { z } from "zod";

const none = Number.POSITIVE_INFINITY;

export const definitionLimits = {
  rules: { ofNode: 200, ofTenant: 5_000 },
  channels: { ofNode: 500, ofTenant: none },
  reports: { ofNode: 1_000, ofTenant: none },
  schedules: { ofNode: 500, ofTenant: none },
} as const;

const ofNode = { max_of_node: z.int() };
const ofTenant = { ...ofNode, max_of_tenant: z.int().describe("For all below one node right below the root") };

export const definitionLimitsSchema = z.object({
  rules: z.object(ofTenant),
  channels: z.object(ofNode),
  reports: z.object(ofNode),
  schedules: z.object(ofNode),
});

/** As /v1/limits tells them. */
export function describeDefinitionLimits(): z.infer<typeof definitionLimitsSchema> {
  const { rules, channels, reports, schedules } = definitionLimits;
  return {
    rules: { max_of_node: rules.ofNode, max_of_tenant: rules.ofTenant },
    channels: { max_of_node: channels.ofNode },
    reports: { max_of_node: reports.ofNode },
    schedules: { max_of_node: schedules.ofNode },
  };
}
