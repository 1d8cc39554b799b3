/**
 * What a plan would have come to: its prices and limits on the usage of cycles that are over, part by part as they were
 * charged, beside what was charged. Nothing of it is kept.
 */

import pLimit from "p-limit";
import { hourMs } from "../../contract/durations.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import type { PriceLevel } from "../../contract/plans.ts";
import type { WhatIf, WhatIfCompared, WhatIfCycle, WhatIfLimit } from "../../contract/what-if.ts";
import { formatInstant } from "../../metrics/windows.ts";
import { exact, minus, ratio, roundHalfEven, times } from "../../numbers/exact.ts";
import { compareDecimals, trimDecimal } from "../../numbers/figures.ts";
import type { NodeRecord } from "../../tree/node-record.ts";
import type { Cycle, SubscriptionRecord } from "../billing-cycle.ts";
import { cyclesBefore, cyclesUntil } from "../billing-cycle.ts";
import { afterTrial, type ChargedSegment, chargesOf } from "../charges.ts";
import { meterOfFeature } from "../plan-meters.ts";
import type { OwnedTerms } from "../plans.ts";
import { includedIn, roundMoney } from "../pricing.ts";
import { hasReached, percentUsed } from "../quota-status.ts";
import { reachedAt } from "../reached-at.ts";
import { measureSegments } from "../read-charges.ts";
import { cycleSettings, subscriptionsOf } from "../subscriptions.ts";
import type { StatementSource } from "./close-statements.ts";
import { type DuePart, dueParts } from "./due-parts.ts";
import { chargedFor } from "./read-charged.ts";
import { payingLevels, sumOfAmounts } from "./statement-charges.ts";

export interface WhatIfQuestion {
  node: NodeAddress;
  /** Each is charged as a subscriber of its own. */
  nodes: readonly Pick<NodeRecord, "node" | "name">[];
  cycles: number;
  terms: OwnedTerms;
  /** The price levels shown for a node that stood at this path, nearest first: none where the caller may not know that time. */
  visibleLevelsOnRecord: (path: NodeAddress[]) => ReadonlySet<PriceLevel>;
}

export type WhatIfSource = Omit<StatementSource, "settledBatch" | "log">;

/** Nodes that are asked about at once. */
const atOnce = 4;
/** The smallest amount. */
const least = "0.000000001";
const draft = { planId: "draft", version: 1 };

export async function answerWhatIf(source: WhatIfSource, question: WhatIfQuestion, nowMs: number): Promise<WhatIf> {
  const { terms } = question;
  const watermark = source.watermark().toISOString();
  const found = await pLimit(atOnce).map(question.nodes, ({ node }) => cyclesOfNode(source, question, node, nowMs));
  const nodes = question.nodes.map(({ node, name }, index) => ({
    node,
    name,
    cycles: (found[index] ?? []).map(({ cycle }) => cycle),
  }));
  const elsewhere = found.flat().flatMap((cycle) => cycle.elsewhere);
  const all = nodes.flatMap(({ cycles }) => cycles);
  const withLimits = (test: (limit: WhatIfLimit) => boolean) =>
    nodes.filter(({ cycles }) => cycles.some(({ limits }) => limits.some(test))).map(({ node }) => node);
  return {
    node: question.node,
    watermark,
    currency: terms.currency,
    totals: totalsOf(all.flatMap(({ compared }) => compared)),
    charged_elsewhere: mergeElsewhere(elsewhere),
    blocked: withLimits(({ blocked_at }) => blocked_at !== null),
    alerted: withLimits(({ alerts }) => alerts.length > 0),
    nodes,
  };
}

interface AnsweredCycle {
  cycle: WhatIfCycle;
  elsewhere: WhatIf["charged_elsewhere"];
}

async function cyclesOfNode(
  source: WhatIfSource,
  { cycles, terms, visibleLevelsOnRecord }: WhatIfQuestion,
  node: NodeAddress,
  nowMs: number,
): Promise<AnsweredCycle[]> {
  const { db } = source.postgres;
  const subscriptions = await subscriptionsOf(db, node);
  const paths = (fromMs: number, toMs: number) => source.tree.pathsBetween(node, fromMs, toMs);
  const over = cyclesBefore(subscriptions, nowMs, cycles + 1).filter(({ endMs }) => endMs <= nowMs);
  const parts: (DuePart & { subscription?: SubscriptionRecord; tz: string })[] = [];
  for (const { subscription, cycle, endMs } of over.slice(0, cycles).reverse())
    for (const part of dueParts(subscription, cycle.startMs, endMs, paths))
      parts.push({ ...part, subscription, tz: subscription.tz });
  if (subscriptions.length === 0) {
    const settings = await cycleSettings(db, source.tree, node, nowMs);
    const before = cyclesUntil({ ...settings, startsAt: new Date(0) }, nowMs, cycles)
      .slice(1)
      .reverse();
    for (const cycle of before)
      for (const span of paths(cycle.startMs, cycle.endMs))
        parts.push({ ...span, cycle, segments: [], tz: settings.tz });
  }
  const answered: AnsweredCycle[] = [];
  for (const part of parts) {
    const { subscription, tz, cycle, path } = part;
    const levels = payingLevels(path)
      .map(({ level }) => level)
      .filter((level) => visibleLevelsOnRecord(path).has(level));
    const whole = { ...draft, fromMs: part.fromMs, toMs: part.toMs };
    const [charged] = afterTrial([whole], subscription?.trialEndsAt ?? null);
    if (levels.length === 0 || !charged) continue;
    const known = subscription && (await chargedFor(source, subscription, part, nowMs));
    const [segment] = await measureSegments(source, { node, tz }, [charged], new Map([["draft 1", terms]]), nowMs);
    if (!segment) continue;
    const charges = chargesOf([segment], cycle, tz, levels);
    const sums = (known?.charges ?? []).filter(({ level }) => levels.includes(level));
    const compared = levels.flatMap((level): WhatIfCompared[] => {
      const now = charges.find((one) => one.level === level);
      const then = sums.find((one) => one.level === level && one.currency === terms.currency)?.charged ?? null;
      if (!now && then === null) return [];
      return [
        compare(level, terms.currency, now?.total ?? sumOfAmounts([], terms.currency), now?.margin ?? null, then),
      ];
    });
    answered.push({
      cycle: {
        start: formatInstant(cycle.startMs, tz),
        end: formatInstant(cycle.endMs, tz),
        from: formatInstant(charged.fromMs, tz),
        to: formatInstant(charged.toMs, tz),
        basis: known?.basis ?? "none",
        compared,
        charges,
        limits: await limitsOf(source, node, tz, cycle, { ...segment, terms }, nowMs),
      },
      elsewhere: sums.filter(({ currency }) => currency !== terms.currency),
    });
  }
  return answered;
}

