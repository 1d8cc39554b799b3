/**
 * GET /metrics: the service itself, for Prometheus. It tells of all tenants together, so it is answered to a scraper on the
 * same machine without credentials, and to others with a key or session that may read `all`. A connection that came over a
 * proxy is never taken for one from the same machine when the proxy says so, as they all do.
 */
import { getConnInfo } from "@hono/node-server/conninfo";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { createRouter, problemResponses } from "../app-pieces.ts";
import { requireScope } from "../authenticate.ts";
import type { HttpEnv } from "../http-env.ts";
import { ProblemError } from "../problem-error.ts";

export function metricsRoutes({ telemetry }: { telemetry: Pick<Telemetry, "exposition"> }): OpenAPIHono<HttpEnv> {
  const app = createRouter();
  app.openapi(
    createRoute({
      method: "get",
      path: "/metrics",
      summary: "The service itself, for Prometheus",
      description:
        "Without credentials from the same machine, unless a proxy forwards it; else with a key or session that may read `all`.",
      middleware: fromHereOrReader,
      responses: {
        200: { description: "The text exposition format", content: { "text/plain": { schema: z.string() } } },
        ...problemResponses(401, 403),
      },
    }),
    async (c) => {
      const { contentType, text } = await telemetry.exposition();
      c.header("cache-control", "no-store");
      return c.body(text, 200, { "content-type": contentType }) as never;
    },
  );
  return app;
}

const readsAll = requireScope("read");

const fromHereOrReader = createMiddleware<HttpEnv>(async (c, next) => {
  if (isFromHere(c)) return next();
  return readsAll(c, async () => {
    if (!c.get("actor").reach.includes("all"))
      throw new ProblemError("forbidden", "these figures are of all nodes together: only `all` may read them");
    await next();
  });
});

const forwardingHeaders = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];
const loopback = /^(?:127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;

/** A page in a browser on this machine must not read it for another site either: names that point here are not enough. */
function isFromHere(c: Context<HttpEnv>): boolean {
  if (forwardingHeaders.some((name) => c.req.header(name) !== undefined)) return false;
  const host = (c.req.header("host") ?? "").replace(/:\d+$/, "");
  const isNamedHere = host === "localhost" || host === "[::1]" || loopback.test(host);
  return isNamedHere && loopback.test(getConnInfo(c).remote.address ?? "");
}
