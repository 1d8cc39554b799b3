import { expect, test } from "vitest";
import { averages, ranked } from "../../../server/overview/ranks.ts";

test("ranks stand beside those of before, shares are of all and not only of those listed", () => {
  const now = new Map([
    ["a", "10"],
    ["b", "30.5"],
    ["c", "9.5"],
  ]);
  const before = new Map([
    ["a", "7"],
    ["b", "2"],
    ["d", "5"],
  ]);
  expect(ranked(now, before, 2)).toEqual([
    { key: "b", total: "30.5", share: 0.61, rank: 1, previous_total: "2", previous_rank: 3 },
    { key: "a", total: "10", share: 0.2, rank: 2, previous_total: "7", previous_rank: 1 },
  ]);
  expect(ranked(now, before, 3)[2]).toMatchObject({ key: "c", previous_total: "0", previous_rank: null });
});

test("figures that floats cannot tell apart are still in order", () => {
  const now = new Map([
    ["less", "9007199254740993.000000001"],
    ["more", "9007199254740993.000000002"],
  ]);
  expect(ranked(now, new Map(), 2).map(({ key }) => key)).toEqual(["more", "less"]);
});

test.each([
  ["an odd number", ["1", "2", "6"], 3, "3", "2"],
  ["an even number", ["1", "2", "6", "7"], 4, "4", "4"],
  ["those without usage are in it", ["3", "3"], 5, "1.2", "0"],
  ["half of them without usage", [4, 2], 4, "1.5", "1"],
  ["no usage at all", [], 3, "0", "0"],
])("mean and median of %s", (_, figures, organizations, mean, median) => {
  expect(averages(figures, organizations)).toEqual({ organizations, mean, median });
});

test("without organizations there is no average", () => {
  expect(averages([], 0)).toEqual({ organizations: 0, mean: null, median: null });
});
