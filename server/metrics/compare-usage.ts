/** Answers GET /v1/usage beside another range: the same meters, filters and windows over both, the n-th window with the n-th. */
import type { ClickHouse } from "../clickhouse/client.ts";
import type { MeterUsage, UsageAnswer, UsageComparison } from "../contract/usage.ts";
import { type ComparedRange, compareFigures } from "./comparison.ts";
import { answerTogether, type UsageQuestion } from "./usage.ts";
import { formatInstant, windowsBetween } from "./windows.ts";

/** Throws InvalidTimeError when there would be too many windows. Groups are not compared. */
export async function answerComparedUsage(
  clickhouse: ClickHouse,
  question: UsageQuestion,
  compared: ComparedRange,
  watermark: Date,
  nowMs: number,
): Promise<UsageAnswer> {
  const { fromMs, toMs } = compared;
  const questions = [question, { ...question, fromMs, toMs, groupBy: undefined }];
  const [asked, beside] = (await answerTogether(clickhouse, questions, watermark, nowMs)) as [UsageAnswer, UsageAnswer];
  const pairs = pairWindows(question, compared);
  const range = { from: beside.from, to: beside.to };
  return {
    ...asked,
    meters: asked.meters.map((usage, index) => ({
      ...usage,
      comparison: comparisonOf(usage, beside.meters[index] as MeterUsage, range, pairs),
    })),
  };
}

function comparisonOf(
  asked: MeterUsage,
  { series, meter: _, unit: __, ...beside }: MeterUsage,
  range: { from: string; to: string },
  pairs: ReadonlyMap<string, string>,
): UsageComparison {
  return {
    ...range,
    ...beside,
    ...compareFigures(asked.total, beside.total),
    series: series.map((point) => ({ ...point, against: pairs.get(point.start) ?? null })),
  };
}

/** The start of each compared window with the start of the asked one that it stands beside. */
function pairWindows(question: UsageQuestion, { windows }: ComparedRange): Map<string, string> {
  const { fromMs, toMs, window, tz, anchor } = question;
  const asked = windowsBetween(fromMs, toMs, window, tz, anchor);
  const pairs = new Map<string, string>();
  for (const [index, { startMs }] of windows.entries()) {
    const beside = asked[index];
    if (beside) pairs.set(formatInstant(startMs, tz), formatInstant(beside.startMs, tz));
  }
  return pairs;
}
