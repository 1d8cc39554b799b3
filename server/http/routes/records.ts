/** GET /v1/records: the events behind the figures of a node. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { declaredDimensions } from "../../catalog/catalog.ts";
import { parseFilters } from "../../catalog/filters.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { filterGrammar } from "../../contract/filters.ts";
import { defaultPageSize } from "../../contract/pages.ts";
import { recordListSchema, recordSchema, recordsQuerySchema, type UsageRecord } from "../../contract/records.ts";
import type { ColumnType } from "../../contract/reports.ts";
import type { Actor } from "../../identity/actor.ts";
import { stringifyExact } from "../../json/exact-json.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { ownersSeenBy } from "../../lists/former-owners.ts";
import {
  type ExactRecord,
  type ReadRecord,
  readRecords,
  recordDimensions,
  recordKeySchema,
} from "../../lists/read-records.ts";
import { asOfSchema } from "../../metrics/as-of.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import { answerExact } from "../exact-json.ts";
import type { HttpEnv } from "../http-env.ts";
import { listFormOf, listMediaTypes, mapped, streamOf } from "../list-form.ts";
import { isTableForm, sendTable, tableColumns } from "../list-table.ts";
import { rawAnswer } from "../raw-answer.ts";
import { sayWatermark } from "../say-watermark.ts";
import { storeFor } from "../take-turns.ts";
import { readTimeRange } from "../time-range.ts";

interface RecordsRoutesDeps {
  clickhouse: ClickHouse;
  tree: NodeTree;
  watermark: () => Date;
  settledBatch: () => number;
  now?: () => number;
}

const filterable = new Set([...recordDimensions, ...declaredDimensions]);
const streamedGroup = 5_000;
const positionSchema = z.object({ asOf: asOfSchema, key: recordKeySchema });

const listRecordsRoute = createRoute({
  method: "get",
  path: "/v1/records",
  operationId: "listRecords",
  tags: ["Records"],
  summary: "List usage records, newest first",
  description: [
    `${filterGrammar} Dimensions: ${[...filterable].join(", ")}.`,
    "All pages of a list show what could be queried when its first page was read: events that arrive later,",
    "whatever their time, are on none of them, and no event is skipped or repeated. An event amended in the meantime is listed with its new time, as it is when its page is read.",
    "`Accept: text/csv`, `application/x-ndjson`, or the Excel or Parquet media types stream the whole range; `limit` then applies only if it is given.",
  ].join(" "),
  middleware: requireScope("read"),
  request: { query: recordsQuerySchema },
  responses: {
    200: {
      description: "The events as they were sent",
      content: {
        "application/json": { schema: recordListSchema },
        "text/csv": { schema: z.string() },
        "application/x-ndjson": { schema: recordSchema },
      },
    },
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function recordsRoutes({
  clickhouse,
  tree,
  watermark,
  settledBatch,
  now = Date.now,
}: RecordsRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  app.openapi(listRecordsRoute, async (c) => {
    const query = c.req.valid("query");
    const node = resolveNode(c.get("actor"), tree, query.node);
    const filters = parseFilters(query, filterable);
    const nowMs = now();
    const range = readTimeRange(query, nowMs);
    const asked = {
      list: "records",
      node,
      filters,
      from: query.from,
      to: query.to,
      tz: query.tz,
      include: query.include,
    };
    const position = readCursor(query.cursor, asked, positionSchema);
    const seen = watermark();
    sayWatermark(c, seen);
    const asOf = position?.asOf ?? { settledBatch: settledBatch(), watermarkMs: seen.getTime() };
    const question = { node, filters, ...range, asOf, withVoided: query.include === "voided", after: position?.key };
    const form = listFormOf(c.req.header("accept"));
    const shown = withoutOthers(tree, c.get("actor"), nowMs);
    // A key that is not shown is not found by what it is either.
    const isByKey = filters.some(({ dimension }) => dimension === "key");
    const shownOf = (found: readonly ReadRecord[]) =>
      found.map(shown).filter(({ record }) => !isByKey || record.key !== "");
    if (form !== "json") {
      const groups = mapped(
        readRecords(storeFor(c, clickhouse), question, Math.min(query.limit ?? streamedGroup, streamedGroup), nowMs),
        shownOf,
      );
      const most = query.limit ?? Number.POSITIVE_INFINITY;
      if (isTableForm(form)) {
        const table = { columns: recordColumns, rows: cellsOf(groups, most) };
        return rawAnswer(await sendTable(c, form, { name: "records", table, clickhouse }));
      }
      c.header("content-type", listMediaTypes[form]);
      return rawAnswer(c.body(await streamOf(linePieces(groups, most), c.get("question")), 200));
    }
    const limit = query.limit ?? defaultPageSize;
    const read = await readRecords(storeFor(c, clickhouse), question, limit + 1, nowMs).next();
    const found = read.done ? [] : read.value;
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return answerExact(c, {
      node,
      watermark: seen.toISOString(),
      records: shownOf(page).map(({ record }) => record),
      next_cursor: found.length > limit && last ? writeCursor(asked, { asOf, key: last.key }) : null,
    });
  });
  return app;
}

/** Without former owners that are not the reader's to know, and their keys. */
function withoutOthers(
  tree: RecordsRoutesDeps["tree"],
  actor: Pick<Actor, "reach">,
  nowMs: number,
): (read: ReadRecord) => ReadRecord {
  const isSeen = ownersSeenBy(tree, actor, nowMs);
  return (read) =>
    isSeen(read.record) ? read : { ...read, record: { ...read.record, partner: null, reseller: null, key: "" } };
}

/** The records of the groups, `limit` at most, as texts to send. */
async function* linePieces(groups: AsyncGenerator<ReadRecord[]>, limit: number): AsyncGenerator<string> {
  let left = limit;
  for await (const group of groups) {
    yield group
      .slice(0, left)
      .map(({ record }) => `${stringifyExact(record)}\n`)
      .join("");
    left -= group.length;
    if (left <= 0) return;
  }
}

/** Every field of a record, in the order of the columns of its table. */
const columnTypes = {
  time: "instant",
  organization: "text",
  id: "text",
  type: "text",
  agent: "text",
  user: "text",
  session: "text",
  room: "text",
  interval: "text",
  job: "text",
  started_at: "instant",
  value: "decimal",
  properties: "text",
  seconds: "decimal",
  source: "text",
  received_at: "instant",
  partner: "text",
  reseller: "text",
  key: "text",
  voided: "boolean",
} as const satisfies Record<keyof UsageRecord, ColumnType>;
const columns = Object.keys(columnTypes) as (keyof UsageRecord)[];
const recordColumns = tableColumns(columns, columnTypes);

/** A row for each record; properties as JSON. */
async function* cellsOf(
  groups: AsyncGenerator<ReadRecord[]>,
  limit: number,
): AsyncGenerator<(string | null | undefined)[]> {
  let left = limit;
  for await (const group of groups) {
    for (const { record } of group.slice(0, left)) yield columns.map((name) => cellOf(record, name));
    left -= group.length;
    if (left <= 0) return;
  }
}

function cellOf(record: ExactRecord, name: (typeof columns)[number]): string | null | undefined {
  if (name === "properties") return stringifyExact(record.properties);
  return name === "voided" ? String(record.voided === true) : record[name];
}
