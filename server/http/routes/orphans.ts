/** GET /v1/orphans: intervals of a node that count nowhere, or not as they were sent. */

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { parseFilters } from "../../catalog/filters.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { filterGrammar } from "../../contract/filters.ts";
import {
  type Orphan,
  orphanKinds,
  orphanListSchema,
  orphanSchema,
  orphansQuerySchema,
} from "../../contract/orphans.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { orphanDimensions, orphanKeySchema, readOrphans } from "../../lists/read-orphans.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { storeFor } from "../take-turns.ts";
import { readTimeRange } from "../time-range.ts";

interface OrphansRoutesDeps {
  clickhouse: ClickHouse;
  tree: NodeTree;
  watermark: () => Date;
  now?: () => number;
}

const orphanTable = listTable("orphans", orphanSchema);

const listOrphansRoute = createRoute({
  method: "get",
  path: "/v1/orphans",
  operationId: "listOrphans",
  tags: ["Records"],
  summary: "List intervals that are not counted, or not as they were sent",
  description: `By their last sign of life, newest first, as they are now: an orphan disappears when its start arrives. ${filterGrammar} Dimensions: ${[...orphanDimensions].join(", ")}.`,
  middleware: requireScope("read"),
  request: { query: orphansQuerySchema },
  responses: {
    200: listed("The intervals", orphanListSchema, orphanSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function orphansRoutes({
  clickhouse,
  tree,
  watermark,
  now = Date.now,
}: OrphansRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  app.openapi(listOrphansRoute, async (c) => {
    const query = c.req.valid("query");
    const node = resolveNode(c.get("actor"), tree, query.node);
    const filters = parseFilters(query, orphanDimensions);
    const kinds = kindsOf(query.kind);
    const { from, to, tz } = query;
    const range = readTimeRange(query, now());
    const asked = { list: "orphans", node, kinds, filters, from, to, tz };
    return await answerList(c, orphanTable, query, async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, orphanKeySchema);
      const asOf = watermark();
      const found = await readOrphans(storeFor(c, clickhouse), { node, kinds, filters, ...range, after }, limit + 1);
      const { page, last } = pageOf(found, limit);
      return {
        node,
        watermark: asOf.toISOString(),
        orphans: page.map(({ orphan }) => orphan),
        next_cursor: last ? writeCursor(asked, last.key) : null,
      };
    });
  });
  return app;
}

function kindsOf(names: string): Orphan["kind"][] {
  return names.split(",").map((name) => {
    const kind = orphanKinds.find((one) => one === name);
    if (!kind)
      throw new ProblemError("invalid_request", `kind must be one of ${orphanKinds.join(", ")}`, { field: "kind" });
    return kind;
  });
}
