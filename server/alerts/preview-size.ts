/** What a preview takes, known before anything is read: as large as the usage that it evaluates. Pure. */
import type { Meter } from "../catalog/meter.ts";
import { hourMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { type Condition, previewLimits } from "../contract/rules.ts";
import { largeFigures, maxFigures, sizeOfAnswer } from "../metrics/answer-size.ts";
import { seasonWeeks } from "./preview.ts";
import { historyStepMs } from "./read-history.ts";

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
  const windows = windowsOf(condition, span);
  const name = "meter" in condition ? condition.meter : undefined;
  const meter = name ? meterOf(name, node, span.toMs - 1) : undefined;
  if (!meter) return windows;
  return sizeOfAnswer({
    ...{ meters: [[meter]], window: "hour", lengthMs: windows * hourMs },
    ...{ groups: undefined, comparedWindows: 0 },
  });
}

/** How many figures are evaluated one after another. */
function windowsOf(condition: Condition, { fromMs, toMs }: PreviewAsked["span"]): number {
  const hours = Math.ceil((toMs - fromMs) / hourMs);
  switch (condition.kind) {
    case "unusual":
      return hours + seasonWeeks * 7 * 24;
    case "no_data":
      // To the quarter of an hour, and a week before the span.
      return 4 * (hours + 7 * 24 + Math.ceil(condition.silent_minutes / 60));
    case "threshold":
      return Math.ceil((toMs - fromMs) / historyStepMs(condition.window, { sinceMs: fromMs, atMs: toMs }));
    default:
      return Math.ceil(hours / 24);
  }
}
