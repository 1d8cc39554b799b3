import { expect, test } from "vitest";
import { presenceDays, unionOfDays } from "../../../server/rollups/presence-days.ts";

const dayMs = 24 * 60 * 60 * 1000;
const span = (startMs: number, endMs: number | undefined, deadlineMs?: number) => ({ startMs, endMs, deadlineMs });

test("an interval is kept under each day that it touches, its end excluded", () => {
  expect(presenceDays([span(10 * dayMs + 5, 12 * dayMs)])).toEqual([10, 11]);
  expect(presenceDays([span(10 * dayMs, 10 * dayMs + 1), span(9 * dayMs, 9 * dayMs + 1)])).toEqual([9, 10]);
});

test("an interval of no length is nowhere, an open one is there until it times out", () => {
  expect(presenceDays([span(10 * dayMs, 10 * dayMs)])).toEqual([]);
  expect(presenceDays([span(10 * dayMs + 5, undefined, 11 * dayMs + 5)])).toEqual([10, 11]);
});

test("days of an earlier derivation stay listed, so that they are emptied", () => {
  expect(unionOfDays([[3, 10], presenceDays([span(10 * dayMs, 10 * dayMs + 1)])])).toEqual([3, 10]);
});

test("an interval of decades takes one place instead of one for each of its days", () => {
  expect(presenceDays([span(0.5 * dayMs, 9_000 * dayMs)])).toEqual([0]);
  expect(presenceDays([span(10 * dayMs, undefined, 400 * dayMs)])).toEqual([0]);
});
