/** Where a page ends, and the next one begins. */
import { expect, test } from "vitest";
import { pageOf } from "../../../server/http/page-of.ts";

test("a page of large rows ends before it is too large, has one at least, and no row is left out", () => {
  const rows = Array.from({ length: 11 }, (_, row) => ({ row, text: "x".repeat(row === 4 ? 9_000_000 : 1_000_000) }));
  const pages: number[][] = [];
  for (let left = rows; left.length > 0; ) {
    const { page, last } = pageOf(left.slice(0, 11), 10, { large: true });
    pages.push(page.map(({ row }) => row));
    left = last ? left.slice(page.length) : [];
  }
  expect(pages).toEqual([[0, 1, 2, 3], [4], [5, 6, 7, 8], [9, 10]]);
  expect(pageOf(rows, 10).page).toHaveLength(10);
});
