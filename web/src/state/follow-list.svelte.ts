/** Keeps the first page of a list fresh while its component is there. */
import type { PagedList } from "./paged-list.svelte.ts";

type Followed = Pick<PagedList<{ next_cursor: string | number | null }, unknown>, "isAtStart" | "close"> & {
  page: { refresh(): void };
};

/**
 * Call it while the component is made. Reads again every `everyMs()` unless nobody looks, a reading is under way, or somebody has
 * asked for more pages, which reading again would take away. Closes the list with the component.
 */
export function followList(list: Followed, everyMs: () => number): void {
  const { page } = list;
  $effect(() => {
    const timer = setInterval(() => {
      if (list.isAtStart) page.refresh();
    }, everyMs());
    return () => clearInterval(timer);
  });
  $effect(() => () => list.close());
}
