/**
 * Whether a node may use more of a feature now. Asked before every call or upload, so usage is held in memory until something
 * changes: who asks after a change waits for a reading that began after it, and all who wait for one share it. What changes with
 * time alone is read again behind the answer after a second, and awaited after `maxAgeMs`. Where it cannot be read, a feature that
 * is blocked at its limit is refused: nobody knows whether anything is left.
 */

import { LRUCache } from "lru-cache";
import { askedFor } from "../clickhouse/client.ts";
import { hourMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Entitlement } from "../contract/quotas.ts";
import { formatInstant } from "../metrics/windows.ts";
import type { ChangedNodes } from "../tree/changed-nodes.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { countedSpan, cyclesUntil, endMsOf } from "./billing-cycle.ts";
import { measureSpan } from "./measure-span.ts";
import type { PeriodSource } from "./period.ts";
import { readTerms } from "./plans.ts";
import { limitState, percentUsed, quotaStatus } from "./quota-status.ts";
import { type Limited, limitedFeatures, termsOf } from "./quotas.ts";
import { reachedAt } from "./reached-at.ts";
import { subscribedNode, subscriptionsChannel, subscriptionsOf } from "./subscriptions.ts";

export interface EntitlementSource extends PeriodSource {
  tree: NodeTree;
  changedNodes: Pick<ChangedNodes, "follow">;
  now?: (() => number) | undefined;
}

/** What is known of a subscribed node's use of all its features. */
interface Known {
  readAtMs: number;
  /** Whether something changed after it was read, or while it was. */
  isOutdated: boolean;
  asOf: string;
  /** Undefined without a subscription. */
  features: ReadonlyMap<string, KnownFeature> | undefined;
  /** When the cycle ends or another plan begins: what is known does not hold from then on. */
  endMs: number;
}

interface Reading {
  known: Promise<Known>;
  /** Whether something changed since it began. */
  isOutdated: boolean;
  /** The reading after it, for all who asked since it is outdated. */
  next?: Promise<Known>;
}

interface KnownFeature {
  isEnabled: boolean;
  /** What is used in a trial costs nothing. */
  isTrial: boolean;
  /** Absent for a feature that is only on or off, or whose meter is not known. */
  limited?: Limited;
  /** Whether its use ends at a limit. */
  isBounded: boolean;
  used: string;
  tz: string;
  /** With `block` and grace, where the limit was reached. */
  graceUntilMs?: number | undefined;
}

const freshMs = 1_000;
const maxAgeMs = 30_000;
const maxNodes = 50_000;
/** How many nodes of one tenant may be read again at once while stale answers are given. */
const maxRefreshesOfTenant = 4;

export class Entitlements {
  readonly #source: EntitlementSource;
  readonly #now: () => number;
  /** By the node whose subscription it is. */
  readonly #known = new LRUCache<NodeAddress, Known>({ max: maxNodes });
  readonly #reading = new Map<NodeAddress, Reading>();
  readonly #refreshes = new Map<NodeAddress, number>();

