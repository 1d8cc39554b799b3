/** What a series came to over the windows of a chart: its last figure, the average, the highest and the lowest; pure. */
import { chartsTexts as t } from "../texts/en/charts.ts";
import { exactText, formatFigure, withUnit } from "../words/format.ts";
import type { ChartContent, ChartSeries } from "./chart-content.ts";

export const seriesColumns = ["last", "average", "highest", "lowest"] as const;

export interface SeriesFigure {
  /** To sort by. */
  value: number;
  /** With its unit. */
  text: string;
  /** In which window; of an average with all its digits. */
  title: string;
}

/** Undefined where no window has a figure. */
export type SeriesFigures = Record<(typeof seriesColumns)[number], SeriesFigure | undefined>;

/**
 * A window that is still running, or that the range cuts, holds less than a whole one: it counts for the lowest and for the
 * average only where there is no whole one. A window without data counts for nothing.
 */
export function figuresOfSeries(
  { values, textOf, unit }: Pick<ChartSeries, "values" | "textOf" | "unit">,
  { titleOf, notes }: Pick<ChartContent, "titleOf" | "notes">,
): SeriesFigures {
  const known = values.flatMap((value, place) => (value === null ? [] : [{ value, place }]));
  const whole = known.filter(({ place }) => notes[place] === "");
  const compared = whole.length > 0 ? whole : known;
  const at = (found: (typeof known)[number] | undefined): SeriesFigure | undefined => {
    if (!found) return undefined;
    const note = notes[found.place];
    const title = `${titleOf(found.place)}${note ? `, ${t.windowNotes[note]}` : ""}`;
    return { value: found.value, text: textOf(found.place), title };
  };
  const most = (all: typeof known, sign: 1 | -1) =>
    all.reduce<(typeof known)[number] | undefined>(
      (best, one) => (best === undefined || sign * (one.value - best.value) > 0 ? one : best),
      undefined,
    );
  const average = compared.reduce((sum, { value }) => sum + value, 0) / compared.length;
  return {
    last: at(known.at(-1)),
    average:
      compared.length === 0
        ? undefined
        : {
            value: average,
            text: withUnit(formatFigure(average.toFixed(1)), unit),
            title: exactText(average, unit),
          },
    highest: at(most(known, 1)),
    lowest: at(most(compared, -1)),
  };
}
