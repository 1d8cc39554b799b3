/**
 * A query is a value: an .sql file, the shape of its parameters and of its rows make one typed function. Nobody can
 * pass an unchecked parameter or receive an unchecked row.
 */
import { z } from "zod";
import { type ClickHouse, readSql, type StatementSummary } from "./client.ts";

/** The text of clickhouse/queries/`name`.sql; `{{part}}` stands for clickhouse/fragments/`part`.sql, also in fragments. */
function readQuery(name: string): string {
  return withFragments(readSql(`queries/${name}.sql`));
}

function withFragments(sql: string): string {
  return sql.replace(/\{\{(\w+)\}\}/g, (_, part) => withFragments(readSql(`fragments/${part}.sql`).trimEnd()));
}

/** A SELECT from clickhouse/queries/`name`.sql. */
export function defineQuery<Params extends z.ZodObject, Row extends z.ZodObject>(
  name: string,
  params: Params,
  row: Row,
): (clickhouse: ClickHouse, values: z.input<Params>) => Promise<z.output<Row>[]> {
  const sql = readQuery(name);
  const rows = z.array(row);
  return async function runQuery(clickhouse, values) {
    return rows.parse(await clickhouse.select(sql, params.parse(values)));
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
