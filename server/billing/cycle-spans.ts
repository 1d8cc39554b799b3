/** Which billing cycles a node has had and will have, without a gap: those of one subscription after those of another. */
import { inArray } from "drizzle-orm";
import type { NodeAddress } from "../contract/nodes.ts";
import { cycleContaining } from "../metrics/windows.ts";
import type { Queries } from "../postgres/client.ts";
import { subscriptions } from "../postgres/schema/plans.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { endMsOf, type SubscriptionRow } from "./billing-cycle.ts";

/** While the same subscription says when cycles begin: [fromMs, toMs), ms since 1970, UTC; without bounds where nothing is known. */
export interface CycleSpan {
  fromMs: number;
  toMs: number;
  anchor: number;
  /** IANA. */
  tz: string;
}

type Subscribed = Pick<
  SubscriptionRow,
  "id" | "node" | "anchor" | "tz" | "startsAt" | "expiresAt" | "renews" | "cancelledAt"
>;

/**
 * In order, without a gap. `path`: the node and those above it, the nearest first; the nearest that has a subscription says when
 * cycles begin, and where none has one they begin on the 1st, UTC. Pure.
 */
export function cycleSpansOf(path: readonly NodeAddress[], all: readonly Subscribed[]): CycleSpan[] {
  const held = all
    .map((one) => ({ ...one, fromMs: one.startsAt.getTime(), toMs: endMsOf(one), rank: path.indexOf(one.node) }))
    .filter(({ fromMs, toMs, rank }) => fromMs < toMs && rank >= 0)
    .sort((a, b) => a.rank - b.rank || b.fromMs - a.fromMs);
  const bounds = [...new Set([Number.NEGATIVE_INFINITY, ...held.flatMap(({ fromMs, toMs }) => [fromMs, toMs])])]
    .filter((ms) => ms < Number.POSITIVE_INFINITY)
    .sort((a, b) => a - b);
  const spans: (CycleSpan & { id: string })[] = [];
  for (const [index, fromMs] of bounds.entries()) {
    const toMs = bounds[index + 1] ?? Number.POSITIVE_INFINITY;
    const { id, anchor, tz } = held.find((one) => one.fromMs <= fromMs && fromMs < one.toMs) ?? unsubscribed;
    const last = spans.at(-1);
    if (last?.id === id) last.toMs = toMs;
    else spans.push({ id, fromMs, toMs, anchor, tz });
  }
  return spans.map(({ id: _id, ...span }) => span);
}

const unsubscribed = { id: "", anchor: 1, tz: "UTC" };

export async function readCycleSpans(
  db: Queries,
  tree: Pick<NodeTree, "ancestors">,
  node: NodeAddress,
): Promise<CycleSpan[]> {
  const path = tree.ancestors(node);
  return cycleSpansOf(path, await db.select().from(subscriptions).where(inArray(subscriptions.node, path)));
}

/** The cycle that an instant lies in, [fromMs, toMs): it begins and ends early with the subscription that it is of. */
export function cycleIn(spans: readonly CycleSpan[], ms: number): { fromMs: number; toMs: number; tz: string } {
  const span = spans.find(({ fromMs, toMs }) => fromMs <= ms && ms < toMs);
  if (!span) throw new Error("the spans of a node's cycles have a gap");
  const { startMs, endMs } = cycleContaining(ms, span.tz, span.anchor);
  return { fromMs: Math.max(startMs, span.fromMs), toMs: Math.min(endMs, span.toMs), tz: span.tz };
}
