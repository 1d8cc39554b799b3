/** GET /v1/reconciliations and /v1/rebuilds: where storage differed from the events, and rebuilds of what was made of them. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { nodeAddress } from "../../contract/node-address.ts";
import {
  type RebuildAnswer,
  type ReconciliationAnswer,
  rebuildListSchema,
  rebuildRequestSchema,
  rebuildSchema,
  reconciliationListSchema,
  reconciliationSchema,
  reconciliationsQuerySchema,
} from "../../contract/reconciliation.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import { readReconciliations, reconciliationKeySchema } from "../../rollups/read-reconciliations.ts";
import { type Rebuild, readRebuilds, requestRebuild } from "../../rollups/rebuild.ts";
import type { Drift } from "../../rollups/reconcile-piece.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import { authorOf } from "../author-of.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { jsonAnswer, jsonBody } from "../route-parts.ts";
import { readTimeRange } from "../time-range.ts";

interface ReconciliationRoutesDeps {
  postgres: Postgres;
  tree: NodeTree;
  now?: () => number;
}

const driftTable = listTable("reconciliations", reconciliationSchema);
const rebuildTable = listTable("rebuilds", rebuildSchema);

const listReconciliationsRoute = createRoute({
  method: "get",
  path: "/v1/reconciliations",
  operationId: "listReconciliations",
  tags: ["Operations"],
  summary: "List differences between stored data and events, newest first",
  description:
    "Recent and random days are constantly compared with the events, and differences are repaired. In a healthy service this list is empty.",
  middleware: requireScope("admin"),
  request: { query: reconciliationsQuerySchema },
  responses: {
    200: listed("The differences", reconciliationListSchema, reconciliationSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const createRebuildRoute = createRoute({
  method: "post",
  path: "/v1/rebuilds",
  operationId: "createRebuild",
  tags: ["Operations"],
  summary: "Rebuild a stage from the stage before, while the service keeps running",
  description:
    "Every day of every organization in question is compared, and differences are written; readers never see less in the meantime.",
  middleware: requireScope("admin"),
  request: { body: jsonBody(rebuildRequestSchema) },
  responses: {
    202: jsonAnswer("The rebuild starts within seconds", rebuildSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const listRebuildsRoute = createRoute({
  method: "get",
  path: "/v1/rebuilds",
  operationId: "listRebuilds",
  tags: ["Operations"],
  summary: "List rebuilds, newest first",
  middleware: requireScope("admin"),
  responses: { 200: listed("The rebuilds", rebuildListSchema, rebuildSchema), ...problemResponses(401, 403, 503) },
});

const getRebuildRoute = createRoute({
  method: "get",
  path: "/v1/rebuilds/{id}",
  operationId: "getRebuild",
  tags: ["Operations"],
  summary: "Get the progress of a rebuild",
  middleware: requireScope("admin"),
  request: { params: z.object({ id: z.string().min(1).max(100) }) },
  responses: { 200: jsonAnswer("The rebuild", rebuildSchema), ...problemResponses(401, 403, 404, 503) },
});

export function reconciliationRoutes({
  postgres,
  tree,
  now = Date.now,
}: ReconciliationRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(listReconciliationsRoute, async (c) => {
    const query = c.req.valid("query");
    const node = resolveNode(c.get("actor"), tree, query.node);
    const { from, to, tz, stage } = query;
    const range = readTimeRange(query, now());
    const asked = { list: "reconciliations", node, stage, from, to, tz };
    return await answerList(c, driftTable, query, async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, reconciliationKeySchema);
      const found = await readReconciliations(postgres, { node, stage, ...range, after }, limit + 1);
      const { page, last } = pageOf(found, limit);
      return {
        node,
        reconciliations: page.map(describeDrift),
        next_cursor: last ? writeCursor(asked, [last.at.getTime(), last.id]) : null,
      };
    });
  });

  app.openapi(createRebuildRoute, async (c) => {
    const { stage, organization, from, to } = c.req.valid("json");
    resolveNode(
      c.get("actor"),
      tree,
      organization === undefined ? "all" : nodeAddress("organization", organization),
      "organization",
    );
    if (from !== undefined && to !== undefined && from >= to)
      throw new ProblemError("invalid_request", "from must be before to", { field: "from" });
    const rebuild = await requestRebuild({ postgres, tree }, { stage, organization, from, to }, authorOf(c));
    return c.json(describeRebuild(rebuild), 202);
  });

  app.openapi(listRebuildsRoute, async (c) => {
    return await answerList(c, rebuildTable, {}, async () => ({
      rebuilds: (await readRebuilds(postgres, c.get("actor").reach)).map(describeRebuild),
    }));
  });

  app.openapi(getRebuildRoute, async (c) => {
    const [rebuild] = await readRebuilds(postgres, c.get("actor").reach, c.req.valid("param").id);
    if (!rebuild) throw new ProblemError("not_found", "there is no such rebuild", { field: "id" });
    return c.json(describeRebuild(rebuild), 200);
  });
  return app;
}

function describeDrift(drift: Drift): ReconciliationAnswer {
  const { id, at, node, day, stage, differences, subject, expected, found, repairedAt } = drift;
  return {
    id,
    at: at.toISOString(),
    node: node as ReconciliationAnswer["node"],
    day,
    stage,
    differences,
    subject,
    expected,
    found,
    repaired_at: repairedAt?.toISOString() ?? null,
  };
}

function describeRebuild(rebuild: Rebuild): RebuildAnswer {
  const { id, stage, organization, from, to, requestedAt, actorName, pieces, piecesDone, repaired, finishedAt } =
    rebuild;
  return {
    id,
    stage,
    organization,
    from,
    to,
    requested_at: requestedAt.toISOString(),
    requested_by: actorName,
    pieces,
    pieces_done: piecesDone,
    repaired,
    finished_at: finishedAt?.toISOString() ?? null,
  };
}
