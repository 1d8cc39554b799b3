/** What a preview takes, known before anything is read: as large as the usage that it evaluates. Pure. */
import type { Meter } from "../catalog/meter.ts";
import { hourMs, minuteMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { type Condition, previewLimits } from "../contract/rules.ts";
import { largeFigures, maxFigures, sizeOfAnswer } from "../metrics/answer-size.ts";
import { seasonWeeks } from "./evaluate-unusual.ts";
import { hoursAtOnce } from "./preview-unusual.ts";
import { historyStepMs } from "./read-history.ts";
import { awaitedMs } from "./read-silence.ts";
import { pastCycles } from "./read-usage.ts";

export interface PreviewAsked {
  meterOf: (name: string, node: NodeAddress, atMs: number) => Meter | undefined;
  condition: Condition;
  nodes: readonly NodeAddress[];
  /** ms since 1970, UTC; toMs exclusive. */
  span: { fromMs: number; toMs: number };
}

/**
 * The first of the nodes, as many as one answer has room for, and whether it is a large one. Throws TooManyFiguresError where
 * not even the first fits.
 */
export function nodesThatFit(asked: PreviewAsked): { looked: NodeAddress[]; isLarge: boolean } {
  const looked: NodeAddress[] = [];
  let figures = 0;
  for (const node of asked.nodes.slice(0, previewLimits.maxNodes)) {
    const size = sizeAt(asked, node);
    if (looked.length > 0 && figures + size > maxFigures) break;
    figures += size;
    looked.push(node);
  }
  return { looked, isLarge: figures > largeFigures };
}

function sizeAt({ meterOf, condition, span }: PreviewAsked, node: NodeAddress): number {
  const { series, windows } = countWindows(condition, span);
  const name = "meter" in condition ? condition.meter : undefined;
  const meter = name ? meterOf(name, node, span.toMs - 1) : undefined;
  if (!meter) return series * windows;
  return sizeOfAnswer({
    meters: Array.from({ length: series }, () => [meter]),
    window: "hour",
    lengthMs: windows * hourMs,
    groups: undefined,
    comparedWindows: 0,
  });
}

/** How many figures are evaluated one after another, and how many such rows of them there are. */
function countWindows(
  condition: Condition,
  { fromMs, toMs }: PreviewAsked["span"],
): { series: number; windows: number } {
  const hours = Math.ceil((toMs - fromMs) / hourMs);
  switch (condition.kind) {
    case "unusual":
      return { series: hoursAtOnce, windows: hours + seasonWeeks * 7 * 24 };
    case "low_usage":
      // By quarters of an hour, and a cycle before the span.
      return { series: condition.of === "past" ? 1 + pastCycles : 1, windows: 4 * (hours + 31 * 24) };
    case "no_data":
      // Every event of the span and of the time before in which somebody is awaited.
      return { series: 4, windows: hours + awaitedMs / hourMs };
    case "threshold":
      return {
        series: 1,
        // From so long before the span on as it has to hold.
        windows: Math.ceil(
          (toMs - fromMs + condition.for_minutes * minuteMs) /
            historyStepMs(condition.window, { sinceMs: fromMs, atMs: toMs }),
        ),
      };
    case "quota":
    case "system":
    case "customers":
    case "billing":
      return { series: 1, windows: Math.ceil(hours / 24) };
  }
}
