/** GET /v1/explain: one figure, with its definition, the events behind it and what was corrected. */

import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { dimensionsOf } from "../../catalog/catalog.ts";
import { parseFilters } from "../../catalog/filters.ts";
import type { ClickHouse } from "../../clickhouse/client.ts";
import type { EventRow } from "../../clickhouse/event-columns.ts";
import { explainAnswerSchema, explainQuerySchema } from "../../contract/explain.ts";
import { filterGrammar } from "../../contract/filters.ts";
import { agentAddress, nodeAddress } from "../../contract/node-address.ts";
import { eventOfRow } from "../../corrections/amend-event.ts";
import type { Corrections } from "../../corrections/corrections.ts";
import { nameOfStored } from "../../ingest/accept/event-identity.ts";
import { readCursor, writeCursor } from "../../lists/cursor.ts";
import { explainFigure, explainKeySchema } from "../../lists/explain.ts";
import type { CustomMeters } from "../../meters/custom-meters.ts";
import { describeMeter } from "../../meters/describe-meter.ts";
import { answerUsage } from "../../metrics/usage.ts";
import { formatInstant } from "../../metrics/windows.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { wasWithin } from "../../tree/past-owners.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import { answerExact } from "../exact-json.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonAnswer } from "../route-parts.ts";
import { sayWatermark } from "../say-watermark.ts";
import { storeFor } from "../take-turns.ts";
import { readTimeRange } from "../time-range.ts";
import { describeCorrection } from "./corrections.ts";

interface ExplainRoutesDeps {
  clickhouse: ClickHouse;
  tree: NodeTree;
  customMeters: CustomMeters;
  corrections: Corrections;
  watermark: () => Date;
  now?: () => number;
}

const explainUsageRoute = createRoute({
  method: "get",
  path: "/v1/explain",
  operationId: "explainUsage",
  tags: ["Usage"],
  summary: "Explain a value",
  description: `For one cell of an answer from /v1/usage: its window as from and to, with the same node and filters; for a group, add a filter for its key. ${filterGrammar}`,
  middleware: requireScope("read"),
  request: { query: explainQuerySchema },
  responses: {
    200: jsonAnswer("The value and what is behind it", explainAnswerSchema),
    ...problemResponses(400, 401, 403, 404, 503),
  },
});

export function explainRoutes(deps: ExplainRoutesDeps): OpenAPIHono<HttpEnv> {
  const { clickhouse, tree, customMeters, corrections, watermark, now = Date.now } = deps;
  const app = createRouter();
  app.openapi(explainUsageRoute, async (c) => {
    const query = c.req.valid("query");
    const node = resolveNode(c.get("actor"), tree, query.node);
    const nowMs = now();
    const range = readTimeRange(query, nowMs);
    const fromMs = range.fromMs ?? 0;
    const toMs = range.toMs ?? nowMs;
    const meter = customMeters.find(query.meter, node, toMs);
    if (!meter)
      throw new ProblemError("invalid_request", `there is no meter named ${query.meter} for ${node}`, {
        field: "meter",
      });
    const filters = parseFilters(query, dimensionsOf(meter));
    const asked = {
      list: "explain",
      meter: query.meter,
      node,
      filters,
      from: query.from,
      to: query.to,
      tz: query.tz,
    };
    const isOf = ({ organization, agent }: Pick<EventRow, "organization" | "agent">) =>
      tree.isWithin(agent === "" ? nodeAddress("organization", organization) : agentAddress(organization, agent), node);
    const asOf = watermark();
    const store = storeFor(c, clickhouse);
    const window = { node, fromMs, toMs, tz: query.tz, fill: "zero", window: "total", anchor: 1 } as const;
    const [answer, explained, corrected] = await Promise.all([
      answerUsage(store, { ...window, meters: [meter], filters, groupBy: undefined }, asOf, nowMs),
      explainFigure(store, {
        meter,
        node,
        filters,
        fromMs,
        toMs: Math.min(toMs, nowMs),
        after: readCursor(query.cursor, asked, explainKeySchema),
        limit: query.limit,
      }),
      corrections.within(tree, { node, fromMs, toMs }),
    ]);
    const [figure] = answer.meters;
    if (!figure) throw new Error("a meter was not answered");
    const { series: _, unit: __, meter: ___, ...whole } = figure;
    return answerExact(c, {
      node,
      from: formatInstant(fromMs, query.tz),
      to: formatInstant(toMs, query.tz),
      tz: query.tz,
      watermark: sayWatermark(c, asOf),
      meter: describeMeter(meter, customMeters.ownerFor(meter.meter, node)),
      figure: whole,
      events: {
        count: explained.events,
        last_received_at:
          explained.lastReceivedMs === undefined ? null : new Date(explained.lastReceivedMs).toISOString(),
        sample: explained.sample.map((row) => ({
          ...eventOfRow({ ...row, dims: row.declared_dims }),
          ...nameOfStored(row.id),
          received_at: new Date(row.received_ms).toISOString(),
        })),
        next_cursor: explained.next ? writeCursor(asked, explained.next) : null,
      },
      corrections: corrected.map((one) => describeCorrection(one, isOf, wasWithin(tree, c.get("actor").reach))),
    });
  });
  return app;
}
