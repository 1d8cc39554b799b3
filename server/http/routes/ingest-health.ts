/** GET /v1/ingest-health: outcomes of the events that were sent for a node. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { hourMs } from "../../contract/durations.ts";
import {
  type IngestWindow,
  ingestHealthQuerySchema,
  ingestHealthSchema,
  windowCountsSchema,
} from "../../contract/ingest-health.ts";
import type { NodeAddress } from "../../contract/nodes.ts";
import { nodesOfKeys } from "../../identity/keys.ts";
import { answerIngestHealth, wholeMinutes } from "../../metrics/ingest-health.ts";
import { InvalidTimeError } from "../../metrics/windows.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { nameOfOthers } from "../../tree/past-owners.ts";
import { answerList, listed, listTable } from "../answer-list.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { isWithinReach, requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { storeFor } from "../take-turns.ts";
import { readTimeRange } from "../time-range.ts";

interface IngestHealthRoutesDeps {
  clickhouse: ClickHouse;
  postgres: Postgres;
  tree: NodeTree;
  watermark: () => Date;
  now?: () => number;
}

const usualRangeMs: Record<IngestWindow, number> = { minute: hourMs, hour: 24 * hourMs, day: 30 * 24 * hourMs };

const outcomeTable = listTable("series", windowCountsSchema, {
  name: "ingest",
  types: { start: "instant", end: "instant" },
});

const getIngestHealthRoute = createRoute({
  method: "get",
  path: "/v1/ingest-health",
  operationId: "getIngestHealth",
  tags: ["Events"],
  summary: "Get what happened to the events that were sent",
  description: [
    "Every event in a request is either accepted, a duplicate or rejected. It is counted in the minute it was received,",
    "for the organization it named. Events that named none the key can see are counted at the key's own node.",
    "Counts are by whole minutes: `from` and `to` are widened to them. Requests refused as a whole are counted in `/metrics`.",
  ].join(" "),
  middleware: requireScope("read"),
  request: { query: ingestHealthQuerySchema },
  responses: {
    200: listed("The counts, by window", ingestHealthSchema, windowCountsSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function ingestHealthRoutes({
  clickhouse,
  postgres,
  tree,
  watermark,
  now = Date.now,
}: IngestHealthRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  app.openapi(getIngestHealthRoute, async (c) => {
    const query = c.req.valid("query");
    const { window, tz, group_by: groupBy } = query;
    const node = resolveNode(c.get("actor"), tree, query.node);
    const nowMs = now();
    const given = readTimeRange(query, nowMs);
    const toMs = given.toMs ?? nowMs;
    const fromMs = given.fromMs ?? toMs - usualRangeMs[window];
    if (fromMs >= toMs) throw new ProblemError("invalid_request", "from must be before to", { field: "from" });
    const asOf = watermark();
    const { reach } = c.get("actor");
    // Keys of who stood above the node before are not its later owners' to know.
    const isOwn = (of: NodeAddress) => tree.ancestors(node).includes(of) || isWithinReach({ reach }, tree, of);
    const namesOf = async (keys: readonly string[]) => {
      const known = [...(await nodesOfKeys(postgres.db, keys))].filter(([, of]) => !isOwn(of));
      return new Map(known.map(([key]) => [key, nameOfOthers]));
    };
    const isNamed = groupBy !== "key" || reach.includes(node);
    try {
      const question = { node, ...wholeMinutes(fromMs, toMs), window, tz, groupBy, ...(!isNamed && { namesOf }) };
      return await answerList(
        c,
        outcomeTable,
        {},
        async () => await answerIngestHealth(storeFor(c, clickhouse), question, asOf, nowMs),
      );
    } catch (error) {
      if (error instanceof InvalidTimeError)
        throw new ProblemError("invalid_request", error.message, { field: "window" });
      throw error;
    }
  });
  return app;
}
