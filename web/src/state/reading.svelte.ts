/** What a component reads from the moment it is made until it is gone. Call these while the component is made. */
import { untrack } from "svelte";
import type { Operation, QueryOf } from "../api/operation.ts";
import { Loaded } from "./loaded.svelte.ts";
import { PagedList } from "./paged-list.svelte.ts";

/** Closes it with the component. */
export function closing<Open extends { close(): void }>(open: Open): Open {
  $effect(() => () => open.close());
  return open;
}

/** Reads at once. */
export function loadOnce<Value>(read: (signal: AbortSignal) => Promise<Value>): Loaded<Value> {
  const loaded = closing(new Loaded<Value>());
  loaded.load(read);
  return loaded;
}

/** Reads what is asked, and again when that changes. What was read stays while `question` gives undefined. */
export function loadFor<Question, Value>(
  question: () => Question | undefined,
  read: (asked: Question, signal: AbortSignal) => Promise<Value>,
): Loaded<Value> {
  const loaded = closing(new Loaded<Value>());
  $effect(() => {
    const asked = question();
    if (asked !== undefined) untrack(() => loaded.load((signal) => read(asked, signal)));
  });
  return loaded;
}

type RowOf<Page, Member extends keyof Page> = Page[Member] extends readonly (infer Row)[] ? Row : never;

/** Reads the first page of a list, and again when the question changes. A page has its rows in `member`. */
export function listFor<
  Full extends object,
  Page extends { next_cursor: string | number | null },
  Member extends keyof Page,
>(
  operation: Operation<Full, Page>,
  member: Member,
  question: () => QueryOf<Operation<Full, Page>>,
): PagedList<Page, RowOf<Page, Member>> {
  const ask = operation as unknown as (asked: { query: object; signal: AbortSignal }) => Promise<Page>;
  const list = closing(new PagedList((page: Page) => page[member] as RowOf<Page, Member>[]));
  $effect(() => {
    const query = question();
    untrack(() => list.load((cursor, signal) => ask({ query: { ...query, cursor }, signal })));
  });
  return list;
}
