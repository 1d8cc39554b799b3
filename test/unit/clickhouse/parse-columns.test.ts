import { expect, test } from "vitest";
import { parseColumns } from "../../../server/clickhouse/parse-columns.ts";

/** As ClickHouse writes JSONCompactColumns. */
const written = (columns: readonly unknown[][]) =>
  Buffer.from(`[\n${columns.map((column) => `\t${JSON.stringify(column)}`).join(",\n")}\n]\n`);

test.each([10, 50_000])("of %i rows every column is what was written", async (rows) => {
  const columns = [
    Array.from({ length: rows }, (_, row) => `line\n"${row}" \\ [],\t`),
    Array.from({ length: rows }, (_, row) => row / 2),
    Array.from({ length: rows }, (_, row) => [[row, "a,\n"]]),
  ];
  expect(await parseColumns(written(columns))).toEqual(columns);
});

test("no rows are no columns", async () => {
  expect(await parseColumns(Buffer.from("[\n\n]\n"))).toEqual([]);
});
