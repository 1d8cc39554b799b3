/** A question of usage, answered: its parameters, bounds and windows, whoever asks it. */
import { cyclesShownIn, type SubscribedSpan, zoneOfCycles } from "../billing/cycle-spans.ts";
import { sharedDimensions } from "../catalog/catalog.ts";
import { parseFilters } from "../catalog/filters.ts";
import type { Meter } from "../catalog/meter.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { dayMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { UsageAnswer, UsageQuery } from "../contract/usage.ts";
import type { Actor } from "../identity/actor.ts";
import { checkOwnerFilters, ownerGroupsNamed } from "../lists/former-owners.ts";
import type { CustomMeters } from "../meters/custom-meters.ts";
import { type AskedSize, largeFigures, maxMeters, sizeOfAnswer, TooManyFiguresError } from "../metrics/answer-size.ts";
import { answerComparedUsage } from "../metrics/compare-usage.ts";
import {
  type ComparedRange,
  comparedInSlices,
  pairingOf,
  parseCompared,
  usualComparedWindows,
} from "../metrics/comparison.ts";
import type { Pairing } from "../metrics/paired-windows.ts";
import { answerUsage, type UsageQuestion } from "../metrics/usage.ts";
import { InvalidTimeError, type Window, type WindowedRange, windowsInSlices } from "../metrics/windows.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { checkOrder, readInstant } from "./time-range.ts";

export interface UsageSources {
  tree: Pick<NodeTree, "ancestors" | "isWithin">;
  watermark: () => Date;
  customMeters: CustomMeterLookup;
  /** When billing cycles of a node began and will begin. */
  cyclesOf: (node: NodeAddress) => Promise<SubscribedSpan[]>;
}

export interface AskedUsage {
  query: UsageQuery;
  /** At least one, each of which the reader may read. */
  nodes: readonly NodeAddress[];
  /** By whose rights former owners are named. */
  reader: Pick<Actor, "reach">;
  store: ClickHouse;
  /** Called before the stores are asked, where the answer is large; the answer waits for it. */
  becomeLarge: () => Promise<void>;
}

type CustomMeterLookup = Pick<CustomMeters, "find">;

const defaultRangeMs = 30 * dayMs;

/**
 * An answer for each of the nodes, in their order, known as far as `watermark`. Throws `invalid_request` naming the parameter at
 * fault.
 */
export async function askUsage(
  { tree, watermark, customMeters, cyclesOf }: UsageSources,
  { query, nodes, reader, store, becomeLarge }: AskedUsage,
  nowMs: number,
): Promise<{ answers: [UsageAnswer, ...UsageAnswer[]]; watermark: Date; isLarge: boolean }> {
  const { question, metersOfNodes } = await readQuestion({ customMeters, cyclesOf }, { query, nodes }, nowMs);
  for (const node of nodes) checkOwnerFilters(tree, reader, node, question.filters);
  const lengthMs = question.toMs - question.fromMs;
  const sized = { window: query.window, meters: [...metersOfNodes.values()], groups: question.groupBy?.limit };
  sizeOf({ ...sized, lengthMs, comparedWindows: 0 });
  const pairing = pairingFor(query, question, nowMs);
  const comparedWindows = pairing ? usualComparedWindows(pairing) : 0;
  const isLarge = sizeOf({ ...sized, lengthMs, comparedWindows }) > largeFigures;
  if (isLarge) await becomeLarge();
  const { windows, compared } = await questionWindows(question, pairing);
  const asOf = watermark();
  const answers: UsageAnswer[] = [];
  // One node after another: what one question may ask of the store at once stays the same.
  for (const [node, meters] of metersOfNodes) {
    const known = await answer(store, { ...question, windows, node, meters }, compared, asOf, nowMs);
    const named = ownerGroupsNamed(tree, reader, { node, dimension: query.group_by });
    const shown = known.meters.map((one) => (one.groups ? { ...one, groups: named(one.groups) } : one));
    answers.push({ ...known, meters: shown });
  }
  return { answers: answers as [UsageAnswer, ...UsageAnswer[]], watermark: asOf, isLarge };
}

