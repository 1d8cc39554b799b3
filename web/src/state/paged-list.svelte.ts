/** A list of which the server gives a page at a time: all rows read so far, and the way to the next ones. */
import { Loaded } from "./loaded.svelte.ts";

type CursorOf<Page extends { next_cursor: unknown }> = NonNullable<Page["next_cursor"]>;

export class PagedList<Page extends { next_cursor: string | number | null }, Row> {
  /** The newest page, with the state of reading it. */
  readonly page = new Loaded<Page>();
  readonly #rowsOf: (page: Page) => readonly Row[];
  #earlier = $state.raw<readonly Row[]>([]);
  #read: ((cursor: CursorOf<Page> | undefined, signal: AbortSignal) => Promise<Page>) | undefined;

  constructor(rowsOf: (page: Page) => readonly Row[]) {
    this.#rowsOf = rowsOf;
  }

  get rows(): readonly Row[] {
    return [...this.#earlier, ...(this.page.value ? this.#rowsOf(this.page.value) : [])];
  }

  get hasMore(): boolean {
    return (this.page.value?.next_cursor ?? null) !== null;
  }

  /** Whether nobody has asked for a page after the first one. */
  get isAtStart(): boolean {
    return this.#earlier.length === 0;
  }

  /** Reads the first page; the rows shown stay until it is there. */
  load(read: (cursor: CursorOf<Page> | undefined, signal: AbortSignal) => Promise<Page>): void {
    this.#read = read;
    this.#loadAfter([], undefined);
  }

  /** Reads the page after the last one. */
  more(): void {
    if (this.hasMore)
      this.#loadAfter(this.rows, (this.page.value?.next_cursor ?? undefined) as CursorOf<Page> | undefined);
  }

  close(): void {
    this.page.close();
  }

  #loadAfter(earlier: readonly Row[], cursor: CursorOf<Page> | undefined): void {
    const read = this.#read;
    if (!read) return;
    this.page.load(async (signal) => {
      const page = await read(cursor, signal);
      this.#earlier = earlier;
      return page;
    });
  }
}
