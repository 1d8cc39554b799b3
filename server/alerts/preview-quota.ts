/** When thresholds of limits would have been reached: in each span that counts by itself, each threshold once. */
import { type CountedSpan, countedSpan } from "../billing/billing-cycle.ts";
import { type MeasureOne, measuringTogether } from "../billing/measure-together.ts";
import type { PeriodSource } from "../billing/period.ts";
import { readTerms } from "../billing/plans.ts";
import { hasReached } from "../billing/quota-status.ts";
import { type Limited, limitedFeatures } from "../billing/quotas.ts";
import { reachedBy } from "../billing/reached-at.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import { exact, ratio, roundHalfEven, times } from "../numbers/exact.ts";
import { trimDecimal } from "../numbers/figures.ts";
import { type NotifyingSpan, notifyingSpansOf } from "./notifying-spans.ts";
import { type Would, wouldOf } from "./preview-entry.ts";
import { amountText } from "./wording.ts";

/** A part of a span under one version of a plan, half-open, ms since 1970, UTC. */
interface Piece {
  /** As it was known then: a later change of the plan says nothing of the limits before it. */
  counted: CountedSpan;
  fromMs: number;
  toMs: number;
  tz: string;
}

interface Crossing {
  atMs: number;
  threshold: number;
  value: string;
  limited: Limited & { limit: string };
}

/** In order of time. `span`: ms since 1970, UTC. What was crossed before it is not among it, and not crossed again in the same cycle. */
export async function previewQuota(
  source: PeriodSource,
  condition: ConditionOf<"quota">,
  node: NodeAddress,
  span: { fromMs: number; toMs: number },
): Promise<Would[]> {
  // Past projections of cycles are not kept.
  if (condition.on === "projected") return [];
  const spans = await notifyingSpansOf(source, node, span);
  const terms = await readTerms(
    source.postgres.db,
    spans.flatMap(({ limited }) => limited?.subscription.history ?? []),
  );
  const measureOne = measuringTogether(source, node, span.toMs);
  const found = await Promise.all(
    spans.map(async (within) => {
      const asked = piecesOf(within).flatMap((piece) =>
        limitedFeatures(source, piece.counted, terms)
          .filter(({ feature }) => condition.feature === null || condition.feature === feature.key)
          .map((limited) => crossingsOf(measureOne, condition, limited, piece)),
      );
      return reported((await Promise.all(asked)).flat());
    }),
  );
  return found
    .flat()
    .filter(({ atMs }) => atMs >= span.fromMs && atMs < span.toMs)
    .sort((one, other) => one.atMs - other.atMs)
    .map((one) => describe(node, one));
}

function piecesOf({ limited, toMs, tz }: NotifyingSpan): Piece[] {
  if (!limited) return [];
  const { subscription, cycle, counted } = limited;
  return counted.segments.flatMap(({ fromMs, toMs: endMs }): Piece[] => {
    const history = subscription.history.filter(({ validFrom }, place) => place === 0 || validFrom.getTime() <= fromMs);
    const then = fromMs < toMs ? countedSpan({ ...subscription, history }, cycle, fromMs) : undefined;
    return then ? [{ counted: then, fromMs, toMs: Math.min(endMs, toMs), tz }] : [];
  });
}

/** Of one feature in one piece, each threshold that is reached in it. */
async function crossingsOf(
  measureOne: MeasureOne,
  { thresholds }: ConditionOf<"quota">,
  { limit, ...rest }: Limited,
  { counted, fromMs: pieceMs, toMs, tz }: Piece,
): Promise<Crossing[]> {
  if (limit === null) return [];
  const { feature, meter } = rest;
  const { kind } = meter.rule;
  // A level that fell again was reached all the same; the figure of any other meter at the end says whether it may have been.
  const isLevel = kind === "level" || kind === "value_level";
  const usedUntil = async (untilMs: number) => {
    const usage = await measureOne(meter, { fromMs: counted.fromMs, toMs: untilMs, window: "total", tz });
    return String(usage?.total ?? 0);
  };
  const percents = [...new Set(thresholds ?? feature.thresholds)];
  const used = isLevel ? undefined : await usedUntil(toMs);
  const span = { fromMs: isLevel ? pieceMs : counted.fromMs, toMs, tz };
  const reached = percents.map(async (threshold): Promise<Crossing[]> => {
    if (used !== undefined && !hasReached(used, limit, threshold)) return [];
    const share = times(exact(limit), times(exact(threshold), ratio(1, 100)));
    const amount = trimDecimal(roundHalfEven(share, 9));
    const ms = await reachedBy(measureOne, { meter, limit: amount }, span, toMs);
    if (ms === undefined) return [];
    const atMs = Math.max(ms, pieceMs);
    return [{ atMs, threshold, value: await usedUntil(atMs + 1), limited: { ...rest, limit } }];
  });
  return (await Promise.all(reached)).flat();
}

/**
 * What is reported of a span's crossings: each threshold once, those that one step crosses together as the highest of them, and none
 * while a higher one that was reported before still holds.
 */
function reported(crossings: readonly Crossing[]): Crossing[] {
  const found: Crossing[] = [];
  const passed = new Map<string, Set<number>>();
  for (const one of [...crossings].sort((a, b) => a.atMs - b.atMs || b.threshold - a.threshold)) {
    const { threshold, value, limited } = one;
    const { key } = limited.feature;
    const known = passed.get(key) ?? new Set();
    passed.set(key, known);
    if (known.has(threshold)) continue;
    const isCovered = [...known].some((higher) => higher > threshold && hasReached(value, limited.limit, higher));
    known.add(threshold);
    if (!isCovered) found.push(one);
  }
  return found;
}

function describe(node: NodeAddress, { atMs, threshold, value, limited }: Crossing): Would {
  const { feature, meter, limit } = limited;
  const explanation = `${meter.title}: ${threshold}% of ${amountText(limit, meter.unit)} reached.`;
  return wouldOf({ node, value, limit, threshold, feature: feature.key, meter: meter.meter, explanation }, atMs);
}
