/** Closed statements of the caller's subtree, as it was in their cycles. Amounts only for who may see prices. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { adjustedUntil } from "../../billing/statements/adjust-statements.ts";
import {
  describeStatement,
  describeStatements,
  listStatements,
  readStatement,
  type StatementFilter,
} from "../../billing/statements/read-statements.ts";
import { paymentState } from "../../billing/statements/record-payment.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { instantKeySchema } from "../../contract/cursors.ts";
import { defaultPageSize } from "../../contract/pages.ts";
import type { ColumnType } from "../../contract/reports.ts";
import {
  type Statement,
  type StatementDetail,
  type StatementLine,
  statementDetailSchema,
  statementListSchema,
  statementQuerySchema,
} from "../../contract/statements.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import { csvLine } from "../../reports/render/csv-line.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import { entityTag } from "../entity-tag.ts";
import type { HttpEnv } from "../http-env.ts";
import { listFormOf, listMediaTypes, mapped, streamOf } from "../list-form.ts";
import { type CellsOf, isTableForm, sendTable, tableOf } from "../list-table.ts";
import { pageOf } from "../page-of.ts";
import { rawAnswer } from "../raw-answer.ts";
import { idParams } from "../route-parts.ts";
import { sayWatermark } from "../say-watermark.ts";
import { readInstant, readTimeRange } from "../time-range.ts";

interface StatementsRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  /** Writes Parquet. */
  clickhouse: Pick<ClickHouse, "selectFrom">;
  watermark: () => Date;
  now?: () => number;
}

/** Statements that an export reads at a time. */
const exportPage = 500;
const positionSchema = z.object({ toMs: instantKeySchema, id: z.string() });

