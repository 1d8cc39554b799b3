import { expect, test } from "vitest";
import type { Quota } from "../../../server/contract/quotas.ts";
import type { UsageAnswer } from "../../../server/contract/usage.ts";
import { courseNotes, courseSoFar, fillingQuotas } from "../../../web/src/charts/cycle-course.ts";

const day = (date: number, value: string) => ({
  start: `2026-03-0${date}T00:00:00Z`,
  end: `2026-03-0${date + 1}T00:00:00Z`,
  value,
  partial: date > 2,
});
const answer = {
  node: "all",
  from: "2026-03-01T00:00:00Z",
  to: "2026-03-05T00:00:00Z",
  tz: "UTC",
  window: "day",
  watermark: "2026-03-02T12:00:00Z",
  meters: [
    {
      meter: "call_minutes",
      unit: "minutes",
      total: "6",
      series: [day(1, "4"), day(2, "2"), day(3, "0"), day(4, "0")],
    },
  ],
} as unknown as UsageAnswer;
const nowMs = Date.parse("2026-03-03T00:00:00Z");
const endMs = Date.parse(answer.to);
const quota = {
  feature: "calls",
  meter: "call_minutes",
  unit: "minutes",
  used: "6",
  limit: "10",
  projected: { value: "12", low: "10", high: "16", error_percent: 9 },
} as unknown as Quota;

test("a cycle stands at what was used by the end of each day, and days that are to come have no figure", () => {
  expect(courseSoFar(answer, nowMs).meters[0]?.series.map(({ value }) => value)).toEqual(["4", "6", null, null]);
});

test("the band opens from what is used now to where the server expects the cycle to end", () => {
  const { band, limits } = courseNotes(quota, answer, endMs, nowMs);
  expect(band).toMatchObject({ low: [null, null, 8, 10], high: [null, null, 11, 16], unit: "minutes" });
  expect(limits).toEqual([{ value: "10", unit: "minutes", text: "Limit 10 minutes" }]);
  const unsure = { ...quota, projected: { value: "12", low: null, high: null, error_percent: null } };
  expect(courseNotes(unsure, answer, endMs, nowMs).band).toMatchObject({
    low: [null, null, 9, 12],
    high: [null, null, 9, 12],
  });
});

test("a cycle that is over, and a meter without a limit, have no band and no line", () => {
  expect(courseNotes(quota, answer, endMs, endMs).band).toBeUndefined();
  expect(courseNotes({ ...quota, limit: null }, answer, endMs, nowMs).limits).toEqual([]);
  expect(fillingQuotas([quota, { ...quota, projected: null }], ["call_minutes"])).toEqual([quota]);
  expect(fillingQuotas([quota], ["sessions"])).toEqual([]);
});
