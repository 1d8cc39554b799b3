/**
 * GET /metrics: the service itself, for Prometheus. It covers all tenants together, so it is answered without credentials
 * only to a scraper on the same machine, and only while no proxy can stand before it: once the settings name one or a public
 * place, what comes from this machine may come from anywhere. Everybody else needs a key or session that may read `all`.
 */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import { ProblemError } from "../../problem.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { rawAnswer } from "../raw-answer.ts";

interface MetricsRoutesDeps {
  telemetry: Pick<Telemetry, "exposition">;
  publicUrl: string;
}

export function metricsRoutes({ telemetry, publicUrl }: MetricsRoutesDeps): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  const isPublic = !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(publicUrl).hostname);
  app.openapi(
    createRoute({
      method: "get",
      path: "/metrics",
      operationId: "getMetrics",
      tags: ["Operations"],
      summary: "Get metrics for Prometheus",
      description:
        "Without credentials from the same machine, unless the settings name a proxy on it or a public address; otherwise with a key or session that can read `all`.",
      middleware: isPublic ? readerOfAll : fromHereOrReader,
      responses: {
        200: { description: "The text exposition format", content: { "text/plain": { schema: z.string() } } },
        ...problemResponses(401, 403),
      },
    }),
    async (c) => {
      const { contentType, text } = await telemetry.exposition();
      c.header("cache-control", "no-store");
      return rawAnswer(c.body(text, 200, { "content-type": contentType }));
    },
  );
  return app;
}

const readsAll = requireScope("read");

const readerOfAll = createMiddleware<HttpEnv>((c, next) =>
  readsAll(c, async () => {
    if (!c.get("actor").reach.includes("all"))
      throw new ProblemError("forbidden", "these metrics cover all nodes: only callers who can read `all` have access");
    await next();
  }),
);

const fromHereOrReader = createMiddleware<HttpEnv>((c, next) =>
  c.get("client")().isDirectFromHere ? next() : readerOfAll(c, next),
);
