/**
 * Answers GET /v1/usage beside another range: the same meters and filters over both, and beside each window of the asked one
 * what the calendar sets there.
 */
import type { ClickHouse } from "../clickhouse/client.ts";
import type { MeterUsage, UsageAnswer, UsageComparison } from "../contract/usage.ts";
import { createPace } from "../fairness/pace.ts";
import { type ComparedRange, compareFigures } from "./comparison.ts";
import { answerTogether, type UsageQuestion } from "./usage.ts";
import { formatInstant } from "./windows.ts";

/** `compared` is what `question` is compared with. Groups are not. */
export async function answerComparedUsage(
  clickhouse: ClickHouse,
  question: UsageQuestion,
  compared: ComparedRange,
  watermark: Date,
  nowMs: number,
): Promise<UsageAnswer> {
  const { fromMs, toMs, windows } = compared;
  const questions = [
    { ...question, windows: compared.asked },
    { ...question, fromMs, toMs, windows, groupBy: undefined },
  ];
  const [asked, beside] = (await answerTogether(clickhouse, questions, watermark, nowMs)) as [UsageAnswer, UsageAnswer];
  const pairs = await pairsOf(question, compared);
  const { from, to } = beside;
  return {
    ...asked,
    meters: asked.meters.map((usage, index) => {
      const { series, meter: _, unit: __, ...rest } = beside.meters[index] as MeterUsage;
      const figures = compared.hasAny ? rest : { ...rest, total: null };
      return {
        ...usage,
        comparison: {
          from,
          to,
          ...figures,
          ...compareFigures(usage.total, figures.total),
          series: besideEach(series, pairs, question.fill),
        },
      };
    }),
  };
}

/** Where each asked window begins, and what stands beside it. */
type Pair = [against: string, start: string | undefined];

async function pairsOf({ tz }: UsageQuestion, { asked, partners }: ComparedRange): Promise<Pair[]> {
  const pace = createPace();
  const pairs: Pair[] = [];
  for (const [index, { startMs }] of asked.entries()) {
    const partner = partners[index];
    pairs.push([formatInstant(startMs, tz), partner && formatInstant(partner.startMs, tz)]);
    await pace.rest();
  }
  return pairs;
}

/** One for each asked window, in their order; with `fill=none` those alone that have data. */
function besideEach(
  series: MeterUsage["series"],
  pairs: readonly Pair[],
  fill: UsageQuestion["fill"],
): UsageComparison["series"] {
  const byStart = new Map(series.map((point) => [point.start, point]));
  return pairs.flatMap(([against, start]): UsageComparison["series"] => {
    const point = start === undefined ? undefined : byStart.get(start);
    if (point) return [{ ...point, against }];
    return fill === "none" ? [] : [{ start: null, end: null, value: null, partial: false, against }];
  });
}
