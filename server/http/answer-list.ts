/**
 * A list that is answered a page at a time as JSON, and whole as a file: CSV, Excel or JSON lines. The file has a row for each
 * item and a column for each of its fields, by their names in JSON.
 */
import { z } from "@hono/zod-openapi";
import type { Context, TypedResponse } from "hono";
import { defaultPageSize } from "../contract/pages.ts";
import type { ColumnType, ReportColumn } from "../contract/reports.ts";
import type { HttpEnv } from "./http-env.ts";
import { listFormOf, listMediaTypes, streamOf } from "./list-form.ts";
import { sendSheet, tableColumns } from "./list-table.ts";
import { rawAnswer } from "./raw-answer.ts";
import { sayWatermark } from "./say-watermark.ts";

type Item = Readonly<Record<string, unknown>>;

export interface ListTable {
  /** The rows that a page holds. */
  itemsOf: (page: Item) => Iterable<Item>;
  /** The file's, without its ending. */
  name: string;
  columns: ReportColumn[];
}

/**
 * Its items are in `member` of a page, unless `itemsOf` finds them. Fields that are neither numbers nor booleans in JSON are
 * text, unless `types` has another.
 */
export function listTable(
  member: string,
  item: z.ZodObject,
  {
    name = member,
    types = {},
    itemsOf = (page) => page[member] as Item[],
  }: { name?: string; types?: Readonly<Record<string, ColumnType>>; itemsOf?: ListTable["itemsOf"] } = {},
): ListTable {
  const fields = Object.entries(item.shape).map(
    ([field, schema]) => [field, typeOf(field, schema as z.ZodType)] as const,
  );
  return { itemsOf, name, columns: tableColumns(Object.keys(item.shape), { ...Object.fromEntries(fields), ...types }) };
}

function typeOf(field: string, schema: z.ZodType): ColumnType {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional)
    return typeOf(field, schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodNumber) return schema.format === "safeint" ? "integer" : "decimal";
  if (schema instanceof z.ZodBoolean) return "boolean";
  return field === "at" || field.endsWith("_at") ? "instant" : "text";
}

/** What a route may answer whose handler is `answerList`. */
export const listed = <List extends z.ZodType, One extends z.ZodType>(what: string, list: List, one: One) => ({
  description: `${what}: a page as JSON. With \`Accept: text/csv\`, \`application/x-ndjson\`, or the Excel media type, everything that matches, regardless of \`limit\``,
  content: {
    "application/json": { schema: list },
    "text/csv": { schema: z.string() },
    "application/x-ndjson": { schema: one },
  },
});

interface PageAsked {
  cursor: string | undefined;
  limit: number;
}

const rowsAtOnce = 1_000;

/**
 * `read` reads one page; without a `next_cursor` it is the only one. The first is read before the answer begins, so what it
 * throws is answered as a problem in any form.
 */
export async function answerList<Page extends object>(
  c: Context<HttpEnv>,
  table: ListTable,
  asked: { cursor?: string | undefined; limit?: number | undefined },
  read: (page: PageAsked) => Promise<Page>,
): Promise<Response & TypedResponse<Page, 200, "json">> {
  const form = listFormOf(c.req.header("accept"));
  const { cursor, limit = defaultPageSize } = asked;
  const isPage = form === "json" || form === "parquet";
  const first = await read({ cursor, limit: isPage ? limit : rowsAtOnce });
  const { watermark } = first as Item;
  if (typeof watermark === "string") sayWatermark(c, watermark);
  if (isPage) return rawAnswer(c.json(first, 200));
  const items = allItems(table, first, read);
  const { name, columns } = table;
  if (form !== "ndjson") {
    const names = columns.map(({ key }) => key);
    return rawAnswer(await sendSheet(c, form, { name, table: { columns, rows: rowsOf(items, names) } }));
  }
  c.header("content-type", listMediaTypes[form]);
  c.header("content-disposition", `attachment; filename="${name}.ndjson"`);
  return rawAnswer(c.body(await streamOf(linesOf(items), c.get("question")), 200));
}

async function* allItems<Page extends object>(
  { itemsOf }: ListTable,
  first: Page,
  read: (page: PageAsked) => Promise<Page>,
): AsyncGenerator<Item> {
  for (let page = first as Item; ; ) {
    yield* itemsOf(page);
    const cursor = (page.next_cursor ?? null) as string | null;
    if (cursor === null) return;
    page = (await read({ cursor, limit: rowsAtOnce })) as Item;
  }
}

async function* linesOf(items: AsyncIterable<Item>): AsyncGenerator<string> {
  for await (const item of items) yield `${JSON.stringify(item)}\n`;
}

async function* rowsOf(items: AsyncIterable<Item>, names: readonly string[]): AsyncGenerator<(string | null)[]> {
  for await (const item of items) yield names.map((name) => cellOf(item[name]));
}

/** Lists of texts are shown as people write them, what has parts as JSON. */
function cellOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
