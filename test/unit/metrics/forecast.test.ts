import { expect, test } from "vitest";
import { type Course, forecast, reachesAt } from "../../../server/metrics/forecast.ts";

const day = 86_400_000;
/** A span of days with so much used on each. */
function course(startDay: number, days: number, daily: readonly number[]): Course {
  let used = 0;
  const points = daily.map((amount, index) => {
    used += amount;
    return { ms: (startDay + index + 1) * day, used };
  });
  return { startMs: startDay * day, endMs: (startDay + days) * day, points };
}
const steady = (startDay: number) => course(startDay, 30, Array<number>(30).fill(10));

test("even use ends where its pace says, and the past confirms it", () => {
  const running = course(90, 30, Array<number>(12).fill(10));
  const found = forecast(running, 120, 102 * day, [steady(60), steady(30)]);
  expect(found?.value).toBeCloseTo(300, 9);
  expect(found?.low).toBeCloseTo(300, 9);
  expect(found?.high).toBeCloseTo(300, 9);
  expect(found?.errorPercent).toBeCloseTo(0, 9);
  expect(reachesAt(running, 120, 200, 102 * day)).toBe(110 * day);
  expect(reachesAt(running, 120, 300.01, 102 * day)).toBeUndefined();
});

test("cycles that always ended with a rush stretch the interval to what they would make of the pace, which stays in it", () => {
  const rushed = (startDay: number) =>
    course(startDay, 30, [...Array<number>(20).fill(10), ...Array<number>(10).fill(40)]);
  const running = course(90, 30, Array<number>(12).fill(10));
  const found = forecast(running, 120, 102 * day, [rushed(60), rushed(30)]);
  expect(found?.value).toBeCloseTo(300, 9);
  expect(found?.low).toBeCloseTo(300, 9);
  expect(found?.high).toBeCloseTo(600, 9);
  expect(found?.errorPercent).toBeCloseTo(50, 9);
});

test("the span in which usage began is no test of how spans end", () => {
  const running = course(90, 30, Array<number>(12).fill(10));
  const begun = course(30, 30, [...Array<number>(11).fill(0), ...Array<number>(19).fill(10)]);
  const found = forecast(running, 120, 102 * day, [steady(60), begun]);
  expect([found?.low, found?.high]).toEqual([expect.closeTo(300, 9), expect.closeTo(300, 9)]);
});

test("without any past nothing is said about how far to trust it, and nothing is below what is used already", () => {
  const running = course(0, 30, [5, 5]);
  expect(forecast(running, 10, 2 * day, [])).toEqual({ value: 150, low: null, high: null, errorPercent: null });
  const falling = course(0, 30, [100, 1, 1, 1, 1]);
  const found = forecast(falling, 104, 5 * day, []);
  expect(found?.low).toBeGreaterThanOrEqual(104);
  expect(forecast(running, 0, 0, [])).toBeUndefined();
  expect(reachesAt(running, 0, 10, 2 * day)).toBeUndefined();
});