/** Which thresholds of the part's limits would have been reached when, and when more would have been refused. */
async function limitsOf(
  source: WhatIfSource,
  node: NodeAddress,
  tz: string,
  cycle: Cycle,
  { terms, used, fromMs, toMs }: ChargedSegment & { terms: OwnedTerms },
  nowMs: number,
): Promise<WhatIfLimit[]> {
  const share = ratio(toMs - fromMs, cycle.endMs - cycle.startMs);
  const limits: WhatIfLimit[] = [];
  for (const feature of terms.features) {
    const { key, included, thresholds, overage, grace_hours } = feature;
    const measured = used.get(key);
    const meter = meterOfFeature(source, terms, feature, toMs);
    if (!measured || !meter || included === null) continue;
    const limit = includedIn(exact(included), { share, isSum: measured.isSum });
    const written = trimDecimal(roundHalfEven(limit, 6));
    const at = async (percent: number): Promise<number | undefined> => {
      const bound = trimDecimal(roundHalfEven(times(limit, times(exact(percent), ratio(1, 100))), 9));
      const wanted = compareDecimals(bound, least) < 0 ? least : bound;
      return await reachedAt(source, node, { meter, limit: wanted }, { fromMs, toMs, tz }, nowMs);
    };
    const alerts: WhatIfLimit["alerts"] = [];
    for (const percent of [...thresholds].sort((a, b) => a - b)) {
      if (!hasReached(measured.amount, written, percent)) continue;
      const ms = await at(percent);
      alerts.push({ percent, at: ms === undefined ? null : formatInstant(ms, tz) });
    }
    const isHit = overage === "block" && hasReached(measured.amount, written, 100);
    const hitMs = isHit ? await at(100) : undefined;
    const blockedMs = hitMs === undefined ? undefined : hitMs + grace_hours * hourMs;
    const isBlocked = blockedMs !== undefined && blockedMs < toMs;
    if (alerts.length === 0 && !isBlocked) continue;
    limits.push({
      feature: key,
      meter: measured.meter,
      unit: measured.unit,
      used: measured.amount,
      limit: written,
      overage,
      alerts,
      percent: percentUsed(measured.amount, written),
      blocked_at: isBlocked ? formatInstant(blockedMs, tz) : null,
    });
  }
  return limits;
}

function compare(
  level: PriceLevel,
  currency: string,
  total: string,
  margin: string | null,
  charged: string | null,
): WhatIfCompared {
  const difference = charged === null ? null : roundMoney(minus(exact(total), exact(charged)), currency);
  return { level, currency, total, margin, charged, difference };
}

function totalsOf(compared: readonly WhatIfCompared[]): WhatIfCompared[] {
  const levels = [...new Set(compared.map(({ level }) => level))];
  return levels.map((level) => {
    const own = compared.filter((one) => one.level === level);
    const currency = own[0]?.currency ?? "";
    const sum = (amounts: (string | null)[]) => {
      const known = amounts.filter((amount) => amount !== null);
      return known.length === 0 ? null : sumOfAmounts(known, currency);
    };
    const total = sum(own.map((one) => one.total)) ?? sumOfAmounts([], currency);
    return compare(
      level,
      currency,
      total,
      sum(own.map(({ margin }) => margin)),
      sum(own.map(({ charged }) => charged)),
    );
  });
}

function mergeElsewhere(found: WhatIf["charged_elsewhere"]): WhatIf["charged_elsewhere"] {
  const keys = [...new Set(found.map(({ level, currency }) => `${level} ${currency}`))].sort();
  return keys.flatMap((key) => {
    const own = found.filter(({ level, currency }) => `${level} ${currency}` === key);
    const [first] = own;
    if (!first) return [];
    const { level, currency } = first;
    const charged = sumOfAmounts(
      own.map((one) => one.charged),
      currency,
    );
    return [{ level, currency, charged }];
  });
}
