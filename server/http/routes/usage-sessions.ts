/** GET /v1/sessions and /v1/sessions/{organization}/{session}: the sessions of a node. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { parseFilters } from "../../catalog/filters.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { filterGrammar } from "../../contract/filters.ts";
import {
  type SessionSummary,
  sessionAnswerSchema,
  sessionIntervalSchema,
  sessionListSchema,
  sessionQuerySchema,
  sessionSummarySchema,
  sessionsQuerySchema,
} from "../../contract/sessions.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { ownersSeenBy, withoutFormerOwners } from "../../lists/former-owners.ts";
import {
  intervalKeySchema,
  readSession,
  readSessions,
  sessionDimensions,
  sessionKeySchema,
} from "../../lists/read-sessions.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { pageOf } from "../page-of.ts";
import { storeFor } from "../take-turns.ts";
import { readTimeRange } from "../time-range.ts";

interface UsageSessionsRoutesDeps {
  clickhouse: ClickHouse;
  tree: NodeTree;
  watermark: () => Date;
  now?: () => number;
}

const sessionTable = listTable("sessions", sessionSummarySchema, { types: { start: "instant", end: "instant" } });
const intervalTable = listTable("intervals", sessionIntervalSchema, { types: { start: "instant", end: "instant" } });

const listSessionsRoute = createRoute({
  method: "get",
  path: "/v1/sessions",
  operationId: "listSessions",
  tags: ["Records"],
  summary: "List sessions, newest first",
  description: `${filterGrammar} Dimensions: ${[...sessionDimensions].join(", ")}; \`user\` and \`agent\` match if any interval of the session has them. An agent's node has its own intervals only.`,
  middleware: requireScope("read"),
  request: { query: sessionsQuerySchema },
  responses: {
    200: listed("The sessions", sessionListSchema, sessionSummarySchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

const getSessionRoute = createRoute({
  method: "get",
  path: "/v1/sessions/{organization}/{session}",
  operationId: "getSession",
  tags: ["Records"],
  summary: "Get a session with its intervals, page by page",
  description:
    "IDs in the path are percent-encoded, with a slash as `%2F`. A session of another node gets the same answer as one that does not exist.",
  middleware: requireScope("read"),
  request: {
    params: z.object({ organization: z.string().min(1).max(256), session: z.string().min(1).max(600) }),
    query: sessionQuerySchema,
  },
  responses: {
    200: listed("The session", sessionAnswerSchema, sessionIntervalSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function usageSessionsRoutes({
  clickhouse,
  tree,
  watermark,
  now = Date.now,
}: UsageSessionsRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();

  app.openapi(listSessionsRoute, async (c) => {
    const query = c.req.valid("query");
    const node = resolveNode(c.get("actor"), tree, query.node);
    const filters = parseFilters(query, sessionDimensions);
    const { state, from, to, tz } = query;
    const nowMs = now();
    const range = readTimeRange(query, nowMs);
    const shown = withoutFormerOwners<SessionSummary>(ownersSeenBy(tree, c.get("actor"), nowMs));
    const asked = { list: "sessions", node, filters, state, from, to, tz };
    return await answerList(c, sessionTable, query, async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, sessionKeySchema);
      const asOf = watermark();
      const found = await readSessions(
        storeFor(c, clickhouse),
        { node, filters, state, ...range, after },
        limit + 1,
        nowMs,
      );
      const { page, last } = pageOf(found, limit);
      return {
        node,
        watermark: asOf.toISOString(),
        sessions: page.map(({ summary }) => shown(summary)),
        next_cursor: last ? writeCursor(asked, last.key) : null,
      };
    });
  });

  app.openapi(getSessionRoute, async (c) => {
    const wanted = c.req.valid("param");
    const asked = { list: "intervals", ...wanted };
    return await answerList(c, intervalTable, c.req.valid("query"), async ({ cursor, limit }) => {
      const after = readCursor(cursor, asked, z.tuple([z.string(), intervalKeySchema]));
      const asOf = watermark();
      const nowMs = now();
      for (const node of c.get("actor").reach) {
        // Each of the caller's nodes may know other intervals: a page goes on with those of the page before.
        if (after && after[0] !== node) continue;
        const found = await readSession(
          storeFor(c, clickhouse),
          { node, ...wanted },
          { after: after?.[1], limit },
          nowMs,
        );
        if (!found) continue;
        const next_cursor = found.next ? writeCursor(asked, [node, found.next]) : null;
        const shown = withoutFormerOwners<typeof found.session>(ownersSeenBy(tree, c.get("actor"), nowMs));
        return { ...shown(found.session), watermark: asOf.toISOString(), next_cursor };
      }
      throw new ProblemError("not_found", "there is no such session");
    });
  });
  return app;
}
