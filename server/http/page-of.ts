/** What the rows of a page whose rows may be large come to, as JSON. */
const maxPageCharacters = 4 * 1024 * 1024;

/**
 * Takes one row more than a page has. Answers the page, and its last row where another page follows, which starts after it. A page
 * of `large` rows ends earlier where they come to too much, and has one at least.
 */
export function pageOf<Row>(
  found: readonly Row[],
  limit: number,
  { large = false }: { large?: boolean } = {},
): { page: Row[]; last: Row | undefined } {
  const page = found.slice(0, large ? Math.min(limit, countWithin(found, maxPageCharacters)) : limit);
  return { page, last: found.length > page.length ? page.at(-1) : undefined };
}

/** How many rows from the first on come to no more than that; one at least. */
function countWithin(rows: readonly unknown[], characters: number): number {
  let left = characters;
  const first = rows.findIndex((row, index) => {
    left -= JSON.stringify(row).length;
    return left < 0 && index > 0;
  });
  return first < 0 ? rows.length : first;
}
