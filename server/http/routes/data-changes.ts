/** GET /v1/data-changes: which days' figures changed afterwards. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { ClickHouse } from "../../clickhouse/client.ts";
import { dataChangesQuerySchema, dataChangesSchema, maxLateDays } from "../../contract/data-changes.ts";
import { dayMs } from "../../contract/durations.ts";
import { countCorrections } from "../../corrections/read-corrections.ts";
import { countLateEvents } from "../../metrics/late-events.ts";
import { formatInstant, InvalidTimeError, type Window, windowsInSlices } from "../../metrics/windows.ts";
import type { Postgres } from "../../postgres/client.ts";
import { ProblemError } from "../../problem.ts";
import type { NodeTree } from "../../tree/node-tree.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope, resolveNode } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { jsonAnswer } from "../route-parts.ts";
import { storeFor } from "../take-turns.ts";
import { readTimeRange } from "../time-range.ts";

interface DataChangesRoutesDeps {
  clickhouse: ClickHouse;
  postgres: Postgres;
  tree: NodeTree;
}

const usualRangeMs = 30 * dayMs;

const getDataChangesRoute = createRoute({
  method: "get",
  path: "/v1/data-changes",
  operationId: "getDataChanges",
  tags: ["Usage"],
  summary: "Get the days whose usage changed afterwards",
  description: [
    "Corrections of events, by the day of the event before the correction, and events that arrived a day or more after their time, by",
    "the day they arrived. `GET /v1/explain` lists the corrections themselves.",
  ].join(" "),
  middleware: requireScope("read"),
  request: { query: dataChangesQuerySchema },
  responses: { 200: jsonAnswer("The days", dataChangesSchema), ...problemResponses(400, 401, 403, 404, 503) },
});

export function dataChangesRoutes({ clickhouse, postgres, tree }: DataChangesRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  app.openapi(getDataChangesRoute, async (c) => {
    const query = c.req.valid("query");
    const { tz } = query;
    const node = resolveNode(c.get("actor"), tree, query.node);
    const nowMs = Date.now();
    const given = readTimeRange(query, nowMs);
    const toMs = given.toMs ?? nowMs;
    const fromMs = given.fromMs ?? toMs - usualRangeMs;
    if (fromMs >= toMs) throw new ProblemError("invalid_request", "from must be before to", { field: "from" });
    const days = await daysOf(fromMs, toMs, tz);
    const isCounted = toMs - fromMs <= maxLateDays * dayMs;
    const [corrected, late] = await Promise.all([
      countCorrections(postgres.db, tree, node, days),
      isCounted ? countLateEvents(storeFor(c, clickhouse), node, days) : null,
    ]);
    const span = ({ startMs, endMs }: Window) => ({ start: formatInstant(startMs, tz), end: formatInstant(endMs, tz) });
    return c.json(
      {
        node,
        from: formatInstant(fromMs, tz),
        to: formatInstant(toMs, tz),
        tz,
        corrected: corrected.flatMap(({ place, events, lastAt }) => {
          const day = days[place];
          return day ? [{ ...span(day), events, last_at: lastAt.toISOString() }] : [];
        }),
        late:
          late &&
          days.flatMap((day) => {
            const events = late.get(day.startMs);
            return events === undefined ? [] : [{ ...span(day), events }];
          }),
      },
      200,
    );
  });
  return app;
}

async function daysOf(fromMs: number, toMs: number, tz: string): Promise<Window[]> {
  try {
    return await windowsInSlices({ fromMs, toMs, window: "day", tz, anchor: 1 });
  } catch (error) {
    if (error instanceof InvalidTimeError) throw new ProblemError("invalid_request", error.message, { field: "from" });
    throw error;
  }
}
