/** When a limit was reached, to the millisecond: for events the time of the one that reached it, for minutes the instant that completed them. */
import type { Meter } from "../catalog/meter.ts";
import { isSumOverTime } from "../catalog/rule-traits.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { MeterUsage } from "../contract/usage.ts";
import type { Window } from "../metrics/windows.ts";
import { sumDecimals } from "../numbers/figures.ts";
import type { MeasuredSpan, UsageSource } from "./measure-span.ts";
import { type MeasureOne, measuringTogether } from "./measure-together.ts";
import { limitState } from "./quota-status.ts";

interface Span {
  fromMs: number;
  toMs: number;
}

type Measure = (span: Span, windows: Pick<MeasuredSpan, "window" | "windows">) => Promise<MeterUsage | undefined>;

/** Undefined where the limit was not reached in the span by now. */
export async function reachedAt(
  source: UsageSource,
  node: NodeAddress,
  asked: { meter: Meter; limit: string },
  span: { fromMs: number; toMs: number; tz: string },
  nowMs: number,
): Promise<number | undefined> {
  return await reachedBy(measuringTogether(source, node, nowMs), asked, span, nowMs);
}

/** The same, of a node and an instant whose usage others ask for at the same time. */
export async function reachedBy(
  measureOne: MeasureOne,
  { meter, limit }: { meter: Meter; limit: string },
  { fromMs, toMs, tz }: { fromMs: number; toMs: number; tz: string },
  nowMs: number,
): Promise<number | undefined> {
  const measured = highestOf(meter);
  const measure: Measure = (span, windows) => measureOne(measured, { ...span, ...windows, tz });
  const totalOf = async (span: Span) => String((await measure(span, { window: "total" }))?.total ?? 0);
  const span = { fromMs, toMs: Math.min(toMs, nowMs) };
  if (span.fromMs >= span.toMs) return undefined;
  if (isDistinct(meter)) {
    const used = (atMs: number) => totalOf({ fromMs, toMs: atMs });
    const completedMs = await firstReached(used, limit, span);
    return completedMs === undefined ? undefined : completedMs - 1;
  }
  const minute = await narrowed(measure, meter, limit, { ...span, before: "0" }, [
    () => ({ window: "day" }),
    () => ({ window: "hour" }),
    () => ({ window: "minute" }),
  ]);
  if (!minute) return undefined;
  if (meter.rule.kind !== "minutes") return (await narrowed(measure, meter, limit, minute, [partsOf, partsOf]))?.fromMs;
  // Figures of windows are rounded, and thousands of them may be a moment off.
  const near = { fromMs: Math.max(fromMs, minute.fromMs - 1_000), toMs: Math.min(span.toMs, minute.toMs + 1_000) };
  const before = near.fromMs > fromMs ? await totalOf({ fromMs, toMs: near.fromMs }) : "0";
  const used = async (atMs: number) => sumDecimals([before, await totalOf({ fromMs: near.fromMs, toMs: atMs })]);
  return await firstReached(used, limit, near);
}

/** For a level meter its peak, under a name of its own: the level may have fallen below the limit again by a window's end. */
function highestOf(meter: Meter): Meter {
  if (meter.rule.kind !== "level") return meter;
  return { ...meter, meter: `peak of ${meter.meter}`, rule: { ...meter.rule, kind: "peak" } };
}

/** One thing counts once in a span, so that neither its windows' figures add up nor does one of them reach the limit. */
const isDistinct = ({ rule }: Meter): boolean =>
  rule.kind === "distinct" || (rule.kind === "events" && rule.aggregation === "unique");

interface Narrowed extends Span {
  /** For a sum over time: what was used when it began. */
  before: string;
}

/** The first window of each kind in turn that reaches the limit. */
async function narrowed(
  measure: Measure,
  meter: Meter,
  limit: string,
  span: Narrowed,
  kinds: readonly ((span: Span) => Pick<MeasuredSpan, "window" | "windows">)[],
): Promise<Narrowed | undefined> {
  let found = span;
  for (const kind of kinds) {
    const { fromMs, toMs } = found;
    const usage = await measure({ fromMs, toMs }, kind(found));
    let { before } = found;
    const first = usage?.series.find(({ value, peak }) => {
      const figure = String(peak ?? value ?? 0);
      const reached = isSumOverTime(meter.rule) ? sumDecimals([before, figure]) : figure;
      if (limitState(reached, limit) === "reached") return true;
      if (isSumOverTime(meter.rule)) before = reached;
      return false;
    });
    if (!first) return undefined;
    found = { fromMs: Date.parse(first.start), toMs: Math.min(Date.parse(first.end), toMs), before };
  }
  return found;
}

const maxParts = 250;

/** Parts of a minute: dividing twice gives milliseconds. */
function partsOf({ fromMs, toMs }: Span): { window: "total"; windows: Window[] } {
  const stepMs = Math.ceil((toMs - fromMs) / maxParts);
  const windows: Window[] = [];
  for (let startMs = fromMs; startMs < toMs; startMs += stepMs)
    windows.push({ startMs, endMs: Math.min(startMs + stepMs, toMs), isPartial: true });
  return { window: "total", windows };
}

/** The first instant by which `limit` is used, for figures that never shrink; a few questions suffice where they grow evenly. */
async function firstReached(
  used: (atMs: number) => Promise<string>,
  limit: string,
  { fromMs, toMs }: Span,
): Promise<number | undefined> {
  let low = { ms: fromMs, used: 0 };
  const whole = await used(toMs);
  if (limitState(whole, limit) !== "reached") return undefined;
  let high = { ms: toMs, used: Number(whole) };
  for (let turn = 0; high.ms - low.ms > 1; turn++) {
    const length = high.ms - low.ms;
    const evenly = Math.round((length * (Number(limit) - low.used)) / (high.used - low.used || 1));
    const step = turn % 2 === 0 ? Math.min(Math.max(evenly, 1), length - 1) : Math.floor(length / 2);
    const ms = low.ms + step;
    const figure = await used(ms);
    const place = { ms, used: Number(figure) };
    if (limitState(figure, limit) === "reached") high = place;
    else low = place;
  }
  return high.ms;
}
