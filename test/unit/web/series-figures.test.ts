import { expect, test } from "vitest";
import type { ChartContent } from "../../../web/src/charts/chart-content.ts";
import { meritOf } from "../../../web/src/charts/meters.ts";
import { figuresOfSeries } from "../../../web/src/charts/series-figures.ts";

const content = (notes: ChartContent["notes"]) => ({ titleOf: (place: number) => `day ${place + 1}`, notes });
const series = (values: readonly (number | null)[]) => ({
  values,
  textOf: (place: number) => `${values[place]}.0 minutes`,
  unit: "minutes",
});

test("a window that is cut or still running is neither the lowest nor part of the average, and a gap is no zero", () => {
  const found = figuresOfSeries(series([1, 10, null, 20, 2]), content(["part", "", "", "", "so far"]));
  expect(found).toEqual({
    last: { value: 2, text: "2.0 minutes", title: "day 5, so far" },
    average: { value: 15, text: "15.0 minutes", title: "15 minutes" },
    highest: { value: 20, text: "20.0 minutes", title: "day 4" },
    lowest: { value: 10, text: "10.0 minutes", title: "day 2" },
  });
});

test("where no window is whole, those that are not stand for themselves; without any figure there is none", () => {
  const part = figuresOfSeries(series([3, -1]), content(["part", "so far"]));
  expect([part.average?.value, part.highest?.value, part.lowest?.value]).toEqual([1, 3, -1]);
  const none = { last: undefined, average: undefined, highest: undefined, lowest: undefined };
  expect(figuresOfSeries(series([null, null]), content(["", ""]))).toEqual(none);
});

test("the first of equal windows is the highest and the lowest", () => {
  const found = figuresOfSeries(series([5, 5]), content(["", ""]));
  expect([found.highest?.title, found.lowest?.title]).toEqual(["day 1", "day 1"]);
});

test("more usage is good news, more failures are not", () => {
  expect([meritOf(1, "sessions"), meritOf(-1, "sessions"), meritOf(0, "sessions")]).toEqual([1, -1, 0]);
  expect([meritOf(1, "failed_jobs"), meritOf(-1, "job_turnaround")]).toEqual([-1, 1]);
});
