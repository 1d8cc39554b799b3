/** What a list and a report show of each organization: its plan, users, usage and the limit that it used most of. */
import { planAt, statusOf } from "../billing/billing-cycle.ts";
import type { Meter } from "../catalog/meter.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { type MissingFigures, mostMissingNamed, type Organization } from "../contract/organizations.ts";
import { zeroOf } from "../metrics/usage.ts";
import type { NodeRecord } from "../tree/node-record.ts";
import type { AccountState } from "./account-state.ts";
import type { OrganizationFacts } from "./list-organizations.ts";
import type { FigureByOrganization } from "./measure-organizations.ts";
import { runningSubscriptions, type Standings } from "./read-standings.ts";

/** As of `nowMs`; `usage` is of the meter, by the organization's id. */
export function organizationFacts(
  state: AccountState,
  { answer: standings, missing }: { answer: Standings; missing: readonly NodeAddress[] },
  usage: FigureByOrganization,
  meter: Meter,
  nowMs: number,
): OrganizationFacts {
  const running = runningSubscriptions(state, nowMs);
  const nothing = zeroOf(meter);
  const unread = new Set(missing);
  return {
    planOf: (record) => {
      const subscription = running.get(record.node);
      if (!subscription) return null;
      const { planId: id, version } = planAt(subscription, nowMs);
      return { id, name: state.planNames.get(id) ?? id, version, status: statusOf(subscription, nowMs) };
    },
    usersOf: (record) => state.userCounts.get(record.node) ?? 0,
    usageOf: (record) => usage.get(record.id) ?? nothing,
    isMissing: (record) => unread.has(record.node),
    quotaOf: (record) => standings.get(record.node)?.quota ?? null,
  };
}

/** Each node once, the first of them named. */
export function describeMissing(nodes: readonly NodeAddress[]): MissingFigures {
  const each = [...new Set(nodes)].sort();
  return { total: each.length, nodes: each.slice(0, mostMissingNamed) };
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
    missing: facts.isMissing(record),
    created_at: record.createdAt.toISOString(),
  };
}
