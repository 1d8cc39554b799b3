import { expect, it, vi } from "vitest";
import { everyRow } from "../../../web/src/api/whole-lists.ts";
import { PagedList } from "../../../web/src/state/paged-list.svelte.ts";
import { patienceMs } from "../../support/patience.ts";

interface Page {
  rows: string[];
  next_cursor: string | null;
}

const pages: Record<string, Page> = {
  first: { rows: ["a", "b"], next_cursor: "second" },
  second: { rows: ["c"], next_cursor: null },
};
const listed = () => new PagedList<Page, string>(({ rows }) => rows);
const read = async (cursor: string | undefined) => pages[cursor ?? "first"] as Page;

it("rows of all pages read so far stand one after another, and a list that is read anew begins with its first page", async () => {
  const list = listed();
  list.load(read);
  await vi.waitFor(() => expect(list.rows).toEqual(["a", "b"]), { timeout: patienceMs });
  expect([list.hasMore, list.isAtStart]).toEqual([true, true]);
  list.more();
  expect(list.rows).toEqual(["a", "b"]);
  await vi.waitFor(() => expect(list.rows).toEqual(["a", "b", "c"]), { timeout: patienceMs });
  expect([list.hasMore, list.isAtStart]).toEqual([false, false]);
  list.load(read);
  expect(list.rows).toEqual(["a", "b", "c"]);
  await vi.waitFor(() => expect(list.rows).toEqual(["a", "b"]), { timeout: patienceMs });
  list.close();
});

it("a page that failed is asked for again, and the rows before it stay", async () => {
  const list = listed();
  let failures = 1;
  list.load(async (cursor) => {
    if (cursor === "second" && failures-- > 0) throw new Error("away");
    return await read(cursor);
  });
  await vi.waitFor(() => expect(list.rows).toEqual(["a", "b"]), { timeout: patienceMs });
  list.more();
  await vi.waitFor(() => expect(list.page.error).not.toBeNull(), { timeout: patienceMs });
  expect(list.rows).toEqual(["a", "b"]);
  list.page.reload();
  await vi.waitFor(() => expect(list.rows).toEqual(["a", "b", "c"]), { timeout: patienceMs });
  list.close();
});

it("a list that is needed whole is read to its last page, in order", async () => {
  const asked: (string | undefined)[] = [];
  const found = await everyRow(
    async (cursor) => {
      asked.push(cursor);
      return { rows: [asked.length], next_cursor: asked.length < 3 ? `after ${asked.length}` : null };
    },
    ({ rows }) => rows,
  );
  expect([found, asked]).toEqual([
    [1, 2, 3],
    [undefined, "after 1", "after 2"],
  ]);
});
