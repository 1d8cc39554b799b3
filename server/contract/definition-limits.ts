/**
 * How much of what users define one node, and one tenant (all below one node right below the root), may have: each of it is
 * held, evaluated or looked at again and again.
 */
import { z } from "zod";

const none = Number.POSITIVE_INFINITY;

const kibi = 1024;
const mebi = 1024 * kibi;

/** `withEnded`: of one node, those too that were revoked or have ended. `versions`: of one. `bytes`: of one's JSON, of each version where it has them; `bytesOfTenant`: of all. */
export const definitionLimits = {
  /** Every process holds all of them. `placements`: of one, past and planned. */
  nodes: { ofTenant: 100_000, placements: 1_000 },
  meters: { ofNode: 200, ofTenant: 2_000, versions: 200, bytes: 16 * kibi, bytesOfTenant: 8 * mebi },
  plans: { ofNode: 200, ofTenant: 2_000, versions: 200, bytes: 128 * kibi, bytesOfTenant: 32 * mebi },
  models: { ofNode: 1_000, ofTenant: 10_000 },
  /** `planChanges`: of one subscription. */
  subscriptions: { ofNode: 500, planChanges: 500 },
  keys: { ofNode: 1_000, ofTenant: 20_000, withEnded: 20_000 },
  /** Users' roles, those that are offered included. */
  roles: { ofNode: 2_000, ofTenant: 50_000, ofUser: 200 },
  rules: { ofNode: 200, ofTenant: 5_000, bytes: 16 * kibi, bytesOfTenant: 8 * mebi },
  channels: { ofNode: 500, ofTenant: 2_000 },
  reports: { ofNode: 1_000, ofTenant: none },
  schedules: { ofNode: 500, ofTenant: 5_000 },
  views: { ofNode: 100, ofTenant: 2_000 },
  /** `ended`: of one dashboard, kept to be listed. */
  viewLinks: { ofNode: 200, ofTenant: 5_000, ended: 100 },
  /** Custom fields of nodes, which every process holds: `bytes` of one node's. */
  fields: { bytes: 8 * kibi, bytesOfTenant: 16 * mebi },
  /** Keys of the last day; `bytes` bounds one answer that is kept. */
  idempotencyKeys: { ofCaller: 20_000, ofTenant: 100_000, bytes: 256 * kibi, bytesOfTenant: 128 * mebi },
  annotations: { ofNode: 1_000, ofTenant: 20_000 },
} as const;

const ofNode = { max_of_node: z.int() };
const ofTenant = {
  ...ofNode,
  max_of_tenant: z.int().describe("For everything below one node directly below the root"),
};

const sizes = {
  max_bytes: z.int().describe("Length of one, as JSON"),
  max_bytes_of_tenant: z.int().describe("Total length for one tenant, as JSON"),
};

const versioned = {
  ...ofTenant,
  max_versions: z.int().describe("Versions of one"),
  max_bytes: z.int().describe("Length of one version, as JSON"),
  max_bytes_of_tenant: z.int().describe("Total length of all versions for one tenant, as JSON"),
};

export const definitionLimitsSchema = z.object({
  nodes: z
    .object({
      max_of_tenant: ofTenant.max_of_tenant,
      max_placements: z.int().describe("Placements of one node, past and planned"),
    })
    .describe("Agents of organizations are not counted"),
  meters: z.object(versioned),
  plans: z.object(versioned),
  models: z.object(ofTenant),
  subscriptions: z.object({ ...ofNode, max_plan_changes: z.int().describe("Plan changes of one subscription") }),
  keys: z
    .object({
      ...ofTenant,
      max_with_ended: z.int().describe("Per node, including revoked and expired ones"),
    })
    .describe("Active ones"),
  roles: z
    .object({ ...ofTenant, max_of_user: z.int().describe("Roles of one user, or offered together") })
    .describe("Roles of all users, including offered ones"),
  rules: z.object({ ...ofTenant, ...sizes }),
  channels: z.object(ofTenant),
  reports: z.object(ofNode),
  schedules: z.object(ofTenant),
  views: z.object(ofTenant),
  view_links: z.object(ofTenant).describe("Active ones"),
  fields: z.object(sizes).describe("Custom fields, per node and per tenant"),
  idempotency_keys: z
    .object({
      max_of_caller: z.int(),
      max_of_tenant: ofTenant.max_of_tenant,
      max_bytes: z.int().describe("Length of one stored answer"),
      max_bytes_of_tenant: z.int().describe("Total length of stored answers for one tenant"),
    })
    .describe("Within one day"),
  annotations: z.object(ofTenant),
});

/** As /v1/limits returns them. */
export function describeDefinitionLimits(): z.infer<typeof definitionLimitsSchema> {
  const {
    nodes,
    meters,
    plans,
    models,
    subscriptions,
    keys,
    roles,
    rules,
    channels,
    reports,
    schedules,
    views,
    fields,
    idempotencyKeys,
  } = definitionLimits;
  const counts = (of: { ofNode: number; ofTenant: number }) => ({ max_of_node: of.ofNode, max_of_tenant: of.ofTenant });
  const bytes = (of: { bytes: number; bytesOfTenant: number }) => ({
    max_bytes: of.bytes,
    max_bytes_of_tenant: of.bytesOfTenant,
  });
  return {
    nodes: { max_of_tenant: nodes.ofTenant, max_placements: nodes.placements },
    meters: { ...counts(meters), ...bytes(meters), max_versions: meters.versions },
    plans: { ...counts(plans), ...bytes(plans), max_versions: plans.versions },
    models: counts(models),
    subscriptions: { max_of_node: subscriptions.ofNode, max_plan_changes: subscriptions.planChanges },
    keys: { ...counts(keys), max_with_ended: keys.withEnded },
    roles: { ...counts(roles), max_of_user: roles.ofUser },
    rules: { ...counts(rules), ...bytes(rules) },
    channels: counts(channels),
    reports: { max_of_node: reports.ofNode },
    schedules: counts(schedules),
    views: counts(views),
    view_links: counts(definitionLimits.viewLinks),
    fields: bytes(fields),
    idempotency_keys: {
      max_of_caller: idempotencyKeys.ofCaller,
      max_of_tenant: idempotencyKeys.ofTenant,
      ...bytes(idempotencyKeys),
    },
    annotations: counts(definitionLimits.annotations),
  };
}
