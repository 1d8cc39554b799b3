/** Every row of a list that is answered by pages; `between` is called after the first of them. */
export async function allPages<Page extends { next_cursor: string | null }, Row>(
  list: (query: string) => Promise<Page>,
  query: string,
  rowsOf: (page: Page) => readonly Row[],
  between = async () => {},
): Promise<Row[]> {
  const found: Row[] = [];
  let cursor = "";
  do {
    const page = await list(`${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    found.push(...rowsOf(page));
    if (cursor === "") await between();
    cursor = page.next_cursor ?? "";
  } while (cursor);
  return found;
}
