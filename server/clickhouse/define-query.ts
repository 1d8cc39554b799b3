/**
 * A query is a value: an .sql file, the shape of its parameters and of its rows make one typed function. Nobody can
 * pass an unchecked parameter or receive an unchecked row.
 */
import { z } from "zod";
import { createPace } from "../fairness/pace.ts";
import { type ClickHouse, readSql, type StatementSummary } from "./client.ts";

const readQuery = (name: string) => readSql(`queries/${name}.sql`);

/** Checking these takes a few milliseconds. */
const rowsPerSlice = 2_000;

/** A SELECT from clickhouse/queries/`name`.sql. Many rows are checked in slices, between which others have their turn. */
export function defineQuery<Params extends z.ZodObject, Row extends z.ZodObject>(
  name: string,
  params: Params,
  row: Row,
): (clickhouse: ClickHouse, values: z.input<Params>) => Promise<z.output<Row>[]> {
  const sql = readQuery(name);
  const rows = z.array(row);
  return async function runQuery(clickhouse, values) {
    const found = await clickhouse.select(sql, params.parse(values));
    if (found.length <= rowsPerSlice) return rows.parse(found);
    const pace = createPace();
    const checked: z.output<Row>[] = [];
    for (let start = 0; start < found.length; start += rowsPerSlice) {
      for (const one of rows.parse(found.slice(start, start + rowsPerSlice))) checked.push(one);
      await pace.rest();
    }
    return checked;
  };
}

/** How the values of a column are checked: cheap enough for a million of them, unlike a schema per row. */
const columnChecks = {
  text: (value: unknown): value is string => typeof value === "string",
  number: (value: unknown): value is number => typeof value === "number",
  texts: (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === "string"),
  numbers: (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((item) => typeof item === "number"),
  timedTexts: (value: unknown): value is [number, string][] =>
    Array.isArray(value) &&
    value.every((item) => Array.isArray(item) && typeof item[0] === "number" && typeof item[1] === "string"),
  timedNumbers: (value: unknown): value is [number, number][] =>
    Array.isArray(value) &&
    value.every((item) => Array.isArray(item) && typeof item[0] === "number" && typeof item[1] === "number"),
};
type ColumnKind = keyof typeof columnChecks;
type ColumnValue<Kind extends ColumnKind> = (typeof columnChecks)[Kind] extends (value: unknown) => value is infer Value
  ? Value
  : never;

/** A SELECT of many rows from clickhouse/queries/`name`.sql: the columns that `kinds` names, in the query's order. */
export function defineColumnsQuery<Params extends z.ZodObject, Kinds extends Record<string, ColumnKind>>(
  name: string,
  params: Params,
  kinds: Kinds,
): (
  clickhouse: ClickHouse,
  values: z.input<Params>,
) => Promise<{ rows: number; columns: { [Name in keyof Kinds]: ColumnValue<Kinds[Name]>[] } }> {
  const sql = readQuery(name);
  const expected = Object.entries(kinds);
  return async function runColumnsQuery(clickhouse, values) {
    const found = await clickhouse.selectColumns(sql, params.parse(values));
    // Without a row there may be no columns at all.
    const rows = found[0]?.length ?? 0;
    const columns: Record<string, unknown[]> = {};
    const pace = createPace();
    for (const [index, [column, kind]] of expected.entries()) {
      const cells = found[index] ?? [];
      if (cells.length !== rows || !cells.every(columnChecks[kind]))
        throw new Error(`${name}.sql: column ${column} is not ${rows} values of kind ${kind}`);
      columns[column] = cells;
      const resting = pace.rest();
      if (resting) await resting;
    }
    if (rows > 0 && found.length !== expected.length)
      throw new Error(`${name}.sql answered ${found.length} columns instead of ${expected.length}`);
    return { rows, columns: columns as { [Name in keyof Kinds]: ColumnValue<Kinds[Name]>[] } };
  };
}

/** An INSERT SELECT or other statement without a result from clickhouse/queries/`name`.sql. */
export function defineStatement<Params extends z.ZodObject>(
  name: string,
  params: Params,
): (clickhouse: ClickHouse, values: z.input<Params>) => Promise<StatementSummary> {
  const sql = readQuery(name);
  return async function runStatement(clickhouse, values) {
    return await clickhouse.command(sql, params.parse(values));
  };
}

/** An INSERT from clickhouse/queries/`name`.sql whose rows are given as bytes in the format that it names. */
export function defineInsert<Params extends z.ZodObject>(
  name: string,
  params: Params,
): (clickhouse: ClickHouse, body: readonly Buffer[], values: z.input<Params>) => Promise<StatementSummary> {
  const sql = readQuery(name).trimEnd().replace(/;$/, "");
  return async function runInsert(clickhouse, body, values) {
    return await clickhouse.insertBytes(sql, body, params.parse(values));
  };
}