  constructor(source: EntitlementSource) {
    this.#source = { ...source, clickhouse: askedFor(source.clickhouse) };
    this.#now = source.now ?? Date.now;
    source.changedNodes.follow((nodes) => this.#outdate(nodes));
    const outdateAll = () => this.#outdate([...this.#known.keys(), ...this.#reading.keys()]);
    source.postgres.notices
      .subscribe(subscriptionsChannel, { notified: (node) => this.#outdate([node]), listening: outdateAll })
      // It is tried again until it succeeds.
      .catch(() => undefined);
  }

  /** Rejects where nothing is known of the node and its usage cannot be read. */
  async ask(node: NodeAddress, feature: string): Promise<Entitlement> {
    const nowMs = this.#now();
    const status = this.#source.tree.effectiveStatus(node);
    if (status === "suspended" || status === "cancelled") {
      const watermark = this.#source.watermark().toISOString();
      return { ...nothing(node, feature, watermark), reason: "suspended" };
    }
    const subscribed = subscribedNode(node);
    const held = this.#known.get(subscribed);
    const ageMs = held && nowMs < held.endMs ? nowMs - held.readAtMs : Number.POSITIVE_INFINITY;
    const isRecent = ageMs <= maxAgeMs;
    if (held && isRecent && !held.isOutdated) {
      if (ageMs > freshMs) this.#refresh(subscribed);
      return answerOf(held, node, feature, nowMs, true);
    }
    try {
      return answerOf(await this.#readAfterChanges(subscribed), node, feature, nowMs, true);
    } catch (error) {
      if (!held) throw error;
      return answerOf(held, node, feature, nowMs, isRecent);
    }
  }

  #outdate(nodes: Iterable<NodeAddress>): void {
    for (const node of nodes) {
      for (const one of [this.#known.peek(node), this.#reading.get(node)]) if (one) one.isOutdated = true;
    }
  }

  /** Reads again while a stale answer is given, where the tenant has not too many such readings. */
  #refresh(node: NodeAddress): void {
    const tenant = tenantOf(node, this.#source.tree);
    const running = this.#refreshes.get(tenant) ?? 0;
    if (running >= maxRefreshesOfTenant || this.#reading.has(node)) return;
    this.#refreshes.set(tenant, running + 1);
    const end = () => {
      const left = (this.#refreshes.get(tenant) ?? 1) - 1;
      if (left > 0) this.#refreshes.set(tenant, left);
      else this.#refreshes.delete(tenant);
    };
    // Its failure is met by the next one that asks when what is held has become too old.
    this.#read(node).then(end, end);
  }

  /** However many ask, a node has one reading at a time, and one that waits for its end. */
  #readAfterChanges(node: NodeAddress): Promise<Known> {
    const running = this.#reading.get(node);
    if (!running) return this.#read(node);
    if (!running.isOutdated) return running.known;
    const readNext = () => this.#readAfterChanges(node);
    running.next ??= running.known.then(readNext, readNext);
    return running.next;
  }

  #read(node: NodeAddress): Promise<Known> {
    const reading: Reading = { isOutdated: false, known: readKnown(this.#source, node, this.#now()) };
    reading.known = reading.known
      .then((known) => {
        known.isOutdated = reading.isOutdated;
        this.#known.set(node, known);
        return known;
      })
      .finally(() => this.#reading.delete(node));
    this.#reading.set(node, reading);
    return reading.known;
  }
}

async function readKnown(source: EntitlementSource, node: NodeAddress, nowMs: number): Promise<Known> {
  const asOf = source.watermark().toISOString();
  const { db } = source.postgres;
  const all = await subscriptionsOf(db, node);
  const subscription = all.find((one) => one.startsAt.getTime() <= nowMs && nowMs < endMsOf(one));
  const read = { readAtMs: nowMs, isOutdated: false, asOf };
  const starts = all.map(({ startsAt }) => startsAt.getTime());
  if (!subscription) return { ...read, features: undefined, endMs: firstAfter(nowMs, starts) };
  const [cycle] = cyclesUntil(subscription, nowMs, 0);
  if (!cycle) throw new Error("every instant lies in a cycle");
  const terms = await readTerms(db, subscription.history);
  const counted = countedSpan(subscription, cycle, nowMs);
  if (!counted) return { ...read, features: undefined, endMs: cycle.endMs };
  const { tz, node: subscribed } = subscription;
  const { fromMs, toMs, isTrial, inForce } = counted;
  const limited = limitedFeatures(source, counted, terms);
  const span = { fromMs, toMs, tz };
  const meters = limited.map(({ meter }) => meter);
  const usage = await measureSpan(source, subscribed, meters, { ...span, window: "total" }, nowMs);
  const features = new Map<string, KnownFeature>();
  for (const feature of termsOf(terms, inForce).features) {
    const one = limited.find((candidate) => candidate.feature.key === feature.key);
    const used = String((one && usage.get(one.meter.meter)?.total) ?? 0);
    const isBounded = feature.meter !== null && feature.included !== null && feature.overage === "block";
    const about = { isEnabled: feature.enabled, isBounded, isTrial, used, tz };
    features.set(feature.key, { ...about, ...(one && { limited: one }) });
    if (!one || one.limit === null || feature.grace_hours === 0) continue;
    if (limitState(used, one.limit) !== "reached") continue;
    const hitMs = await reachedAt(source, subscribed, { meter: one.meter, limit: one.limit }, span, nowMs);
    const known = features.get(feature.key);
    if (known && hitMs !== undefined) known.graceUntilMs = hitMs + feature.grace_hours * hourMs;
  }
  return { ...read, features, endMs: inForce.toMs };
}

function answerOf(known: Known, node: NodeAddress, key: string, nowMs: number, isCurrent: boolean): Entitlement {
  const none = { ...nothing(node, key, known.asOf), as_of: known.asOf };
  if (!known.features) return { ...none, reason: "no_subscription" };
  const feature = known.features.get(key);
  if (!feature?.isEnabled) return { ...none, reason: "not_in_plan" };
  const { limited, isBounded, isTrial, used, graceUntilMs, tz } = feature;
  if (!limited && isBounded) return { ...none, reason: "usage_unknown" };
  if (!limited) return { ...none, allowed: true, reason: "unlimited" };
  const { limit, feature: terms } = limited;
  if (limit === null) return { ...none, allowed: true, reason: "unlimited", used };
  const answer = {
    ...none,
    used,
    limit,
    percent: percentUsed(used, limit),
    status: quotaStatus(used, limit),
    grace_until: graceUntilMs === undefined ? null : formatInstant(graceUntilMs, tz),
  };
  if (terms.overage === "block" && !isCurrent) return { ...answer, reason: "usage_unknown" };
  const state = limitState(used, limit);
  if (state === "within") return { ...answer, allowed: true, reason: "within_limit" };
  if (terms.overage === "bill")
    return { ...answer, allowed: true, reason: isTrial ? "overage_in_trial" : "overage_billed" };
  if (terms.overage === "notify") return { ...answer, allowed: true, reason: "overage_notified" };
  if (state === "nothing_included") return { ...answer, reason: "nothing_included" };
  const isInGrace = graceUntilMs !== undefined && nowMs < graceUntilMs;
  return isInGrace ? { ...answer, allowed: true, reason: "in_grace" } : { ...answer, reason: "limit_reached" };
}

function nothing(node: NodeAddress, feature: string, watermark: string): Entitlement {
  const figures = { used: null, limit: null, percent: null, status: null, grace_until: null, as_of: null };
  return { node, feature, allowed: false, reason: "no_subscription", ...figures, watermark };
}

/** Infinity where none of the instants is later. */
function firstAfter(nowMs: number, instants: readonly number[]): number {
  return Math.min(...instants.filter((ms) => ms > nowMs), Number.POSITIVE_INFINITY);
}
