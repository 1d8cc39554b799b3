/** What a refused part of a batch left is removed before its halves are stored, or it would count twice. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../../support/source-files.ts";

const migrations = readdirSync(join(root, "clickhouse/migrations"))
  .sort()
  .map((name) => readFileSync(join(root, "clickhouse/migrations", name), "utf8"))
  .join("\n");

/** Marks of what is to be derived again: the halves mark the same, and a mark too many changes no figure. */
const marks = ["touched_sessions"];

test("of every table that the views of events write with the number of the batch", () => {
  const withBatch = [...migrations.matchAll(/CREATE TABLE (\w+)\s*\(([\s\S]*?)\n\)/g)]
    .filter(([, , columns]) => /^\s+batch UInt64/m.test(columns ?? ""))
    .map(([, table]) => table as string);
  const written = [...migrations.matchAll(/CREATE MATERIALIZED VIEW \w+ TO (\w+) AS/g)].map(
    ([, table]) => table as string,
  );
  const counting = ["usage_events", ...withBatch.filter((table) => written.includes(table) && !marks.includes(table))];
  expect(counting.length).toBeGreaterThan(3);
  for (const table of counting) {
    const sql = readFileSync(join(root, "clickhouse/queries", `remove_part_${table}.sql`), "utf8");
    expect(sql, table).toContain(`DELETE FROM ${table}\nWHERE batch = {batch:UInt64}`);
  }
});
