/**
 * The figures that threshold rules are evaluated by, of many nodes in a few statements: rules that ask for the same share a reading.
 */
import type { SubscriptionRecord } from "../billing/billing-cycle.ts";
import { cycleSpansAmong } from "../billing/cycle-spans.ts";
import type { UsageSource } from "../billing/measure-span.ts";
import { meterIdentity } from "../catalog/catalog.ts";
import type { Filter } from "../catalog/filters.ts";
import type { Meter } from "../catalog/meter.ts";
import { isOfCounters, isOfSlots } from "../catalog/rule-traits.ts";
import { parseNode } from "../contract/node-address.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { rollingMs } from "../contract/rolling-windows.ts";
import type { ConditionOf } from "../contract/rules.ts";
import { answerUsage, figureOfNothing } from "../metrics/usage.ts";
import { type CycleSpan, cycleIn, spanOfCycles } from "../metrics/windows.ts";
import { dateAt, startOfDate } from "../metrics/zone-dates.ts";
import type { AccountState } from "../overview/account-state.ts";
import { measureOrganizations } from "../overview/measure-organizations.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { knownFiltersOf } from "./check-rule.ts";

/** What is asked for, whatever the bound. */
export type FigureAsked = Pick<ConditionOf<"threshold">, "meter" | "window" | "filter">;

export interface NodeFigure {
  meter: Meter;
  /** Null where nothing has no figure, such as an average. */
  figure: string | null;
}

export interface FigureSource extends UsageSource {
  tree: Pick<NodeTree, "pathsBetween" | "size">;
}

/** Up to this many are measured one by one, which reads nothing of others. */
const few = 2;
/** Where every organization has to be looked at, as with a filter: from this share of them on, all are measured together. */
const manyShare = 0.01;
const atOnce = 4;

/** When the window that runs at an instant began: ms since 1970, UTC. `cycles`: the node's, asked for where the calendar decides. */
export function windowStart(window: FigureAsked["window"], cycles: () => readonly CycleSpan[], atMs: number): number {
  if (window === "cycle") return cycleIn(cycles(), atMs).fromMs;
  if (window !== "day") return atMs - rollingMs[window];
  const { tz } = spanOfCycles(cycles(), atMs);
  return startOfDate(dateAt(atMs, tz), tz);
}

/** The cycles of each node, as GET /v1/usage has them; its days are those of their zone. */
export function cyclesOf(
  { tree }: Pick<FigureSource, "tree">,
  { subscriptions }: Pick<AccountState, "subscriptions">,
): (node: NodeAddress) => readonly CycleSpan[] {
  let held: Map<NodeAddress, SubscriptionRecord[]> | undefined;
  return (node) => {
    held ??= byNode(subscriptions);
    return cycleSpansAmong(held, tree, node);
  };
}

function byNode(subscriptions: readonly SubscriptionRecord[]): Map<NodeAddress, SubscriptionRecord[]> {
  const found = new Map<NodeAddress, SubscriptionRecord[]>();
  for (const one of subscriptions) {
    const own = found.get(one.node);
    if (own) own.push(one);
    else found.set(one.node, [one]);
  }
  return found;
}

/** As of an instant that is not after the watermark. Nodes without such a meter, or where the filter names what it has not, are missing. */
export async function readFigures(
  source: FigureSource,
  state: AccountState,
  asked: FigureAsked,
  nodes: Iterable<NodeAddress>,
  atMs: number,
): Promise<ReadonlyMap<NodeAddress, NodeFigure>> {
  const cyclesOfNode = cyclesOf(source, state);
  const startOf = (node: NodeAddress) => windowStart(asked.window, () => cyclesOfNode(node), atMs);
  return await readFiguresSince(source, asked, nodes, atMs, startOf);
}

/** The same of spans that begin elsewhere. */
export async function readFiguresSince(
  source: FigureSource,
  asked: FigureAsked,
  nodes: Iterable<NodeAddress>,
  atMs: number,
  startOf: (node: NodeAddress) => number,
): Promise<ReadonlyMap<NodeAddress, NodeFigure>> {
  const figures = new Map<NodeAddress, NodeFigure>();
  const groups = new Map<string, Group>();
  for (const node of nodes) {
    const meter = source.meterOf(asked.meter, node, atMs);
    if (!meter) continue;
    const fromMs = startOf(node);
    const group = groupOf(groups, asked, meter, fromMs);
    if (!group) continue;
    if (fromMs >= atMs) figures.set(node, { meter, figure: figureOfNothing(meter) === null ? null : "0" });
    else group.starts.set(node, fromMs);
  }
  for (const group of groups.values())
    for (const [node, figure] of await readGroup(source, group, atMs))
      figures.set(node, { meter: group.meter, figure });
  return figures;
}

interface Group {
  meter: Meter;
  filters: readonly Filter[];
  /** Whether rollups of organizations have the figure, whenever each one's window began. */
  isPlain: boolean;
  starts: Map<NodeAddress, number>;
}

/** Undefined where the filter names what the meter has not. */
function groupOf(groups: Map<string, Group>, { filter }: FigureAsked, meter: Meter, fromMs: number): Group | undefined {
  const isPlain =
    !meter.custom && Object.keys(filter ?? {}).length === 0 && (isOfSlots(meter.rule) || isOfCounters(meter.rule));
  const key = `${meterIdentity(meter)} ${isPlain ? "" : fromMs}`;
  const known = groups.get(key);
  if (known) return known;
  const filters = knownFiltersOf(filter, meter);
  if (!filters) return undefined;
  const group = { meter, filters, isPlain, starts: new Map() };
  groups.set(key, group);
  return group;
}

async function readGroup(
  source: FigureSource,
  { meter, filters, isPlain, starts }: Group,
  atMs: number,
): Promise<[NodeAddress, string | null][]> {
  const together = new Map<string, number>();
  if (meter.rule.kind !== "derived")
    for (const [node, fromMs] of starts) {
      const parsed = parseNode(node);
      if (parsed.kind === "organization") together.set(parsed.id, fromMs);
    }
  if (together.size <= Math.max(few, isPlain ? 0 : manyShare * source.tree.size)) together.clear();
  const [measured] =
    together.size === 0
      ? []
      : await measureOrganizations(source.clickhouse, [{ meter, starts: together, filters }], atMs);
  const nothing = figureOfNothing(meter);
  const read: [NodeAddress, string | null][] = [];
  const alone: [NodeAddress, number][] = [];
  for (const [node, fromMs] of starts) {
    const parsed = parseNode(node);
    if (parsed.kind !== "organization" || !together.has(parsed.id)) alone.push([node, fromMs]);
    else read.push([node, textOf(measured?.get(parsed.id) ?? nothing)]);
  }
  for (let start = 0; start < alone.length; start += atOnce)
    read.push(
      ...(await Promise.all(
        alone.slice(start, start + atOnce).map(async ([node, fromMs]): Promise<[NodeAddress, string | null]> => {
          const question = { meters: [meter], node, fromMs, toMs: atMs, window: "total" as const, filters };
          const rest = { anchor: 1, tz: "UTC", fill: "zero" as const, groupBy: undefined };
          const answer = await answerUsage(source.clickhouse, { ...question, ...rest }, source.watermark(), atMs);
          return [node, textOf(answer.meters[0]?.total ?? nothing)];
        }),
      )),
    );
  return read;
}

const textOf = (figure: string | number | null) => (figure === null ? null : String(figure));
