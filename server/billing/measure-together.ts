/** What several askers want to know of a node at the same time, read together: a statement costs the same for one span and for many. */
import type { Meter } from "../catalog/meter.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { MeterUsage } from "../contract/usage.ts";
import { type MeasuredSpan, measureSpans, type UsageSource } from "./measure-span.ts";

/** The usage of one meter in a span. */
export type MeasureOne = (meter: Meter, span: Omit<MeasuredSpan, "meters">) => Promise<MeterUsage | undefined>;

interface Waiting {
  span: Omit<MeasuredSpan, "meters">;
  meters: Map<string, Meter>;
  askers: { resolve: (usage: MeterUsage | undefined) => void; reject: (reason: unknown) => void; meter: string }[];
}

/**
 * All who ask before the event loop turns share one reading, and those who ask for the same span share its figures. Spans cut
 * into the same number of windows have the same windows, since everybody cuts a span into even parts.
 */
export function measuringTogether(source: UsageSource, node: NodeAddress, nowMs: number): MeasureOne {
  let waiting = new Map<string, Waiting>();
  async function read(): Promise<void> {
    const some = [...waiting.values()];
    waiting = new Map();
    try {
      const spans = some.map(({ span, meters }) => ({ ...span, meters: [...meters.values()] }));
      const measured = await measureSpans(source, node, spans, nowMs);
      for (const [index, { askers }] of some.entries())
        for (const { resolve, meter } of askers) resolve(measured[index]?.get(meter));
    } catch (error) {
      for (const { reject } of some.flatMap(({ askers }) => askers)) reject(error);
    }
  }
  return (meter, span) => {
    const { fromMs, toMs, window, windows, tz } = span;
    const key = JSON.stringify([fromMs, toMs, window, windows?.length ?? null, tz]);
    if (waiting.size === 0) setImmediate(read);
    const one: Waiting = waiting.get(key) ?? { span, meters: new Map(), askers: [] };
    waiting.set(key, one);
    one.meters.set(meter.meter, meter);
    return new Promise((resolve, reject) => one.askers.push({ resolve, reject, meter: meter.meter }));
  };
}
