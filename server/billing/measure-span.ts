/** What a node used in a span of time. */
import type { Meter } from "../catalog/meter.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { MeterUsage, WindowKind } from "../contract/usage.ts";
import { answerTogether } from "../metrics/usage.ts";
import type { Window } from "../metrics/windows.ts";

export interface UsageSource {
  clickhouse: ClickHouse;
  /** Built in, or made by users for the node; on record: as the node knew it at `atMs`, also where it was retired since. */
  meterOf: (name: string, node: NodeAddress, atMs: number, how?: { isOnRecord: boolean }) => Meter | undefined;
  watermark: () => Date;
}

export interface MeasuredSpan {
  meters: readonly Meter[];
  fromMs: number;
  toMs: number;
  window: WindowKind;
  /** Used instead of the windows of the calendar. */
  windows?: readonly Window[] | undefined;
  tz: string;
}

/** The usage of a span, each meter whole: by its name. */
export async function measureSpan(
  source: UsageSource,
  node: NodeAddress,
  meters: readonly Meter[],
  span: Omit<MeasuredSpan, "meters">,
  nowMs: number,
): Promise<Map<string, MeterUsage>> {
  const [usage] = await measureSpans(source, node, [{ meters, ...span }], nowMs);
  return usage ?? new Map();
}

/** The usage of several spans in their order, read together. */
export async function measureSpans(
  { clickhouse, watermark }: UsageSource,
  node: NodeAddress,
  spans: readonly MeasuredSpan[],
  nowMs: number,
): Promise<Map<string, MeterUsage>[]> {
  const rest = { node, anchor: 1, fill: "zero" as const, filters: [], groupBy: undefined };
  const questions = spans.map((span) => {
    const isMeasured = span.fromMs < span.toMs;
    const meters = isMeasured ? [...new Map(span.meters.map((meter) => [meter.meter, meter])).values()] : [];
    return { ...span, ...rest, meters };
  });
  const answers = await answerTogether(clickhouse, questions, watermark(), nowMs);
  return answers.map((answer) => new Map(answer.meters.map((usage) => [usage.meter, usage])));
}
