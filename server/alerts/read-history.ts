/** A figure as it was at many instants of the past, close enough together to see each time that it crossed a bound. */
import type { Filter } from "../catalog/filters.ts";
import type { Meter } from "../catalog/meter.ts";
import { type RuleTraits, traitsOf } from "../catalog/rule-traits.ts";
import { dayMs, minuteMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { rollingMs } from "../contract/rolling-windows.ts";
import { answerUsage } from "../metrics/usage.ts";
import type { CycleSpan, Window } from "../metrics/windows.ts";
import type { AccountState } from "../overview/account-state.ts";
import { knownFiltersOf } from "./check-rule.ts";
import { cyclesOf, type FigureAsked, type FigureSource, readFigures, windowStart } from "./read-figures.ts";

export interface HistoryPoint {
  atMs: number;
  figure: string | null;
}

/** ms since 1970, UTC. */
interface Past {
  sinceMs: number;
  atMs: number;
}

/** Windows of the calendar are followed in steps of no more than this. */
export const quarterMs = 15 * minuteMs;
/** Steps of a rolling window, as parts of it: the finest with which the past has no more than `maxSteps`. */
const partsOfWindow = [60, 30, 20, 12, 6, 4];
const maxSteps = 20_000;
const stepsPerStatement = 4_000;
/** Figures that do not follow from those of shorter windows take a statement each. */
const maxSamples = 500;

/** For the instants after `sinceMs`, up to `atMs`, in order. */
export async function readHistory(
  source: FigureSource,
  state: AccountState,
  asked: FigureAsked,
  node: NodeAddress,
  past: Past,
): Promise<HistoryPoint[]> {
  const meter = source.meterOf(asked.meter, node, past.atMs);
  const filters = meter && knownFiltersOf(asked.filter, meter);
  if (!meter || !filters) return [];
  const cycles = cyclesOf(source, state)(node);
  const folded = await readFoldedHistory(source, { meter, filters, window: asked.window, cycles }, node, past);
  return folded ?? (await sampled(source, state, asked, node, past));
}

/** The same from parts of the windows; undefined for a meter whose figure does not follow from those of parts. */
export async function readFoldedHistory(
  source: Pick<FigureSource, "clickhouse" | "watermark">,
  asked: { meter: Meter; filters: Filter[]; window: FigureAsked["window"]; cycles: readonly CycleSpan[] },
  node: NodeAddress,
  past: Past,
): Promise<HistoryPoint[] | undefined> {
  const { meter, filters, window, cycles } = asked;
  const { fold } = traitsOf(meter.rule);
  if (!fold) return undefined;
  const startOf = (ms: number) => windowStart(window, () => cycles, ms);
  const isRolling = window !== "day" && window !== "cycle";
  const stepMs = historyStepMs(window, past);
  const firstMs = Math.ceil((past.sinceMs + 1) / stepMs) * stepMs;
  // What ends a day or a cycle is the last of it.
  const points: Point[] = [];
  for (let ms = firstMs; ms <= past.atMs; ms += stepMs)
    points.push({ atMs: ms, startMs: isRolling ? startOf(ms) : startOf(ms - 1) });
  const fromMs = points[0]?.startMs;
  if (fromMs === undefined) return [];
  const starts = isRolling ? [] : points.map(({ startMs }) => startMs);
  const steps = stepsOf(starts, { fromMs, toMs: past.atMs }, stepMs, isRolling ? fromMs : firstMs - stepMs);
  return foldEach(points, await readSteps(source, node, meter, filters, steps), fold);
}

type Fold = NonNullable<RuleTraits["fold"]>;

/** How far apart the instants of a history are: of a rolling window a part of its length, else a minute or a quarter of an hour. */
export function historyStepMs(window: FigureAsked["window"], past: Past): number {
  return window === "day" || window === "cycle" ? calendarStep(past) : rollingStep(rollingMs[window], past);
}

function rollingStep(lengthMs: number, { sinceMs, atMs }: Past): number {
  const parts = partsOfWindow.find((count) => (atMs - sinceMs) / (lengthMs / count) <= maxSteps) ?? 4;
  return lengthMs / parts;
}

const calendarStep = ({ sinceMs, atMs }: Past) => (atMs - sinceMs > dayMs ? quarterMs : minuteMs);

/** An instant, and when the window that it ends began. */
interface Point {
  atMs: number;
  startMs: number;
}

/** Windows of one length from `fromMs` on, the last cut at `toMs`. */
export function evenWindows(fromMs: number, toMs: number, lengthMs: number): Window[] {
  const windows: Window[] = [];
  for (let startMs = fromMs; startMs < toMs; startMs += lengthMs)
    windows.push({ startMs, endMs: Math.min(startMs + lengthMs, toMs), isPartial: startMs + lengthMs > toMs });
  return windows;
}

/**
 * What lies before `evenFromMs` is one long step. A window may begin between two even instants, where a subscription began or ended:
 * `starts` are instants that steps begin at, too.
 */
function stepsOf(
  starts: readonly number[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
  stepMs: number,
  evenFromMs: number,
): Window[] {
  const edges = new Set([fromMs, ...starts]);
  for (let ms = evenFromMs; ms <= toMs; ms += stepMs) edges.add(ms);
  const inOrder = [...edges].sort((one, other) => one - other);
  return inOrder.slice(1).map((endMs, place) => ({ startMs: inOrder[place] ?? endMs, endMs, isPartial: false }));
}

interface Step extends Pick<Window, "startMs" | "endMs"> {
  value: number;
}

async function readSteps(
  { clickhouse, watermark }: Pick<FigureSource, "clickhouse" | "watermark">,
  node: NodeAddress,
  meter: Meter,
  filters: Filter[],
  windows: readonly Window[],
): Promise<Step[]> {
  const steps: Step[] = [];
  for (let start = 0; start < windows.length; start += stepsPerStatement) {
    const some = windows.slice(start, start + stepsPerStatement);
    const [fromMs, toMs] = [some[0]?.startMs ?? 0, some.at(-1)?.endMs ?? 0];
    const question = { meters: [meter], node, fromMs, toMs, window: "total" as const, windows: some };
    const rest = { anchor: 1, tz: "UTC", fill: "zero" as const, filters, groupBy: undefined };
    const answer = await answerUsage(clickhouse, { ...question, ...rest }, watermark(), toMs);
    const series = answer.meters[0]?.series ?? [];
    for (const [index, { startMs, endMs }] of some.entries())
      steps.push({ startMs, endMs, value: Number(series[index]?.value ?? 0) });
  }
  return steps;
}

/** Floats show where to look: what is recorded is the exact figure of the instant. */
function foldEach(points: readonly Point[], steps: readonly Step[], fold: Fold): HistoryPoint[] {
  const first = new Map(steps.map(({ startMs }, index) => [startMs, index]));
  const last = new Map(steps.map(({ endMs }, index) => [endMs, index]));
  const sums = [0];
  for (const { value } of steps) sums.push((sums.at(-1) ?? 0) + value);
  return points.flatMap(({ atMs, startMs }): HistoryPoint[] => {
    const [from, to] = [first.get(startMs), last.get(atMs)];
    if (from === undefined || to === undefined) return [];
    const figureOf = {
      sum: () => (sums[to + 1] ?? 0) - (sums[from] ?? 0),
      max: () => steps.slice(from, to + 1).reduce((highest, { value }) => Math.max(highest, value), 0),
      last: () => steps[to]?.value ?? 0,
    };
    return [{ atMs, figure: figureOf[fold]().toFixed(9) }];
  });
}

async function sampled(
  source: FigureSource,
  state: AccountState,
  asked: FigureAsked,
  node: NodeAddress,
  { sinceMs, atMs }: Past,
): Promise<HistoryPoint[]> {
  const isRolling = asked.window !== "day" && asked.window !== "cycle";
  const finestMs = isRolling ? rollingMs[asked.window as keyof typeof rollingMs] / 4 : minuteMs;
  const stepMs = Math.max(finestMs, Math.ceil((atMs - sinceMs) / maxSamples / finestMs) * finestMs);
  const points: HistoryPoint[] = [];
  for (let ms = Math.ceil((sinceMs + 1) / stepMs) * stepMs; ms <= atMs; ms += stepMs) {
    const figures = await readFigures(source, state, asked, [node], ms);
    points.push({ atMs: ms, figure: figures.get(node)?.figure ?? null });
  }
  return points;
}
