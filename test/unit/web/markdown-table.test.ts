import { expect, test } from "vitest";
import { markdownOf } from "../../../web/src/state/markdown-table.ts";

test("a table is Markdown that keeps its columns, whatever the cells hold", () => {
  const rows = [["Day", "Minutes (exact)"], ["Mon 1 Mar", "1,234.5"], ["a | b", "back\\slash"], ["two\n  lines"]];
  expect(markdownOf(rows, [false, true]).split("\n")).toEqual([
    "| Day | Minutes (exact) |",
    "| --- | ---: |",
    "| Mon 1 Mar | 1,234.5 |",
    "| a \\| b | back\\\\slash |",
    "| two lines |  |",
  ]);
});