/** What the parameters mean, except windows and what is compared. */
async function readQuestion(
  { customMeters, cyclesOf }: Pick<UsageSources, "customMeters" | "cyclesOf">,
  { query, nodes }: Pick<AskedUsage, "query" | "nodes">,
  nowMs: number,
) {
  const isByCycle = query.window === "cycle";
  // The query leaves the zone or the day on which cycles begin open: those of the node's subscription are read.
  const isCycleOpen =
    (isByCycle && query.tz === undefined) || (query.anchor === undefined && (isByCycle || query.compare !== undefined));
  const spans = isCycleOpen && nodes[0] !== undefined ? await cyclesOf(nodes[0]) : [];
  const instantIn = (zone: string) => readInstant("from", query.from ?? "now", zone, nowMs);
  const tz = query.tz ?? (isByCycle ? zoneOfCycles(spans, instantIn) : undefined) ?? "UTC";
  const toMs = readInstant("to", query.to ?? "now", tz, nowMs);
  const fromMs = query.from === undefined ? toMs - defaultRangeMs : readInstant("from", query.from, tz, nowMs);
  checkOrder(query, fromMs, toMs);
  const metersOfNodes = new Map(nodes.map((node) => [node, metersOf(query.meter, node, toMs, customMeters)]));
  const dimensions = sharedDimensions([...metersOfNodes.values()].flat());
  if (query.group_by !== undefined && !dimensions.has(query.group_by))
    throw new ProblemError("invalid_request", `${query.group_by} is not a dimension of every requested meter`, {
      field: "group_by",
    });
  const question = {
    fromMs,
    toMs,
    window: query.window,
    anchor: query.anchor ?? 1,
    cycles: query.anchor === undefined && spans.length > 0 ? cyclesShownIn(spans, query.tz) : undefined,
    tz,
    fill: query.fill,
    filters: parseFilters(query, dimensions),
    groupBy: query.group_by === undefined ? undefined : { dimension: query.group_by, limit: query.limit },
  };
  return { question, metersOfNodes };
}

function answer(
  store: ClickHouse,
  question: UsageQuestion,
  compared: ComparedRange | undefined,
  asOf: Date,
  nowMs: number,
): Promise<UsageAnswer> {
  return compared
    ? answerComparedUsage(store, question, compared, asOf, nowMs)
    : answerUsage(store, question, asOf, nowMs);
}

/** The windows of the asked range, and what stands beside them: made once for all nodes, in slices. */
async function questionWindows(
  question: WindowedRange,
  pairing: Pairing | undefined,
): Promise<{ windows: Window[]; compared: ComparedRange | undefined }> {
  try {
    const compared = pairing && (await comparedInSlices(pairing));
    return { windows: compared?.asked ?? (await windowsInSlices(question)), compared };
  } catch (error) {
    throw named("window", error);
  }
}

/** `invalid_request` naming the parameter where the error is about a range or an instant, else the error itself. */
function named(field: string, error: unknown): unknown {
  if (!(error instanceof InvalidTimeError)) return error;
  return new ProblemError("invalid_request", error.message, { field });
}

/** Throws `invalid_request` naming the parameter to narrow where the answer would have too many figures. */
function sizeOf(asked: AskedSize): number {
  try {
    return sizeOfAnswer(asked);
  } catch (error) {
    if (error instanceof TooManyFiguresError)
      throw new ProblemError("invalid_request", error.message, { field: error.field });
    throw error;
  }
}

function pairingFor(query: UsageQuery, asked: WindowedRange, nowMs: number): Pairing | undefined {
  const { compare, compare_match: match, compare_partial: partial } = query;
  if (compare === undefined) return undefined;
  try {
    return pairingOf(asked, { with: parseCompared(compare, asked.tz, nowMs), match, partial }, nowMs);
  } catch (error) {
    throw named("compare", error);
  }
}

/** Throws a ProblemError where a meter is not one of the node's. */
function metersOf(names: string, node: NodeAddress, toMs: number, customMeters: CustomMeterLookup): Meter[] {
  const wanted = new Set(names.split(",").map((name) => name.trim()));
  if (wanted.size > maxMeters)
    throw new ProblemError("invalid_request", `at most ${maxMeters} meters can be requested at once`, {
      field: "meter",
    });
  return [...wanted].map((name) => {
    const meter = customMeters.find(name, node, toMs);
    if (!meter)
      throw new ProblemError("invalid_request", `there is no meter named ${JSON.stringify(name)} for ${node}`, {
        field: "meter",
      });
    return meter;
  });
}
