/** GET /v1/jobs: the state and outcome of a node's jobs. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { parseFilters } from "../../catalog/filters.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { filterGrammar } from "../../contract/filters.ts";
import { type Job, jobListSchema, jobSchema, jobsQuerySchema } from "../../contract/jobs.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { ownersSeenBy, withoutFormerOwners } from "../../lists/former-owners.ts";
import { jobDimensions, jobKeySchema, readJobs } from "../../lists/read-jobs.ts";
import { asOfSchema } from "../../metrics/as-of.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { storeFor } from "../take-turns.ts";
import { readTimeRange } from "../time-range.ts";

interface JobsRoutesDeps {
  clickhouse: ClickHouse;
  tree: NodeTree;
  watermark: () => Date;
  settledBatch: () => number;
  now?: () => number;
}

const positionSchema = z.object({ asOf: asOfSchema, key: jobKeySchema });

const jobTable = listTable("jobs", jobSchema, { types: { minutes: "decimal" } });

const listJobsRoute = createRoute({
  method: "get",
  path: "/v1/jobs",
  operationId: "listJobs",
  tags: ["Records"],
  summary: "List jobs, latest change first",
  description: [
    "A job has the state of its latest event, or of the more final one if several have the same time, in whatever order they arrived.",
    "All pages of a list show jobs as they were when the first page was read.",
    `${filterGrammar} Dimensions: ${[...jobDimensions].join(", ")}.`,
  ].join(" "),
  middleware: requireScope("read"),
  request: { query: jobsQuerySchema },
  responses: { 200: listed("The jobs", jobListSchema, jobSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

export function jobsRoutes({
  clickhouse,
  tree,
  watermark,
  settledBatch,
  now = Date.now,
}: JobsRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  app.openapi(listJobsRoute, async (c) => {
    const query = c.req.valid("query");
    const node = resolveNode(c.get("actor"), tree, query.node);
    const filters = parseFilters(query, jobDimensions);
    const { from, to, tz } = query;
    const range = readTimeRange(query, now());
    const shown = withoutFormerOwners<Job>(ownersSeenBy(tree, c.get("actor"), now()));
    const asked = { list: "jobs", node, filters, from, to, tz };
    return await answerList(c, jobTable, query, async ({ cursor, limit }) => {
      const position = readCursor(cursor, asked, positionSchema);
      const seen = watermark();
      const asOf = position?.asOf ?? { settledBatch: settledBatch(), watermarkMs: seen.getTime() };
      const found = await readJobs(
        storeFor(c, clickhouse),
        { node, filters, ...range, asOf, after: position?.key },
        limit + 1,
      );
      const { page, last } = pageOf(found, limit);
      return {
        node,
        watermark: seen.toISOString(),
        jobs: page.map(({ job }) => shown(job)),
        next_cursor: last ? writeCursor(asked, { asOf, key: last.key }) : null,
      };
    });
  });
  return app;
}
