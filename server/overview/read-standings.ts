/**
 * The standing of every subscribed node in its billing cycle: how much of each limit is used, as GET /v1/period answers it
 * for one node, for all of them at once.
 */
import { setImmediate as turn } from "node:timers/promises";
import {
  type CountedSpan,
  type Cycle,
  countedSpan,
  cyclesUntil,
  endMsOf,
  type PlanSegment,
  planAt,
  type SubscriptionRecord,
  segmentsOf,
  statusOf,
} from "../billing/billing-cycle.ts";
import { measureSpan, type UsageSource } from "../billing/measure-span.ts";
import { percentUsed, quotaStatus } from "../billing/quota-status.ts";
import { type Limited, limitedFeatures } from "../billing/quotas.ts";
import { meterIdentity } from "../catalog/catalog.ts";
import type { Meter } from "../catalog/meter.ts";
import { nodeAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { type QuotaStatus, quotaStatuses } from "../contract/quota-status.ts";
import type { SubscriptionStatus } from "../contract/subscriptions.ts";
import { compareDecimals } from "../numbers/figures.ts";
import type { AccountState } from "./account-state.ts";
import {
  type FigureByOrganization,
  hasRollups,
  isMeasuredTogether,
  measureByStart,
  measureOrganizations,
  type WantedMeter,
} from "./measure-organizations.ts";

export interface UsedFeature extends Limited {
  used: string;
}

export interface Standing {
  node: NodeAddress;
  subscription: SubscriptionRecord;
  status: SubscriptionStatus;
  planId: string;
  version: number;
  cycle: Cycle;
  segments: readonly PlanSegment[];
  /** The part of the cycle whose usage `features` has. */
  counted: CountedSpan | undefined;
  features: readonly UsedFeature[];
  quota: NodeQuota | null;
}

/** The most used of a node's limits, by the shared rule; null where nothing is limited. */
interface NodeQuota {
  status: QuotaStatus;
  feature: string;
  /** The title of the feature's meter. */
  title: string;
  /** As `percentUsed`. */
  percent: string | null;
}

/** Comparing exact decimals of thousands of limits takes a while, during which others are to be answered too. */
const standingsPerTurn = 100;

export type Standings = ReadonlyMap<NodeAddress, Standing>;

/** Those that could not be read have no standing, and hold up no others. */
export interface ReadStandings {
  standings: Standings;
  /** With what was thrown. */
  failed: ReadonlyMap<NodeAddress, unknown>;
}

export function runningSubscriptions({ subscriptions }: Pick<AccountState, "subscriptions">, nowMs: number) {
  const running = subscriptions.filter((one) => one.startsAt.getTime() <= nowMs && nowMs < endMsOf(one));
  return new Map(running.map((one) => [one.node, one]));
}

/**
 * Whose limits cost a statement or more of their own, and whose do not: all of these together are read in a few statements,
 * whatever their number.
 */
export function byCost(
  source: UsageSource,
  state: AccountState,
  nowMs: number,
): { cheap: SubscriptionRecord[]; costly: SubscriptionRecord[] } {
  const found = { cheap: [] as SubscriptionRecord[], costly: [] as SubscriptionRecord[] };
  const { standings } = unmeasured(source, state, nowMs);
  for (const [node, subscription] of runningSubscriptions(state, nowMs)) {
    const standing = standings.get(node);
    // What cannot even be made out is left to whoever reads node by node.
    const isCheap = standing?.features.every(({ meter }) => isReadTogether(standing, meter)) ?? false;
    found[isCheap ? "cheap" : "costly"].push(subscription);
  }
  return found;
}

const isReadTogether = (standing: Standing, meter: Meter) =>
  standing.node.startsWith("organization:") && isMeasuredTogether(startOf(standing)) && hasRollups(meter);

/** Rejects only where what is read of all together could not be read. */
export async function readStandings(source: UsageSource, state: AccountState, nowMs: number): Promise<ReadStandings> {
  const { standings, failed } = unmeasured(source, state, nowMs);
  for (const [node, error] of await measure(source, [...standings.values()], nowMs)) {
    failed.set(node, error);
    standings.delete(node);
  }
  let done = 0;
  for (const standing of standings.values()) {
    standing.quota = quotaOf(standing);
    if (++done % standingsPerTurn === 0) await turn();
  }
  return { standings, failed };
}

/** Nothing is used of any limit yet. */
function unmeasured(source: UsageSource, state: AccountState, nowMs: number) {
  const standings = new Map<NodeAddress, Standing>();
  const failed = new Map<NodeAddress, unknown>();
  for (const [node, subscription] of runningSubscriptions(state, nowMs)) {
    try {
      standings.set(node, unmeasuredOf(source, state, subscription, nowMs));
    } catch (error) {
      failed.set(node, error);
    }
  }
  return { standings, failed };
}

function unmeasuredOf(
  source: UsageSource,
  { terms }: AccountState,
  subscription: SubscriptionRecord,
  nowMs: number,
): Standing {
  const [cycle] = cyclesUntil(subscription, nowMs, 0);
  if (!cycle) throw new Error("every instant lies in a cycle");
  const counted = countedSpan(subscription, cycle, nowMs);
  const limited = counted ? limitedFeatures(source, counted, terms) : [];
  const { planId, version } = planAt(subscription, nowMs);
  return {
    node: subscription.node,
    subscription,
    planId,
    version,
    cycle,
    counted,
    status: statusOf(subscription, nowMs),
    segments: segmentsOf(subscription, cycle),
    features: limited.map((one) => ({ ...one, used: "0" })),
    quota: null,
  };
}

function quotaOf({ features }: Pick<Standing, "features">): NodeQuota | null {
  let worst: (NodeQuota & { rank: number }) | null = null;
  for (const { feature, meter, used, limit } of features) {
    if (limit === null) continue;
    const status = quotaStatus(used, limit);
    const [rank, percent] = [quotaStatuses.indexOf(status), percentUsed(used, limit)];
    if (worst && (worst.rank > rank || (worst.rank === rank && !isMore(percent, worst.percent)))) continue;
    worst = { status, feature: feature.key, title: meter.title, percent, rank };
  }
  if (!worst) return null;
  const { rank: _, ...quota } = worst;
  return quota;
}

/** A limit of 0, which has no percentage, comes before all that have one. */
function isMore(percent: string | null, than: string | null): boolean {
  if (percent === null || than === null) return percent === null && than !== null;
  return compareDecimals(percent, than) > 0;
}

interface Wanted extends WantedMeter {
  starts: Map<string, number>;
  /** By the organization's id. */
  features: Map<string, UsedFeature[]>;
}

/**
 * Fills in `used`: each meter of all organizations together, or of those with one start; of other nodes node by node. Gives the
 * nodes of which something could not be read by itself, with what was thrown.
 */
async function measure(
  source: UsageSource,
  standings: readonly Standing[],
  nowMs: number,
): Promise<Map<NodeAddress, unknown>> {
  const failed = new Map<NodeAddress, unknown>();
  const together = new Map<string, Wanted>();
  const byStart = new Map<string, Wanted>();
  for (const standing of standings) {
    const parsed = parseNode(standing.node);
    if (parsed.kind !== "organization") {
      await measureAlone(source, standing, standing.features, nowMs).catch((error: unknown) => {
        failed.set(standing.node, error);
      });
      continue;
    }
    for (const feature of standing.features) {
      const { meter } = feature;
      const group = isReadTogether(standing, meter) ? together : byStart;
      const identity = meterIdentity(meter);
      const wanted: Wanted = group.get(identity) ?? { meter, starts: new Map(), features: new Map() };
      group.set(identity, wanted);
      wanted.starts.set(parsed.id, startOf(standing));
      wanted.features.set(parsed.id, [...(wanted.features.get(parsed.id) ?? []), feature]);
    }
  }
  const wanted = [...together.values()];
  const measured = await measureOrganizations(source.clickhouse, wanted, nowMs);
  for (const [index, one] of wanted.entries()) fillIn(one, measured[index]);
  for (const one of byStart.values())
    try {
      fillIn(one, await measureByStart(source.clickhouse, one, nowMs));
    } catch (error) {
      for (const organization of one.starts.keys()) failed.set(nodeAddress("organization", organization), error);
    }
  return failed;
}

function fillIn({ features }: Wanted, measured: FigureByOrganization | undefined): void {
  for (const [organization, own] of features)
    for (const feature of own) feature.used = String(measured?.get(organization) ?? 0);
}

async function measureAlone(
  source: UsageSource,
  standing: Standing,
  features: readonly UsedFeature[],
  nowMs: number,
): Promise<void> {
  if (features.length === 0) return;
  const { node, subscription, counted } = standing;
  const span = {
    fromMs: startOf(standing),
    toMs: counted?.toMs ?? nowMs,
    window: "total" as const,
    tz: subscription.tz,
  };
  const meters = features.map(({ meter }) => meter);
  const usage = await measureSpan(source, node, meters, span, nowMs);
  for (const feature of features) feature.used = String(usage.get(feature.meter.meter)?.total ?? 0);
}

const startOf = ({ counted, cycle }: Standing) => counted?.fromMs ?? cycle.startMs;