const listStatementsRoute = createRoute({
  method: "get",
  path: "/v1/statements",
  operationId: "listStatements",
  tags: ["Billing"],
  summary: "List statements, newest first",
  description:
    "A statement covers one node, one cycle, one currency and one place in the tree. It closes 24 hours after its part of the cycle ends, and never changes after that. A page as JSON. With `Accept: text/csv`, `application/x-ndjson`, or the Excel or Parquet media types, everything that matches, regardless of `limit`.",
  middleware: requireScope("read"),
  request: { query: statementQuerySchema },
  responses: {
    200: {
      description: "The statements",
      content: { "application/json": { schema: statementListSchema }, "text/csv": { schema: z.string() } },
    },
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const getStatementRoute = createRoute({
  method: "get",
  path: "/v1/statements/{id}",
  operationId: "getStatement",
  tags: ["Billing"],
  summary: "Get a statement with its lines, adjustments and payments",
  description:
    "Changes from later events are in `adjustments` and are charged on the node's next statement. With `Accept: text/csv`, its lines.",
  middleware: requireScope("read"),
  request: { params: idParams },
  responses: {
    200: {
      description: "The statement",
      content: { "application/json": { schema: statementDetailSchema }, "text/csv": { schema: z.string() } },
    },
    ...problemResponses(401, 403, 404, 503),
  },
});

export function statementsRoutes(source: StatementsRoutesDeps): OpenAPIHono<HttpEnv> {
  const { postgres, tree, clickhouse, now = Date.now } = source;
  const { db } = postgres;
  const app = createRouter();

  app.openapi(listStatementsRoute, async (c) => {
    const query = c.req.valid("query");
    const actor = c.get("actor");
    const { node, kind, status, cycle, from, to, tz } = query;
    const range = readTimeRange(query, now());
    const asked = { list: "statements", node, kind, status, cycle, from, to, tz };
    const filter: Omit<StatementFilter, "after" | "limit"> = {
      ...range,
      reach: actor.reach,
      kind,
      status,
      node: node === undefined ? undefined : resolveNode(actor, tree, node),
      cycleMs: cycle === undefined ? undefined : readInstant("cycle", cycle, tz, now()),
    };
    const after = readCursor(query.cursor, asked, positionSchema);
    const watermark = sayWatermark(c, await adjustedUntil(source));
    const form = listFormOf(c.req.header("accept"));
    if (form !== "json") {
      const all = async function* () {
        for (let position = after; ; ) {
          const rows = await listStatements(db, { ...filter, after: position, limit: exportPage });
          yield* await describeStatements(db, tree, actor, rows);
          const last = rows.at(-1);
          if (!last || rows.length < exportPage) return;
          position = { toMs: last.partTo.getTime(), id: last.id };
        }
      };
      if (isTableForm(form)) {
        const table = tableOf(listCells, all(), listTypes);
        return rawAnswer(await sendTable(c, form, { name: "statements", table, clickhouse }));
      }
      c.header("content-type", listMediaTypes[form]);
      const lines = mapped(all(), (one) => `${JSON.stringify(one)}\n`);
      return rawAnswer(c.body(await streamOf(lines, c.get("question")), 200));
    }
    const limit = query.limit ?? defaultPageSize;
    const found = await listStatements(db, { ...filter, after, limit: limit + 1 });
    const { page, last } = pageOf(found, limit);
    const position = last && { toMs: last.partTo.getTime(), id: last.id };
    const statements = await describeStatements(db, tree, actor, page);
    return c.json({ watermark, statements, next_cursor: position ? writeCursor(asked, position) : null }, 200);
  });

  app.openapi(getStatementRoute, async (c) => {
    const actor = c.get("actor");
    const row = await readStatement(db, c.req.valid("param").id);
    if (!row?.path.some((node) => actor.reach.includes(node)))
      throw new ProblemError("not_found", "there is no such statement");
    const watermark = sayWatermark(c, await adjustedUntil(source));
    const described = { ...(await describeStatement(db, tree, actor, row)), watermark };
    c.header("etag", await entityTag(c, paymentState(row)));
    if (listFormOf(c.req.header("accept")) !== "csv") return c.json(described, 200);
    c.header("content-type", "text/csv; charset=utf-8");
    c.header("content-disposition", `attachment; filename="${row.id}.csv"`);
    return rawAnswer(c.body(detailCsv(described), 200));
  });
  return app;
}

const listTypes: Readonly<Record<string, ColumnType>> = {
  cycle_start: "instant",
  cycle_end: "instant",
  from: "instant",
  to: "instant",
  payment_at: "instant",
  closed_at: "instant",
  total: "money",
  income: "money",
  margin: "money",
  adjusted_total: "money",
};

const listCells: CellsOf<Statement> = {
  id: ({ id }) => id,
  kind: ({ kind }) => kind,
  node: ({ node }) => node,
  parent: ({ parent }) => parent,
  cycle_start: ({ cycle }) => cycle.start,
  cycle_end: ({ cycle }) => cycle.end,
  from: ({ from }) => from,
  to: ({ to }) => to,
  currency: ({ currency }) => currency,
  total: ({ total }) => total,
  income: ({ income }) => income,
  margin: ({ margin }) => margin,
  adjusted_total: (one) => one.adjusted_total,
  payment_status: ({ payment }) => payment.status,
  payment_at: ({ payment }) => payment.at,
  closed_at: (one) => one.closed_at,
  summary: ({ summary }) => summary,
};

interface ShownLine {
  section: string;
  level: string;
  payer: string;
  currency: string;
  line: StatementLine;
}

const lineCells: Readonly<Record<string, (shown: ShownLine) => string | null | undefined>> = {
  section: ({ section }) => section,
  level: ({ level }) => level,
  payer: ({ payer }) => payer,
  currency: ({ currency }) => currency,
  kind: ({ line }) => line.kind,
  node: ({ line }) => line.node,
  statement: ({ line }) => line.statement,
  feature: ({ line }) => line.feature,
  meter: ({ line }) => line.meter,
  plan: ({ line }) => line.plan,
  version: ({ line }) => line.version?.toString(),
  from: ({ line }) => line.from,
  to: ({ line }) => line.to,
  tier: ({ line }) => line.tier?.toString(),
  quantity: ({ line }) => line.quantity,
  unit_price: ({ line }) => line.unit_price,
  flat_fee: ({ line }) => line.flat_fee,
  amount: ({ line }) => line.amount,
};

/** The lines of what each level pays, of the income, and of the adjustments that are charged with other statements. */
function detailCsv({ currency, charges, income_lines, adjustments }: StatementDetail): string {
  const cells = (section: string, level: string, payer: string, line: StatementLine) =>
    csvLine(Object.values(lineCells).map((cellOf) => cellOf({ section, level, payer, currency, line })));
  return [
    csvLine(Object.keys(lineCells)),
    ...charges.flatMap(({ level, payer, lines }) => lines.map((line) => cells("charge", level, payer, line))),
    ...income_lines.map((line) => cells("income", "", line.node, line)),
    ...adjustments.flatMap((one) =>
      one.charges.flatMap(({ level, lines }) => lines.map((line) => cells("adjustment", level, "", line))),
    ),
  ].join("");
}
