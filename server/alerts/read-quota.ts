/** Where the nodes of quota rules stand in their cycles, from the same figures as GET /v1/period has. */
import { endMsOf, type SubscriptionRecord } from "../billing/billing-cycle.ts";
import { metersOfQuotas, type PeriodSource, readPeriod } from "../billing/period.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import { compareDecimals } from "../numbers/figures.ts";
import type { AccountState } from "../overview/account-state.ts";
import {
  type ReadStandings,
  readStandings,
  runningSubscriptions,
  type Standing,
  type Standings,
} from "../overview/read-standings.ts";
import { evaluateQuota, type LimitedUse } from "./evaluate-quota.ts";
import type { Finding } from "./finding.ts";
import { isAgent, nodeWithoutAgent } from "./visibility.ts";

/** The part of a cycle that has to be over before its end is projected: an hour says nothing about a month. */
const projectedFrom = 0.03;
/** How many spans that ended while nothing was evaluated are evaluated after it. */
const maxMissed = 4;

/** All that these nodes have or had: an agent has those of its organization. */
export function subscriptionsOf(
  { subscriptions }: Pick<AccountState, "subscriptions">,
  nodes: ReadonlySet<NodeAddress>,
): SubscriptionRecord[] {
  const agents = new Map<NodeAddress, NodeAddress[]>();
  for (const agent of [...nodes].filter(isAgent)) {
    const organization = nodeWithoutAgent(agent);
    agents.set(organization, [...(agents.get(organization) ?? []), agent]);
  }
  return subscriptions.flatMap((one) => [
    ...(nodes.has(one.node) ? [one] : []),
    ...(agents.get(one.node) ?? []).map((node) => ({ ...one, node })),
  ]);
}

/** The standings of those nodes that have a subscription at `atMs`. */
export async function standingsOf(
  source: PeriodSource,
  state: AccountState,
  nodes: ReadonlySet<NodeAddress>,
  atMs: number,
): Promise<ReadStandings> {
  return await readStandings(source, { ...state, subscriptions: subscriptionsOf(state, nodes) }, atMs);
}

/** The nodes of which a subscription ended after `sinceMs`, up to `atMs`. */
export function endedSince(
  { subscriptions }: Pick<AccountState, "subscriptions">,
  sinceMs: number,
  atMs: number,
): NodeAddress[] {
  const ended = subscriptions.filter((one) => endMsOf(one) > sinceMs && endMsOf(one) <= atMs);
  return [...new Set(ended.map(({ node }) => node))];
}

/**
 * The standings of the nodes at the ends of the spans that ended after `sinceMs`: what was crossed in their last moments, or
 * while nothing was evaluated, is still reported, even where the subscription has ended. The earliest first; `now`: the standings
 * of those that have one at `atMs`.
 */
export async function missedStandings(
  source: PeriodSource,
  state: AccountState,
  now: Standings,
  { nodes, sinceMs, atMs }: { nodes: ReadonlySet<NodeAddress>; sinceMs: number; atMs: number },
): Promise<{ missed: Standings[]; failed: ReadStandings["failed"] }> {
  const failed = new Map<NodeAddress, unknown>();
  const subscriptions = new Map<NodeAddress, SubscriptionRecord[]>();
  for (const one of subscriptionsOf(state, nodes)) {
    const beside = subscriptions.get(one.node);
    if (beside) beside.push(one);
    else subscriptions.set(one.node, [one]);
  }
  const missed: Standings[] = [];
  let later = new Map([...subscriptions.keys()].map((node) => [node, now.has(node) ? beginOf(now, node) : atMs]));
  for (let turn = 0; turn < maxMissed; turn++) {
    const ends = new Map<number, Set<NodeAddress>>();
    for (const [node, untilMs] of later) {
      const endMs = untilMs === undefined ? undefined : lastEnd(subscriptions.get(node) ?? [], untilMs);
      if (endMs === undefined || endMs <= sinceMs) continue;
      ends.set(endMs, (ends.get(endMs) ?? new Set()).add(node));
    }
    const before = new Map<NodeAddress, Standing>();
    for (const [endMs, some] of ends) {
      const read = await standingsOf(source, state, some, endMs - 1);
      for (const [node, one] of read.standings) before.set(node, one);
      for (const [node, error] of read.failed) failed.set(node, error);
    }
    if (before.size === 0) break;
    missed.unshift(before);
    later = new Map([...before.keys()].map((node) => [node, beginOf(before, node)]));
  }
  return { missed, failed };
}

const beginOf = (standings: Standings, node: NodeAddress) => standings.get(node)?.counted?.fromMs;

/** When the last span before an instant ended: then, where a subscription runs until then, else with the last that ran. */
function lastEnd(subscriptions: readonly SubscriptionRecord[], untilMs: number): number | undefined {
  const ends = subscriptions
    .filter((one) => one.startsAt.getTime() < Math.min(untilMs, endMsOf(one)))
    .map((one) => Math.min(untilMs, endMsOf(one)));
  return ends.length === 0 ? undefined : Math.max(...ends);
}

/** Nodes without a standing have nothing to be evaluated by, and are left out. */
export function evaluateUsed(
  condition: ConditionOf<"quota">,
  nodes: Iterable<NodeAddress>,
  standings: Standings,
): Finding[] {
  const findings: Finding[] = [];
  for (const node of nodes) {
    const standing = standings.get(node);
    if (!standing?.counted) continue;
    const { counted, cycle, features } = standing;
    const limited = features.map(({ feature, meter, used, limit }): LimitedUse => {
      const { key, thresholds } = feature;
      const { meter: name, title, unit } = meter;
      return { feature: key, meter: name, title, unit, thresholds, figure: used, limit };
    });
    const endMs = counted.isTrial ? counted.toMs : cycle.endMs;
    findings.push(...evaluateQuota(condition, node, limited, { startMs: counted.fromMs, endMs }));
  }
  return findings;
}

/** The same for the projected end of the cycle, at the pace so far. */
export async function evaluateProjected(
  source: PeriodSource,
  condition: ConditionOf<"quota">,
  node: NodeAddress,
  atMs: number,
): Promise<Finding[]> {
  const period = await readPeriod(source, node, 0, atMs);
  const { counted, quotas, end } = period;
  if (!counted) return [];
  const meters = await metersOfQuotas(source, period);
  const startMs = Date.parse(counted.from);
  const endMs = Date.parse(counted.is_trial ? counted.to : end);
  const isEarly = atMs - startMs < projectedFrom * (endMs - startMs);
  return quotas.flatMap(({ feature, meter, unit, thresholds, used, projected, limit }): Finding[] => {
    const percents = thresholds.map(({ percent }) => percent);
    const title = meters.get(feature)?.title ?? meter;
    const expected = isEarly ? undefined : projected?.value;
    // A cycle ends with no less than what is used in it by now.
    const figure = expected === undefined || compareDecimals(used, expected) > 0 ? used : expected;
    const one: LimitedUse = { feature, meter, title, unit, thresholds: percents, figure, limit };
    const findings = evaluateQuota(condition, node, [one], { startMs, endMs });
    if (expected !== undefined) return findings;
    // What is used stands already; that it will stay below a threshold cannot be known yet.
    return findings.map((found) => (found.finding === "holds" ? found : { ...found, finding: "unknown" }));
  });
}

export function subscribedNodes(state: AccountState, atMs: number): ReadonlySet<NodeAddress> {
  return new Set(runningSubscriptions(state, atMs).keys());
}
