/** Counts what is read, not how long it takes. */
import pg from "pg";
import { vi } from "vitest";

/** All rows that Postgres answers in this process while `work` runs, each as JSON: most are lists without the names of columns. */
export async function rowsReadBy(work: () => Promise<unknown>): Promise<string[]> {
  const read: unknown[] = [];
  const { query } = pg.Client.prototype;
  const spied = vi.spyOn(pg.Client.prototype, "query").mockImplementation(function (
    this: pg.Client,
    ...args: unknown[]
  ) {
    const callback = args.at(-1);
    if (typeof callback === "function")
      args[args.length - 1] = (error: unknown, result: unknown) => {
        read.push(result);
        callback(error, result);
      };
    const answer: unknown = Reflect.apply(query, this, args);
    if (answer instanceof Promise) answer.then((result) => read.push(result)).catch(() => undefined);
    return answer as ReturnType<typeof query>;
  });
  try {
    await work();
  } finally {
    spied.mockRestore();
  }
  return read.flatMap((result) => (result as pg.QueryResult | undefined)?.rows ?? []).map((row) => JSON.stringify(row));
}
