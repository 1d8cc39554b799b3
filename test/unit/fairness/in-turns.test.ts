import { expect, test } from "vitest";
import { inTurns } from "../../../server/fairness/in-turns.ts";

test("the first of every group comes before the second of any, in the order in which they were", () => {
  const items = ["a1", "a2", "a3", "b1", "c1", "c2"];
  expect(inTurns(items, ([group = ""]) => group)).toEqual(["a1", "b1", "c1", "a2", "c2", "a3"]);
  expect(inTurns([], String)).toEqual([]);
});
