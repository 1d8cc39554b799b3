/** What a list and a report show of each organization: its plan, users, usage and the limit that it used most of. */
import { planAt, statusOf } from "../billing/billing-cycle.ts";
import type { Meter } from "../catalog/meter.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Organization } from "../contract/organizations.ts";
import { zeroOf } from "../metrics/usage.ts";
import type { NodeRecord } from "../tree/node-record.ts";
import type { AccountState } from "./account-state.ts";
import type { OrganizationFacts } from "./list-organizations.ts";
import type { FigureByOrganization } from "./measure-organizations.ts";
import { runningSubscriptions, type Standings } from "./read-standings.ts";

/** As of `nowMs`; `usage` is of the meter, by the organization's id. */
export function organizationFacts(
  state: AccountState,
  standings: Standings,
  usage: FigureByOrganization,
  meter: Meter,
  nowMs: number,
): OrganizationFacts {
  const running = runningSubscriptions(state, nowMs);
  const nothing = zeroOf(meter);
  return {
    planOf: (record) => {
      const subscription = running.get(record.node);
      if (!subscription) return null;
      const { planId: id, version } = planAt(subscription, nowMs);
      return { id, name: state.planNames.get(id) ?? id, version, status: statusOf(subscription, nowMs) };
    },
    usersOf: (record) => state.userCounts.get(record.node) ?? 0,
    usageOf: (record) => usage.get(record.id) ?? nothing,
    quotaOf: (record) => standings.get(record.node)?.quota ?? null,
  };
}

/** `isSeen`: whether a node is the reader's to see. */
export function describeOrganization(
  record: NodeRecord,
  facts: OrganizationFacts,
  isSeen: (node: NodeAddress) => boolean,
): Organization {
  return {
    node: record.node,
    id: record.id,
    name: record.name,
    external_id: record.externalId,
    parent: record.parent !== null && isSeen(record.parent) ? record.parent : null,
    status: record.status,
    plan: facts.planOf(record),
    users: facts.usersOf(record),
    usage: facts.usageOf(record),
    quota: facts.quotaOf(record),
    created_at: record.createdAt.toISOString(),
  };
}
