/** Which billing cycles a node has had and will have, without a gap: those of one subscription after those of another. */
import { inArray } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import type { CycleSpan } from "../metrics/windows.ts";
import type { Queries } from "../postgres/client.ts";
import { subscriptions } from "../postgres/schema/plans.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import type { PathSpan } from "../tree/nodes-in-memory.ts";
import { endMsOf, type SubscriptionRow } from "./billing-cycle.ts";
import { subscribedNode } from "./subscriptions.ts";

type Subscribed = Pick<
  SubscriptionRow,
  "id" | "node" | "anchor" | "tz" | "startsAt" | "expiresAt" | "renews" | "cancelledAt"
>;

/** A node and those above it, the nearest first, while they stood so: ms since 1970, UTC, half-open. */
type Standing = Pick<PathSpan, "fromMs" | "toMs" | "path">;

export interface SubscribedSpan extends CycleSpan {
  /** Whether a subscription says when cycles begin: without one they begin on the 1st, UTC. */
  isSubscribed: boolean;
}

/**
 * In order, without a gap, where `standings` have none: of the nodes above it at the time the nearest that had a subscription then
 * says when cycles begin. Pure.
 */
export function cycleSpansOf(standings: readonly Standing[], all: readonly Subscribed[]): SubscribedSpan[] {
  const spans: (SubscribedSpan & { id: string })[] = [];
  for (const standing of standings)
    for (const span of spansWithin(standing, all)) {
      const last = spans.at(-1);
      if (last?.id === span.id) last.toMs = span.toMs;
      else spans.push(span);
    }
  return spans.map(({ id: _id, ...span }) => span);
}

function spansWithin({ path, ...standing }: Standing, all: readonly Subscribed[]) {
  const held = all
    .map((one) => ({ ...one, fromMs: one.startsAt.getTime(), toMs: endMsOf(one), rank: path.indexOf(one.node) }))
    .filter(({ fromMs, toMs, rank }) => fromMs < toMs && rank >= 0)
    .sort((a, b) => a.rank - b.rank || b.fromMs - a.fromMs);
  const bounds = [...new Set([standing.fromMs, ...held.flatMap(({ fromMs, toMs }) => [fromMs, toMs])])]
    .filter((ms) => standing.fromMs <= ms && ms < standing.toMs)
    .sort((a, b) => a - b);
  return bounds.map((fromMs, index) => {
    const toMs = bounds[index + 1] ?? standing.toMs;
    const { id, anchor, tz } = held.find((one) => one.fromMs <= fromMs && fromMs < one.toMs) ?? unsubscribed;
    return { id, fromMs, toMs, anchor, tz, isSubscribed: id !== unsubscribed.id };
  });
}

const unsubscribed = { id: "", anchor: 1, tz: "UTC" };

/** Those that a node had and is to have, as it stood below others at the time; an agent has those of its organization. */
export async function readCycleSpans(
  db: Queries,
  tree: Pick<NodeTree, "pathsBetween">,
  node: NodeAddress,
): Promise<SubscribedSpan[]> {
  const standings = standingsOf(tree, node);
  const held = await db
    .select()
    .from(subscriptions)
    .where(inArray(subscriptions.node, placesOf(standings)));
  return cycleSpansOf(standings, held);
}

/** The same from subscriptions that are held in memory, by node. */
export function cycleSpansAmong(
  held: ReadonlyMap<NodeAddress, readonly Subscribed[]>,
  tree: Pick<NodeTree, "pathsBetween">,
  node: NodeAddress,
): SubscribedSpan[] {
  const standings = standingsOf(tree, node);
  return cycleSpansOf(
    standings,
    placesOf(standings).flatMap((place) => held.get(place) ?? []),
  );
}

const standingsOf = (tree: Pick<NodeTree, "pathsBetween">, node: NodeAddress) =>
  tree.pathsBetween(subscribedNode(node), Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
const placesOf = (standings: readonly Standing[]) => [...new Set(standings.flatMap(({ path }) => path))];

/** The same for somebody who asks by a zone: where no subscription says so, cycles begin on the 1st there. */
export function cyclesShownIn(spans: readonly SubscribedSpan[], tz: string | undefined): CycleSpan[] {
  return spans.map((span) => (span.isSubscribed || tz === undefined ? span : { ...span, tz }));
}

/**
 * The zone of the subscription whose cycles hold at an instant that is told by a date of that zone; where none holds then, of the
 * next one, else of the last. Undefined where there never was one.
 */
export function zoneOfCycles(spans: readonly SubscribedSpan[], instantIn: (tz: string) => number): string | undefined {
  const subscribed = spans.filter((span) => span.isSubscribed);
  return (subscribed.find(({ tz, toMs }) => instantIn(tz) < toMs) ?? subscribed.at(-1))?.tz;
}
