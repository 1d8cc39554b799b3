/**
 * What happened while nothing was evaluated: the instants at which a figure went beyond its bound and came back, so that what came and
 * went is reported as well. Each is evaluated by the figure of that instant; a process that does it again finds what was written.
 */
import { and, gt, inArray, max } from "drizzle-orm";
import type { Meter } from "../catalog/meter.ts";
import { traitsOf } from "../catalog/rule-traits.ts";
import { dayMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import { compareDecimals } from "../numbers/figures.ts";
import type { AccountState } from "../overview/account-state.ts";
import { alerts } from "../postgres/schema/alerts.ts";
import { crossings } from "./crossings.ts";
import { findingOf } from "./evaluate-threshold.ts";
import { findingsOf, noSuchMeter, type ThresholdSource } from "./evaluate-thresholds.ts";
import { lifecycleOf } from "./lifecycle-columns.ts";
import type { AlertRecord } from "./read-alerts.ts";
import { cyclesOf, readFigures, readFiguresSince, windowStart } from "./read-figures.ts";
import { readHistory } from "./read-history.ts";
import { openAlerts, pacingOf, recordEvaluation } from "./record-evaluation.ts";
import type { RuleRecord } from "./rules.ts";
import type { LookBack, Watch, Watched } from "./threshold-rounds.ts";

/** What is older is not looked for. */
const maxMs = 31 * dayMs;
const atOnce = 4;
const maxReported = 50;

interface Pair {
  rule: RuleRecord;
  condition: ConditionOf<"threshold">;
  node: NodeAddress;
  /** Everything up to then was evaluated. */
  sinceMs: number;
  open: AlertRecord | undefined;
}

/**
 * `sinceMs`, `atMs`: what lies between them is evaluated; ms since 1970, UTC. A rule's newest changes at a node are reported, 50 at
 * most. Gives the nodes that there was no time for: they are begun no more after `endsAtMs` (`performance.now()`).
 */
export async function lookBack(
  source: ThresholdSource,
  state: AccountState,
  { asked }: Watch,
  watched: readonly Watched[],
  { sinceMs, atMs, endsAtMs }: LookBack & { atMs: number },
): Promise<Watched[]> {
  const pairs = await pairsOf(source, watched, Math.max(sinceMs, atMs - maxMs), atMs);
  const moved = await mayHaveCrossed(source, state, asked, pairs, atMs);
  const byNode = new Map<NodeAddress, Pair[]>();
  for (const pair of moved) byNode.set(pair.node, [...(byNode.get(pair.node) ?? []), pair]);
  const nodes = [...byNode];
  let begun = 0;
  // At least some, so that each step gets on.
  do {
    const some = nodes.slice(begun, begun + atOnce);
    await Promise.all(some.map(([node, own]) => evaluateHistory(source, state, asked, node, own, atMs)));
    begun += atOnce;
  } while (begun < nodes.length && performance.now() < endsAtMs);
  const left = new Set(nodes.slice(begun).map(([node]) => node));
  return watched.filter(([node]) => left.has(node));
}

async function pairsOf(
  { postgres: { db } }: ThresholdSource,
  watched: readonly Watched[],
  sinceMs: number,
  atMs: number,
): Promise<Pair[]> {
  const ids = [...new Set(watched.flatMap(([, rules]) => rules.map(({ id }) => id)))];
  const open = await openAlerts(db, ids);
  const newest = await db
    .select({ ruleId: alerts.ruleId, node: alerts.node, until: max(alerts.watermark) })
    .from(alerts)
    .where(and(inArray(alerts.ruleId, ids), gt(alerts.watermark, new Date(sinceMs))))
    .groupBy(alerts.ruleId, alerts.node);
  const evaluatedUntil = new Map(newest.map(({ ruleId, node, until }) => [`${ruleId} ${node}`, until?.getTime() ?? 0]));
  return watched.flatMap(([node, rules]) =>
    rules.flatMap((rule): Pair[] => {
      const { condition } = rule;
      if (condition.kind !== "threshold") return [];
      const knownMs = evaluatedUntil.get(`${rule.id} ${node}`) ?? 0;
      const fromMs = Math.max(sinceMs, rule.inForceSince.getTime(), knownMs);
      const row = open.get(rule.id)?.find((one) => one.node === node && one.state !== "resolved");
      return fromMs < atMs ? [{ rule, condition, node, sinceMs: fromMs, open: row }] : [];
    }),
  );
}

/** Most figures never came near their bound: all that was used in the whole span says so, of all nodes in one statement. */
async function mayHaveCrossed(
  source: ThresholdSource,
  state: AccountState,
  asked: Watch["asked"],
  pairs: readonly Pair[],
  atMs: number,
): Promise<readonly Pair[]> {
  const firstMs = pairs.reduce((first, { sinceMs }) => Math.min(first, sinceMs), atMs);
  const bounded = { ...source, meterOf: (...of: Parameters<typeof source.meterOf>) => boundOf(source.meterOf(...of)) };
  const cyclesOfNode = cyclesOf(source, state);
  const largestOf = await readFiguresSince(
    bounded,
    asked,
    pairs.filter(({ condition, open }) => condition.above !== undefined && !open).map(({ node }) => node),
    atMs,
    (node) => windowStart(asked.window, () => cyclesOfNode(node), firstMs),
  );
  return pairs.filter(({ node, condition: { above } }) => {
    const most = largestOf.get(node)?.figure;
    return above === undefined || most === undefined || most === null || compareDecimals(most, above) > 0;
  });
}

/** A meter whose figure of a span is no less than that of any part of it, or at any instant in it; undefined where there is none. */
function boundOf(meter: Meter | undefined): Meter | undefined {
  const rule = meter && traitsOf(meter.rule).bound;
  return rule && { ...meter, rule };
}

async function evaluateHistory(
  source: ThresholdSource,
  state: AccountState,
  asked: Watch["asked"],
  node: NodeAddress,
  pairs: readonly Pair[],
  atMs: number,
): Promise<void> {
  const sinceMs = pairs.reduce((first, pair) => Math.min(first, pair.sinceMs), atMs);
  const history = await readHistory(source, state, asked, node, { sinceMs, atMs });
  for (const { rule, condition, sinceMs: fromMs, open } of pairs) {
    const readings = history
      .filter((point) => point.atMs > fromMs && point.atMs < atMs)
      .map(({ atMs: ms, figure }) => {
        return { atMs: ms, finding: figure === null ? ("unknown" as const) : findingOf(condition, figure) };
      });
    const pacing = (ms: number) => pacingOf(rule, { once: null }, open, ms);
    for (const ms of crossings(readings, open && lifecycleOf(open), pacing, maxReported)) {
      const figures = await readFigures(source, state, asked, [node], ms);
      const findings = findingsOf(rule, node, figures.get(node));
      const evaluation = { nodes: [node], findings, missing: noSuchMeter, isOfPast: true };
      await recordEvaluation(source, rule, evaluation, new Date(ms));
    }
  }
}
